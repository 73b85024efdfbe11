// Brings a clone to where it can run: installed packages, the generated database client, the built program in dist/.
//
// Node built-ins only, for it runs before anything is installed. Each step is skipped when its inputs are unchanged; when
// all are, this takes about 50 ms. Progress goes to standard error, the output of a step only when it fails.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { waitForLock } from './setup-lock.mjs'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const GENERATED = 'src/adapters/prisma/generated'

/** The steps in order; `isDone` is cheap and is asked again once the lock is held. */
const STEPS = [
  { label: 'installing packages', isDone: isInstalled, run: install },
  { label: 'generating the database client', isDone: () => hasStamp(GENERATED, generateInputs()), run: generate },
  { label: 'building', isDone: () => hasStamp('dist', buildInputs()), run: build },
]

/** Runs the steps that are needed. Throws SetupError with a message for a person. */
export async function setUp() {
  checkNodeVersion()
  if (STEPS.every((step) => step.isDone())) return
  const release = await waitForLock(join(ROOT, '.setup'), () =>
    say('writ: waiting for another set-up of this folder\n'),
  )
  try {
    for (const step of STEPS) {
      if (step.isDone()) continue
      const start = performance.now()
      say(`writ: ${step.label} …`)
      try {
        await step.run()
      } catch (error) {
        say(' failed\n')
        throw error
      }
      say(` ${((performance.now() - start) / 1_000).toFixed(1)} s\n`)
    }
  } finally {
    await release()
  }
}

/** The same, for a script: prints what went wrong and exits. */
export async function setUpOrExit() {
  try {
    await setUp()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    say(`writ: ${error.message}\n`)
    process.exit(1)
  }
}

class SetupError extends Error {}

const say = (text) => process.stderr.write(text)

function checkNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  // As package.json says; of 22 the database client wants 22.12, and the odd releases between are unsupported by it.
  const isGood = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24
  if (isGood) return
  throw new SetupError(
    `Node.js ${process.versions.node} is not supported: use 20.19 or later, 22.12 or later, or 24 and up`,
  )
}

// --- packages

/** Whether every package of the lockfile is there in that version, by the list npm leaves when it has finished. */
function isInstalled() {
  const wanted = readJson('package-lock.json')?.packages ?? {}
  const present = readJson('node_modules/.package-lock.json')?.packages
  if (present === undefined) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true
    const found = present[path]
    // An optional package may be for another platform.
    return found === undefined
      ? entry.optional === true
      : found.version === entry.version && found.integrity === entry.integrity
  })
}

/** What npm hands to its scripts and what would make the inner npm install something else than the lockfile. */
const MISLEADING =
  /^npm_config_(omit|include|only|also|dev|production|optional|global|location|prefix|local_prefix|workspaces?|include_workspace_root|package_lock|package_lock_only|dry_run|install_strategy|if_present)$/i

async function install() {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !MISLEADING.test(name)))
  // The build needs the development packages, and npm would leave them out under NODE_ENV=production.
  const flags = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--no-progress']
  const npm = process.env.npm_execpath
  if (npm !== undefined && basename(npm) === 'npm-cli.js') await run('npm ci', process.execPath, [npm, ...flags], env)
  else await run('npm ci', 'npm', flags, env)
}

// --- the database client

function generateInputs() {
  const versions = ['prisma', '@prisma/client'].map((name) => readJson(`node_modules/${name}/package.json`)?.version)
  return hashOf([JSON.stringify(versions), ...filesOf('prisma/schema.prisma', 'prisma.config.ts')])
}

async function generate() {
  const inputs = generateInputs()
  rmSync(join(ROOT, GENERATED), { recursive: true, force: true })
  await run('prisma generate', process.execPath, ['node_modules/prisma/build/index.js', 'generate'], {
    ...process.env,
    // Generating needs no engine, but would download one unless this names a file.
    PRISMA_SCHEMA_ENGINE_BINARY: join(ROOT, 'scripts/schema-engine.mjs'),
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  })
  writeStamp(GENERATED, inputs)
}

// --- the program

function buildInputs() {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|json)$/.test(entry.name))
    .map((entry) => join(entry.path, entry.name).slice(ROOT.length))
    .filter((path) => !path.startsWith(GENERATED))
    .sort()
  return hashOf([generateInputs(), ...filesOf('tsconfig.json', 'tsconfig.build.json', 'package-lock.json', ...sources)])
}

async function build() {
  const inputs = buildInputs()
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
  await run('tsc', process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], process.env)
  // The command line is linked to, as docs/cli.md says; a compiler makes nothing executable.
  chmodSync(join(ROOT, 'dist/cli/main.js'), 0o755)
  writeStamp('dist', inputs)
}

// --- stamps: written into what a step made when it has finished, so that they vanish with it

const stampOf = (folder) => join(ROOT, folder, '.setup-stamp')

function hasStamp(folder, inputs) {
  return readText(stampOf(folder)) === inputs
}

function writeStamp(folder, inputs) {
  writeFileSync(stampOf(folder), inputs)
}

function hashOf(parts) {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part)
  return hash.digest('hex')
}

const filesOf = (...paths) => paths.flatMap((path) => [path, readText(join(ROOT, path)) ?? ''])

function readText(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  }
}

function readJson(path) {
  const text = readText(join(ROOT, path))
  return text === undefined ? undefined : JSON.parse(text)
}

// --- running a step

/** Runs a program to its end; a signal to us ends it and everything it started, and then us. */
function run(label, command, args, env) {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that the grandchildren (install scripts) can be ended with it.
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let output = ''
    const collect = (chunk) => {
      output = (output + chunk).slice(-20_000)
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    let received
    const end = (signal) => {
      received = signal
      try {
        process.kill(-child.pid, 'SIGTERM')
      } catch {
        // It has ended already.
      }
    }
    process.on('SIGTERM', end).on('SIGINT', end)
    const settle = (fail) => {
      process.off('SIGTERM', end).off('SIGINT', end)
      if (received !== undefined) {
        say(' stopped\n')
        process.exit(received === 'SIGINT' ? 130 : 143)
      }
      if (fail === undefined) resolve()
      else reject(new SetupError(`${label} failed (${fail})\n${output.trim()}`))
    }
    child.once('error', (error) => settle(error.message))
    child.once('close', (code, signal) => settle(code === 0 ? undefined : (signal ?? `exit code ${code}`)))
  })
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await setUpOrExit()
