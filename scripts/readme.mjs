// Runs the commands that the README prints, as it prints them, in a fresh clone, and compares what they print with the README.
// What differs from run to run (the tag of the names) is taken out on both sides. Used by .ci/run.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SECONDS_TO_START = 180

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
const commands = [...readme.matchAll(/```console\n\$ (.+)\n/g)].map(([, command]) => command)
const [, printed] = /<!-- output: [^>]+-->\n```text\n([\s\S]+?)```/.exec(readme) ?? []
const [start, story] = commands
if (start !== 'npm start' || story === undefined || printed === undefined)
  throw new Error('the README is not as this script knows it')

const clone = join(mkdtempSync(join(tmpdir(), 'writ-readme-')), 'writ')
execFileSync('git', ['clone', '--quiet', ROOT, clone])
const startedAt = performance.now()
const elapsed = () => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
// A group of its own, so that all of it can be ended; npm passes SIGTERM on to the server.
const server = spawn('bash', ['-c', start], { cwd: clone, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
let isRight = false
try {
  await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).on(
      'line',
      (line) => line === 'writ listening on http://localhost:3000' && resolve(line),
    )
    server.once('exit', (code) => reject(new Error(`"${start}" ended with ${code}`)))
    setTimeout(() => reject(new Error(`"${start}" did not listen`)), SECONDS_TO_START * 1_000).unref()
  })
  console.log(`$ ${start}\nlistens after ${elapsed()}`)
  const output = execFileSync('bash', ['-c', story], { cwd: clone, encoding: 'utf8' })
  console.log(`$ ${story}\nfirst token and first refusals after ${elapsed()}`)
  isRight = masked(output) === masked(printed)
  if (!isRight)
    console.error(`the README prints\n\n${masked(printed)}\n\nbut this is what it does\n\n${masked(output)}`)
} finally {
  const ended = new Promise((resolve) => server.once('exit', resolve))
  if (server.exitCode === null && server.pid !== undefined) {
    process.kill(-server.pid, 'SIGTERM')
    await ended
  }
  rmSync(join(clone, '..'), { recursive: true, force: true })
}
if (!isRight) process.exit(1)
console.log('the README does what it says')

/** The names of a run end in a tag of its own. */
function masked(text) {
  const [, tag] = /planner-(\w+)/.exec(text) ?? []
  return tag === undefined ? text.trim() : text.replaceAll(tag, '<tag>').trim()
}
