import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { CliError, EXIT } from './cli-error.ts'
import type { Io } from './io.ts'

const MiB = 1024 * 1024
const MAX_STDIN_BYTES = 4 * MiB

/** The world of a process: its streams, environment and clock. */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process
  const stop = new AbortController()
  return {
    env,
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
    isTerminal: stdout.isTTY === true,
    columns: stdout.columns ?? 80,
    readStdin: () => readAll(stdin),
    // Asked on standard error, so that what a script reads holds no questions.
    ask: stdin.isTTY === true && stderr.isTTY === true ? askPerson : undefined,
    now: () => new Date(),
    get stopped() {
      // Taken over only by who asks: every other command dies of Ctrl-C as it should.
      if (process.listenerCount('SIGINT') === 0) process.on('SIGINT', () => stop.abort())
      return stop.signal
    },
    maintenance: runMaintenance,
    serve: becomeServer,
  }
}

async function askPerson(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > MAX_STDIN_BYTES) throw new CliError(EXIT.usage, 'standard input holds more than 4 MiB')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Beside the built command line lie the programs of the server itself. */
function programOfServer(file: string, what: string): string {
  const program = fileURLToPath(new URL(`../${file}`, import.meta.url))
  if (existsSync(program)) return program
  throw new CliError(EXIT.usage, `this installation has no ${what}`, {
    where: program,
    mend: 'run `npm run build` in the folder of the server, and use the `writ` of that folder',
  })
}

/** In this very process, so that signals reach it. */
async function becomeServer(settings: Readonly<Record<string, string>>): Promise<void> {
  const program = programOfServer('main.js', 'server')
  Object.assign(process.env, settings)
  await import(pathToFileURL(program).href)
}

/** The program that works on the server's own data. */
function runMaintenance(args: readonly string[]): Promise<number> {
  const program = programOfServer('maintenance.js', 'maintenance program')
  // It reads the server's configuration, which refuses a variable that it does not know; this one is ours alone.
  const { WRIT_CREDENTIAL: _, ...env } = process.env
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit', env })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
