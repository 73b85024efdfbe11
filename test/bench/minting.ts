import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { administrator, exchangeRequest, type TestClient } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'
import { closedLoop, type RawRequest, type Target } from './closed-loop.ts'
import type { Sample } from './interleave.ts'
import { type MeasuredProcess, startMeasured } from './measured-process.ts'

const IN_FLIGHT = 16
const SAMPLE_EVERY = 100

/** Who exchanges, and by which delegation. */
export interface Minter {
  readonly agent: TestClient
  readonly subjectToken: string
}

/** A server of a build, on a database of its own, that exchanges for one action again and again. */
export interface Minting {
  readonly world: World
  readonly database: BenchDatabase
  readonly target: Target
  readonly process: MeasuredProcess
  /** Sends so many exchanges, checks what came of them, and says what they cost. */
  readonly mint: (count: number, options?: MintOptions) => Promise<Sample & { readonly bodies: readonly string[] }>
  readonly stop: () => Promise<void>
}

export interface MintOptions {
  /** Absent: the agent of the world, by its delegation. */
  readonly minter?: Minter
  readonly inFlight?: number
}

/** Starts the build in `root` with nothing in its way: no rate limit, no log. */
export async function startMinting(root = '.'): Promise<Minting> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'writ-bench-'))
  const database = await createBenchDatabase()
  const unlimited = { perSecond: 1_000_000, burst: 1_000_000 }
  const config = join(dataDirectory, 'config.json')
  const settings = { clientRequests: unlimited, failedAuthentications: unlimited, logLevel: 'warn' }
  await writeFile(config, JSON.stringify(settings))
  const process = await startMeasured(
    [join(root, 'dist/main.js')],
    { WRIT_CONFIG: config, WRIT_PORT: '0', WRIT_DATA_DIR: dataDirectory, DATABASE_URL: database.url },
    (line) => line.startsWith('writ listening on'),
  )
  const stop = async () => {
    await process.stop()
    await database.drop()
    await rm(dataDirectory, { recursive: true, force: true })
  }
  try {
    const issuer = process.readyLine.slice('writ listening on '.length)
    const admin = administrator(JSON.parse(await readFile(join(dataDirectory, 'admin-credential.json'), 'utf8')))
    const world = await createWorld({ issuer, admin })
    const target = { host: '127.0.0.1', port: Number(new URL(issuer).port) }
    return {
      ...{ world, database, target, process, stop },
      mint: async (count, options = {}) => {
        const requests = mintRequests(world, count, options.minter)
        const measured = await measure(process, target, requests, options.inFlight)
        check(measured.bodies, world, options.minter)
        return measured
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Sends every request once and says what each cost the server. @throws when one of them was not answered with 200. */
export async function measure(
  server: MeasuredProcess,
  target: Target,
  requests: readonly RawRequest[],
  inFlight = IN_FLIGHT,
): Promise<Sample & { readonly bodies: readonly string[] }> {
  const before = server.cpuMicroseconds()
  const { seconds, answers } = await closedLoop(target, requests, inFlight)
  const cpuMicroseconds = (server.cpuMicroseconds() - before) / requests.length
  const failed = answers.filter(({ status }) => status !== 200)
  if (failed.length > 0) throw new Error(`${failed.length} requests failed, the first with ${failed[0]?.body}`)
  return { cpuMicroseconds, requestsPerSecond: requests.length / seconds, bodies: answers.map(({ body }) => body) }
}

/** As many tokens as requests, each its own, and those of the sample say what was asked for. */
function check(bodies: readonly string[], world: World, { agent }: Pick<Minter, 'agent'> = world): void {
  const claims = bodies.map((body) => claimsOf(JSON.parse(body).access_token))
  if (new Set(claims.map(({ jti }) => jti)).size !== bodies.length) throw new Error('two tokens have one jti')
  for (let i = 0; i < claims.length; i += SAMPLE_EVERY) {
    const { sub, client_id, aud, cnf, authorization_details } = claims[i]
    const isRight =
      sub === world.principal &&
      client_id === agent.id &&
      aud === world.identifier &&
      cnf.jkt === agent.key.jkt &&
      authorization_details[0].to[0] === 'bob@example.com'
    if (!isRight) throw new Error(`token ${i} does not say what was asked for`)
  }
}

/** @throws when a request that was sent before is not refused. */
export async function checkReplay(target: Target, requests: readonly RawRequest[]): Promise<void> {
  const { answers } = await closedLoop(target, requests, IN_FLIGHT)
  if (answers.some(({ status }) => status !== 401)) throw new Error('a replayed request was not refused')
}

/** Every request with an assertion and a proof of its own, made before the run and never used again. */
export function mintRequests(world: World, count: number, minter?: Minter): readonly RawRequest[] {
  const { host } = new URL(world.issuer)
  const { agent, subjectToken } = minter ?? { agent: world.agent, subjectToken: world.delegation.subjectToken }
  return Array.from({ length: count }, () => {
    const { headers, body } = exchangeRequest(world.issuer, agent, { ...world.wish, subjectToken })
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    return Buffer.from(
      `POST /token HTTP/1.1\r\nHost: ${host}\r\n${lines}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  })
}
