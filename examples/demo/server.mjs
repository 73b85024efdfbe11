// The authorization server: a process of its own, with a data directory of its own, on a port that is free.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const program = (name) => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url))
const START_MILLISECONDS = 90_000
const DRAIN_MILLISECONDS = 20_000
const COMMAND_MILLISECONDS = 60_000

/** What is set for somebody's own server must not steer this one. */
const environment = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(WRIT_.*|DATABASE_URL|NODE_ENV|FORCE_COLOR)$/.test(name)),
  )

/** Starts `dist/main.js` and waits until it listens; `cleanup` ends it, whatever becomes of the start. */
export async function startServer({ folder, cleanup }) {
  const dataDirectory = join(folder, 'server')
  const env = { ...environment(), WRIT_DATA_DIR: dataDirectory, WRIT_PORT: '0', WRIT_LOG_LEVEL: 'error' }
  // Detached from the terminal's group: a Ctrl-C is for the demo, and the demo ends the server.
  const child = spawn(process.execPath, [program('main.js')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  })
  const ended = once(child, 'close')
  cleanup.add(
    'the server',
    () => end(child, ended),
    () => child.kill('SIGKILL'),
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said = (said + text).slice(-4_000)
  })
  const issuer = await listening(child, ended, () => said)
  return { issuer, pid: child.pid, credential: join(dataDirectory, 'admin-credential.json') }
}

async function listening(child, ended, said) {
  const lines = createInterface({ input: child.stdout })
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MILLISECONDS)
  try {
    const line = await new Promise((resolve, reject) => {
      lines.on('line', (text) => text.startsWith('writ listening on ') && resolve(text))
      ended.then(() => reject(new Error(`the server ended before it listened: ${said().trim()}`)), reject)
    })
    return line.split(' ').at(-1)
  } finally {
    clearTimeout(timer)
  }
}

async function end(child, ended) {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), DRAIN_MILLISECONDS)
  await ended
  clearTimeout(timer)
}

/**
 * The administrator's command line at that server.
 *
 * @returns a function of the arguments: the exit status, and what was printed.
 */
export function commandLine({ issuer, credential }, signal) {
  const env = { ...environment(), WRIT_ISSUER: issuer, WRIT_CREDENTIAL: credential }
  return (args) =>
    new Promise((resolve, reject) => {
      const options = { env, signal, timeout: COMMAND_MILLISECONDS, encoding: 'utf8' }
      execFile(process.execPath, [program('cli/main.js'), ...args], options, (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') reject(error)
        else resolve({ exit: error?.code ?? 0, stdout, stderr })
      })
    })
}
