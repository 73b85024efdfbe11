import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Agent, request as httpRequest } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Answer, administrator, type TestClient } from '../support/clients.ts'

export type Settings = Readonly<Record<string, string>>

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A server process of a test's own, from the moment it was spawned. */
export interface Launched {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  readonly ended: Promise<Ended>
  /** Sends a signal to this process alone, and waits for its end. */
  readonly end: (signal: NodeJS.Signals) => Promise<Ended>
}

/** A server process that listens. */
export interface ServerProcess extends Launched {
  readonly issuer: string
  /** From the spawn to the line that says it listens. Unit: ms. */
  readonly startMilliseconds: number
}

/** Of the folder that tests are run in: this file may itself have been compiled to elsewhere. */
const MAIN = resolve('dist/main.js')
const launched = new Set<ChildProcess>()

/** Ends whatever a failed test left running. */
export async function endAll(): Promise<void> {
  const running = [...launched].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  await Promise.all(
    running.map((child) => {
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      return closed
    }),
  )
}

/** Spawns `node dist/main.js` with these settings and nothing else of our own environment that it reads. */
export function launch(settings: Settings): Launched {
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(process.execPath, [MAIN], { env: { PATH, HOME, ...settings }, stdio: ['ignore', 'pipe', 'pipe'] })
  launched.add(child)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-100_000)
  })
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    launched.delete(child)
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, stdout, stderr }
  })
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    end: (signal) => {
      child.kill(signal)
      return ended
    },
  }
}

/** Spawns a server and waits until it listens. @throws with what it said when it ends instead. */
export async function startProcess(settings: Settings): Promise<ServerProcess> {
  const start = performance.now()
  const process = launch(settings)
  const { stdout } = process.child
  for (;;) {
    const [, issuer] = /^writ listening on (\S+)$/m.exec(process.stdout()) ?? []
    if (issuer !== undefined) return { ...process, issuer, startMilliseconds: performance.now() - start }
    const more = stdout === null ? process.ended : Promise.race([once(stdout, 'data'), process.ended])
    await more
    if (process.child.exitCode !== null || process.child.signalCode !== null) {
      const { code, signal, stderr } = await process.ended
      throw new Error(`the server ended (${signal ?? code}) before it listened: ${stderr}`)
    }
  }
}

/** A data directory, with a config file whose limits no test runs into. */
export interface ProcessFolder {
  readonly dataDirectory: string
  readonly settings: Settings
  readonly remove: () => void
}

const UNLIMITED = { perSecond: 1_000_000, burst: 1_000_000 }

export function makeFolder(settings: Settings = {}): ProcessFolder {
  const folder = mkdtempSync(join(tmpdir(), 'writ-process-'))
  const dataDirectory = join(folder, 'data')
  const config = join(folder, 'config.json')
  writeFileSync(config, JSON.stringify({ clientRequests: UNLIMITED, failedAuthentications: UNLIMITED }))
  return {
    dataDirectory,
    settings: {
      WRIT_DATA_DIR: dataDirectory,
      WRIT_CONFIG: config,
      WRIT_PORT: '0',
      WRIT_LOG_LEVEL: 'error',
      ...settings,
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The administrator that the first start made. */
export const administratorOf = async (dataDirectory: string): Promise<TestClient> =>
  administrator(JSON.parse(await readFile(join(dataDirectory, 'admin-credential.json'), 'utf8')))

/** A port that nobody listens on at this moment, on either address. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A request as the builders of test/support/clients.ts make it. */
export interface Built {
  readonly url: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string | Uint8Array
}

export interface Sender {
  /** Sends a request to the process at `port`, whatever its issuer. */
  readonly send: (port: number, request: Built) => Promise<Answer>
  readonly close: () => void
}

/** Sends over connections that are kept alive, as a busy agent does. */
export function keepAliveSender(maxSockets: number): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets })
  return {
    close: () => agent.destroy(),
    send: (port, { url, headers, body }) =>
      new Promise((resolve, reject) => {
        const { host, pathname } = new URL(url)
        const sent = { Host: host, 'Content-Length': String(Buffer.byteLength(body)), ...Object.fromEntries(headers) }
        const outgoing = httpRequest({ agent, host: '127.0.0.1', port, path: pathname, method: 'POST', headers: sent })
        outgoing.on('error', reject)
        outgoing.on('response', (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8')
            // A process that was killed may leave half an answer behind: then nothing was received.
            if (!response.complete) return reject(new Error('the answer was cut off'))
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text,
              body: JSON.parse(text || 'null'),
            })
          })
        })
        outgoing.end(body)
      }),
  }
}
