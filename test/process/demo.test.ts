import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writ } from '../cli/terminal.ts'
import { BROKEN, names, STORY, type Step, steps } from './broken-stories.ts'
import { endAll, makeFolder, type ProcessFolder, type ServerProcess, startProcess } from './server-process.ts'

interface Played {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const RUN = 'examples/demo/run.mjs'
const PLAY = pathToFileURL('examples/demo/play.mjs').href
const TRANSCRIPT = pathToFileURL('examples/demo/transcript.mjs').href

const folders: string[] = []
const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), 'writ-demo-test-'))
  folders.push(folder)
  return folder
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** The demo as a process, with a folder for temporary files that is its own: what it leaves behind can be seen. */
function demo(folder: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [RUN, ...args], {
    env: { ...process.env, TMPDIR: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code]): Played => ({ code: code as number | null, stdout, stderr }))
  return { child, ended, stdout: () => stdout }
}

/** Every port that the transcript names. */
const portsIn = (transcript: string) => [
  ...new Set([...transcript.matchAll(/(?:localhost|127\.0\.0\.1):(\d+)/g)].map(([, port]) => Number(port))),
]

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = createConnection({ port, host: 'localhost' })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })

async function expectNothingLeft(folder: string, transcript: string) {
  expect(readdirSync(folder)).toEqual([])
  expect(processesWith(folder)).toEqual([])
  const ports = portsIn(transcript)
  expect(ports).toHaveLength(4)
  expect(await Promise.all(ports.map(answers))).toEqual([false, false, false, false])
}

/** Processes of ours that were told of this folder, in their arguments or their environment. */
const processesWith = (folder: string) =>
  execFileSync('ps', ['axeww', '-o', 'pid=,args='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    .split('\n')
    .filter((line) => line.includes(folder))

describe('npm run demo', () => {
  test('every step goes as it should, one mail is delivered, nothing is left behind', async () => {
    const folder = temporary()
    // What is set for somebody's own server does not steer that of the demo.
    const { code, stdout, stderr } = await demo(folder, [], { WRIT_PORT: '1', WRIT_ISSUER: 'http://localhost:1' }).ended
    expect(stderr).toBe('')
    expect([...stdout.matchAll(/^ {2}(.) (\S+)/gm)].flatMap(([, mark, name]) => (mark === '✓' ? [name] : []))).toEqual(
      names,
    )
    expect(stdout).toContain('1 mail: to bob@company.com, "Minutes"')
    expect(stdout).toMatch(/^Every step went as it should/m)
    // Colours are for terminals.
    expect(stdout).not.toContain('\u001b')
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(120)
    expect(code).toBe(0)
    await expectNothingLeft(folder, stdout)
  }, 120_000)

  test('a step that goes wrong is named, and the exit status is 1; nothing is left behind', async () => {
    const folder = temporary()
    const story = join(temporary(), 'broken.mjs')
    const source = `import { steps as told } from ${JSON.stringify(STORY)}
export const steps = told.map((step) => (step.name === 'enrol' ? { ...step, codeFile: ${JSON.stringify(story)} } : step))
`
    writeFileSync(story, source)
    const { code, stdout } = await demo(folder, [story]).ended
    expect(stdout).toMatch(/^ {2}✗ enrol /m)
    expect(stdout).toContain('The story went wrong at the step "enrol".')
    expect(code).toBe(1)
    await expectNothingLeft(folder, stdout)
  }, 120_000)

  test.each([
    ['SIGINT', 130, /✓ register-agent/],
    ['SIGTERM', 143, /^/],
  ] as const)(
    '%s ends it with status %d, and nothing is left behind',
    async (signal, status, when) => {
      const folder = temporary()
      const { child, ended, stdout } = demo(folder)
      // The second one comes while the server starts: nothing is printed yet, and the temporary folder is there.
      while (!(when.test(stdout()) && readdirSync(folder).length > 0))
        await new Promise((resolve) => setTimeout(resolve, 20))
      child.kill(signal)
      const { code } = await ended
      expect(code).toBe(status)
      expect(stdout()).not.toContain('✗')
      expect(readdirSync(folder)).toEqual([])
      expect(await Promise.all(portsIn(stdout()).map(answers))).not.toContain(true)
      expect(processesWith(folder)).toEqual([])
    },
    120_000,
  )
})

describe('the story, broken in each of its steps', () => {
  let server: ServerProcess
  let folder: ProcessFolder
  let stories = 0
  beforeAll(async () => {
    folder = makeFolder()
    server = await startProcess(folder.settings)
  })
  afterAll(async () => {
    await endAll()
    folder.remove()
  })

  /** Tells a story at the one server, with names of its own; the command line runs in this process. */
  async function tell(story: readonly Step[]): Promise<{ readonly wrong: string | undefined; readonly said: string }> {
    const { play } = await import(PLAY)
    const { transcript } = await import(TRANSCRIPT)
    const env = { WRIT_ISSUER: server.issuer, WRIT_CREDENTIAL: join(folder.dataDirectory, 'admin-credential.json') }
    const lines: string[] = []
    const wrong: string | undefined = await play({
      steps: story,
      issuer: server.issuer,
      administrator: async (args: readonly string[]) => {
        const { code, out, err } = await writ(args, { env })
        return { exit: code, stdout: out, stderr: err }
      },
      folder: temporary(),
      print: transcript({ write: (line: string) => lines.push(line), isColoured: false }),
      tag: `-${++stories}`,
    })
    return { wrong, said: lines.join('\n') }
  }

  test('there is a way to break every step', () => {
    expect(Object.keys(BROKEN)).toEqual(names)
  })

  test('as it is written it goes as it should', async () => {
    const { wrong, said } = await tell(steps)
    expect(said).not.toContain('✗')
    expect(wrong).toBeUndefined()
  })

  test.each(names)('%s', async (name) => {
    const { wrong, said } = await tell(BROKEN[name]?.() ?? [])
    expect(wrong).toBe(name)
    expect(said).toContain(`✗ ${name} `)
    // It came out otherwise because of what was done, not because something broke on the way.
    expect(said).not.toContain('"broke"')
  })
})
