// Runs every command that the documentation prints, as it prints it, in a fresh clone, and compares what comes out.
//
//   node scripts/docs.mjs [page.md …]        used by .ci/run
//
// A page is a terminal session: what stands after `$ ` in its `console` blocks is given to bash, in order, beside the files
// that the commands before it made; `writ` is the clone's own. `npm start` goes on until the page ends, or until `^C` is
// printed. A printed line `…` stands for any lines. What differs from run to run (times, ids, keys) is not compared; an id
// that was printed stands for the one that came out, also in later commands.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SECONDS_TO_FINISH = 180
/** What a page prints of the database server; where another one is used, that one is meant. */
const PRINTED_DATABASE = 'postgres@127.0.0.1:5432'

/** What a shell would be given a program's name for, in a sentence. */
const PROGRAMS = /^(npm|npx|node|writ|curl|git|docker|createdb|dropdb|psql|bash|source|export) \S/

/** Ids that later commands repeat. */
const NAMES = /(?:dlg|enr|sil)_[0-9a-f-]{36}/g

const clone = join(mkdtempSync(join(tmpdir(), 'writ-docs-')), 'writ')
const startedAt = performance.now()
const elapsed = () => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
/** Every command that was run. */
const ran = new Set()
const wrong = []

try {
  execFileSync('git', ['clone', '--quiet', ROOT, clone])
  const all = pages()
  const chosen = process.argv.length > 2 ? all.filter((page) => process.argv.includes(page)) : all
  for (const page of chosen) await runPage(page)
  // Commands in sentences are only looked for when everything was run.
  if (chosen.length === all.length) for (const page of all) checkSentences(page)
} finally {
  dropDatabases()
  rmSync(join(clone, '..'), { recursive: true, force: true, maxRetries: 5 })
}
for (const line of wrong) console.error(line)
console.log(`${ran.size} commands of the documentation were run as they are printed, ${wrong.length} things are wrong`)
process.exit(wrong.length === 0 ? 0 : 1)

/** Every page that tells somebody what to type; the README first, on the clone as it came. */
function pages() {
  const found = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.md') && !/(^|\/)(node_modules|\.git|\.writ|dist|\.bench)\//.test(path),
  )
  return ['README.md', ...found.filter((path) => path !== 'README.md' && path !== 'CHANGELOG.md').sort()]
}

function textOf(page) {
  return readFileSync(join(ROOT, page), 'utf8')
}

/** The commands of a page, each with the lines that it prints. */
function commandsOf(page) {
  const blocks = [
    ...textOf(page).matchAll(/```console\n([\s\S]*?)```(?:\n<!-- output[^>]*-->\n```text\n([\s\S]*?)```)?/g),
  ]
  return blocks.flatMap(([, block, output]) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [, command, printed] = /^((?:.*\\\n)*.*)\n([\s\S]*)$/.exec(text)
        return { command, printed: (printed + (output ?? '')).trimEnd() }
      }),
  )
}

async function runPage(page) {
  const commands = commandsOf(page)
  if (commands.length === 0) return
  console.log(`\n# ${page}`)
  rmSync(join(clone, '.writ'), { recursive: true, force: true })
  const home = join(clone, '..', 'home')
  mkdirSync(home, { recursive: true })
  const session = { home, before: [], names: new Map(), servers: [] }
  try {
    for (const one of commands) {
      const said = await runCommand(session, one)
      ran.add(one.command).add(one.command.replace(/^([A-Z_]+=\S* )+/, ''))
      console.log(`$ ${one.command}${said.ok ? '' : '   ✗'}   (${elapsed()})`)
      if (said.ok) continue
      wrong.push(`${page}: $ ${one.command}\n--- printed\n${said.expected}\n--- came out\n${said.came}\n`)
      break
    }
  } finally {
    for (const server of session.servers) await end(server)
  }
  console.log(`(${page}: ${commands.length} commands, ${elapsed()} since the clone)`)
}

async function runCommand(session, { command, printed }) {
  const isInterrupted = /^\^C$/m.test(printed)
  const isServer = /(^|\s)npm start$/.test(command)
  const [before, after = ''] = printed.split(/^\^C$/m)
  const text = withNames(session, toOurDatabase(command))
  if (/^(export|source) /.test(command)) session.before.push(text)
  const child = start(session, text)
  if (isServer || isInterrupted) {
    const lines = before.split('\n').filter((line) => line !== '' && line !== '…')
    const isThere = await until(() => lines.every((line) => linesOf(child).some((came) => same(line, came))), child)
    const seen = linesOf(child).join('\n')
    // Ended with the page, whatever it printed: the next page starts one of its own.
    session.servers.push(child)
    if (!isThere) return { ok: false, expected: before, came: `${seen}\n${child.errors}` }
    if (!isInterrupted) {
      return { ok: true }
    }
    child.output = ''
    await end(child, 'SIGINT')
    // npm says how what it ran has ended, in its own words.
    return isServer ? { ok: true } : compare(session, after, child.output)
  }
  await until(() => child.code !== undefined, child)
  if (child.code === undefined) {
    await end(child)
    return { ok: false, expected: printed, came: `no end after ${SECONDS_TO_FINISH} s: ${child.output}` }
  }
  // A command after which nothing is printed is only to succeed; another may be meant to fail, and says so.
  if (printed === '' || printed === '…')
    return { ok: child.code === 0, expected: '(status 0)', came: `(status ${child.code}) ${child.both}` }
  return compare(session, printed, child.both)
}

