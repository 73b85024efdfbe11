import { exchangeRequest, type TestClient } from '../../support/clients.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { closedLoop } from '../harness/closed-loop.ts'
import type { RawRequest, Target } from '../harness/connection.ts'
import type { Sample } from '../harness/interleave.ts'
import type { MeasuredProcess } from '../harness/measured-process.ts'
import { type OurServer, type OurServerOptions, startOurServer } from './start-server.ts'

export const IN_FLIGHT = 64
const SAMPLE_EVERY = 100
const REPLAYED = 16

/** Who exchanges, and by which delegation. */
export interface Minter {
  readonly agent: TestClient
  readonly subjectToken: string
  /** A client attestation; absent: it authenticates with an assertion (`private_key_jwt`). */
  readonly attestation?: string
}

export type Measured = Sample & { readonly bodies: readonly string[] }

/** A server of a build, on a database of its own, that exchanges for one action again and again. */
export interface Minting extends OurServer {
  readonly world: World
  readonly minter: Minter
  /** Sends so many exchanges, checks what came of them, and says what they cost. */
  readonly mint: (count: number, options?: MintOptions) => Promise<Measured>
  /** The same; then a batch of new ones twice, which must be refused the second time. */
  readonly mintAndReplay: (count: number, options?: MintOptions) => Promise<Measured>
}

export interface MintOptions {
  /** Absent: the agent of the world, by its delegation and with assertions. */
  readonly minter?: Minter
  readonly inFlight?: number
}

export async function startMinting(options: OurServerOptions = {}): Promise<Minting> {
  const server = await startOurServer(options)
  const { issuer, target, process } = server
  try {
    const world = await createWorld(server)
    const minter = { agent: world.agent, subjectToken: world.delegation.subjectToken }
    const mint = async (count: number, chosen: MintOptions = {}) => {
      const requests = mintRequests(world, count, chosen.minter ?? minter)
      const measured = await measure(process, target, requests, chosen.inFlight)
      check(measured.bodies, world, chosen.minter ?? minter)
      return measured
    }
    return {
      ...server,
      ...{ issuer, world, minter, mint },
      mintAndReplay: async (count, chosen = {}) => {
        const measured = await mint(count, chosen)
        const replayed = mintRequests(world, REPLAYED, chosen.minter ?? minter)
        await closedLoop(target, replayed, REPLAYED)
        const { answers } = await closedLoop(target, replayed, REPLAYED)
        if (answers.some(({ status }) => status !== 400 && status !== 401)) {
          throw new Error('a replayed request was not refused')
        }
        return measured
      },
    }
  } catch (error) {
    await server.stop()
    throw error
  }
}

/** Sends every request once and says what each cost the server. @throws when one of them has another status. */
export async function measure(
  server: Pick<MeasuredProcess, 'cpuMicroseconds'>,
  target: Target,
  requests: readonly RawRequest[],
  inFlight = IN_FLIGHT,
  expected: readonly number[] = [200],
): Promise<Measured> {
  const before = server.cpuMicroseconds()
  const { seconds, answers } = await closedLoop(target, requests, inFlight)
  const cpuMicroseconds = (server.cpuMicroseconds() - before) / requests.length
  const wrong = answers.filter(({ status }) => !expected.includes(status))
  if (wrong.length > 0) throw new Error(`${wrong.length} answers are wrong: ${wrong[0]?.status} ${wrong[0]?.body}`)
  return { cpuMicroseconds, requestsPerSecond: requests.length / seconds, bodies: answers.map(({ body }) => body) }
}

/** As many tokens as requests, each its own, and those of the sample say what was asked for. */
function check(bodies: readonly string[], world: World, { agent }: Minter): void {
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

/** Every request with a proof (and an assertion) of its own, made before the run and never used again. */
export const mintRequests = (world: World, count: number, minter: Minter): readonly RawRequest[] =>
  Array.from({ length: count }, () => mintRequest(world, minter))

/** @param proofs instead of a good one. */
export function mintRequest(
  world: Pick<World, 'issuer' | 'wish'>,
  minter: Minter,
  wish: object = {},
  proofs?: readonly string[],
): RawRequest {
  const { agent, subjectToken, attestation } = minter
  const deviation =
    attestation === undefined
      ? { proofs }
      : {
          proofs,
          form: { client_assertion: undefined, client_assertion_type: undefined },
          headers: [['OAuth-Client-Attestation', attestation] as const],
        }
  return rawRequest(exchangeRequest(world.issuer, agent, { ...world.wish, subjectToken, ...wish }, deviation))
}

/** A request of a test as the bytes of a keep-alive connection. */
export function rawRequest(request: {
  readonly url: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string | Uint8Array
}): RawRequest {
  const { host, pathname } = new URL(request.url)
  const lines = request.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  const body = String(request.body)
  return Buffer.from(
    `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\n${lines}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