/** Runs a command as a shell in the clone would; what `export` and `source` did before holds. */
function start(session, text) {
  const bin = join(clone, '..', 'bin')
  mkdirSync(bin, { recursive: true })
  const program = join(clone, 'dist/cli/main.js')
  try {
    symlinkSync(program, join(bin, 'writ'))
  } catch {
    // It is there already.
  }
  try {
    chmodSync(program, 0o755)
  } catch {
    // Not built yet: the README's first command builds it.
  }
  const script = [...session.before.filter((line) => line !== text), text].join('\n')
  const { PATH, LANG } = process.env
  const child = spawn('bash', ['--norc', '-c', script], {
    cwd: clone,
    env: { PATH: `${bin}:${PATH}`, HOME: session.home, ...(LANG && { LANG }), NO_UPDATE_NOTIFIER: '1' },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  Object.assign(child, { output: '', errors: '', both: '', code: undefined })
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    child.output += chunk
    child.both += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    child.errors += chunk
    child.both += chunk
  })
  child.once('close', (code) => {
    child.code = code ?? -1
  })
  return child
}

async function until(holds, child) {
  const deadline = performance.now() + SECONDS_TO_FINISH * 1_000
  while (!holds()) {
    if (performance.now() > deadline) return false
    if (child.code !== undefined) return holds()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

/** A group of its own, so that all of it ends. */
async function end(child, signal = 'SIGTERM') {
  if (child.code !== undefined) return
  const closed = once(child, 'close')
  process.kill(-child.pid, signal)
  await closed
}

function linesOf(child) {
  return child.output.split('\n')
}

/** Line by line; what was printed for an id is from now on the one that came. */
function compare(session, printed, came) {
  const expected = printed.trim().split('\n')
  const lines = came.trim().split('\n')
  const ok = fits(expected, lines)
  if (ok) learnNames(session, printed, came)
  return { ok, expected: steady(printed.trim()), came: steady(came.trim()) }
}

function fits([first, ...rest], lines) {
  if (first === undefined) return lines.length === 0
  if (first === '…') return rest.length === 0 || lines.some((_, i) => fits(rest, lines.slice(i)))
  return lines.length > 0 && same(first, lines[0]) && fits(rest, lines.slice(1))
}

function same(printed, came) {
  return steady(toOurDatabase(printed)).trimEnd() === steady(came).trimEnd()
}

function learnNames(session, printed, came) {
  const [old, now] = [printed.match(NAMES) ?? [], came.match(NAMES) ?? []]
  for (const [i, name] of old.entries()) if (now[i] !== undefined) session.names.set(name, now[i])
}

function withNames(session, text) {
  let said = text
  for (const [printed, came] of session.names) said = said.replaceAll(printed, came)
  return said
}

/** What differs from run to run. */
function steady(text) {
  const [, tag] = /planner-([0-9a-z]{8})\b/.exec(text) ?? []
  return (tag === undefined ? text : text.replaceAll(tag, '<tag>'))
    .replace(/(\/sign-in\/link\/)[A-Za-z0-9_-]{22}/g, '$1<code>')
    .replaceAll(`${clone}/`, '')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>')
    .replace(/-[0-9a-z]{8}\b/g, '-<tag>')
    .replace(/\/[0-9a-z]{8}\b/g, '/<tag>')
    .replace(/(dlg|enr|sil)_[0-9a-f-]{36}/g, '$1_<id>')
    .replace(/--cursor \S+/g, '--cursor <cursor>')
    .replace(/\b[A-Za-z0-9_-]{43}\b/g, '<thumbprint>')
    .replace(/(code +)[A-Za-z0-9_-]{22}/g, '$1<code>')
    .replace(/\b\d+(\.\d+)? s\b/g, '<seconds>')
    .replace(/:\d{5}\b/g, ':<port>')
    .replace(/\bin \d+ (second|minute|hour|day)s?\b/g, 'in <while>')
    .replace(/(migration|applied) \d{14}_/g, '$1 <number>_')
    .replace(/ +/g, ' ')
}

/** What stands in sentences must be something that was run: the very command, or one that begins with the words before `<`. */
function checkSentences(page) {
  const ci = readFileSync(join(ROOT, '.ci/run'), 'utf8')
  const prose = textOf(page).replace(/```[\s\S]*?```/g, '')
  for (const [, span] of prose.matchAll(/`([^`\n]+)`/g)) {
    if (!PROGRAMS.test(span)) continue
    const words = span.split(/ ?[<…]/)[0]
    const isRun = [...ran].some((command) => command === words || command.startsWith(`${words} `))
    // The test commands are run by CI itself, beside this script.
    if (!isRun && !new RegExp(`${words}( --|$|\\n)`, 'm').test(ci))
      wrong.push(`${page}: "${span}" is printed and never run`)
  }
}

function toOurDatabase(text) {
  const { TEST_DATABASE_URL } = process.env
  if (!TEST_DATABASE_URL) return text
  const { username, host, hostname, port } = new URL(TEST_DATABASE_URL)
  return text
    .replaceAll(PRINTED_DATABASE, `${username}@${host}`)
    .replaceAll('-h 127.0.0.1 -U postgres', `-h ${hostname} -p ${port || 5432} -U ${username}`)
}

/** Databases that a page made, and a page that stopped early did not drop. */
function dropDatabases() {
  for (const page of pages()) {
    for (const { command } of commandsOf(page)) {
      const made = /^createdb (.*)$/.exec(toOurDatabase(command))
      if (made !== null) spawn('bash', ['-c', `dropdb --if-exists --force ${made[1]}`], { stdio: 'ignore' })
    }
  }
}
