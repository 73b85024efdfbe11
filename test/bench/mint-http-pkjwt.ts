import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { administrator, exchangeRequest } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { createBenchDatabase } from './bench-database.ts'
import { closedLoop, type RawRequest, type Target } from './closed-loop.ts'
import { type Comparison, interleave, type Sample } from './interleave.ts'
import { type MeasuredProcess, startMeasured } from './measured-process.ts'

const ROUNDS = 7
const REQUESTS = 3_000
const WARM_UP = 1_000
const IN_FLIGHT = 16
const SAMPLE_EVERY = 100

/**
 * mint.http.pkjwt: `POST /token` with `private_key_jwt` and DPoP, one action, the record committed in PostgreSQL before the
 * answer, against `2v1s`: two verifications and one signature in bare node:http.
 *
 * Checks what it mints: no errors, as many ids as requests, a replayed batch refused whole, a sample decoded.
 */
export async function mintHttpPrivateKeyJwt(progress: (line: string) => void): Promise<Comparison> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'writ-bench-'))
  const postgres = await createBenchDatabase()
  const unlimited = { perSecond: 1_000_000, burst: 1_000_000 }
  const config = join(dataDirectory, 'config.json')
  const settings = { clientRequests: unlimited, failedAuthentications: unlimited, logLevel: 'warn' }
  await writeFile(config, JSON.stringify(settings))
  const ours = await startMeasured(
    ['dist/main.js'],
    { WRIT_CONFIG: config, WRIT_PORT: '0', WRIT_DATA_DIR: dataDirectory, DATABASE_URL: postgres.url },
    (line) => line.startsWith('writ listening on'),
  )
  let limit: MeasuredProcess | undefined
  try {
    const issuer = ours.readyLine.slice('writ listening on '.length)
    const admin = administrator(JSON.parse(await readFile(join(dataDirectory, 'admin-credential.json'), 'utf8')))
    const world = await createWorld({ issuer, admin })
    const ourTarget = targetOf(issuer)

    // The warm-up also shows how large an answer is, for the limit to be as large.
    const warmUp = await closedLoop(ourTarget, makeRequests(world, WARM_UP), IN_FLIGHT)
    const responseBytes = Buffer.byteLength(warmUp.answers[0]?.body ?? '')
    limit = await startMeasured(['.bench/test/bench/limit-server.js', '2', '1', String(responseBytes)], {}, (line) =>
      line.startsWith('listening on'),
    )
    const limitTarget = { host: '127.0.0.1', port: Number(limit.readyLine.slice('listening on '.length)) }
    await closedLoop(limitTarget, makeRequests(world, WARM_UP), IN_FLIGHT)

    const measuredLimit = limit
    return await interleave(
      ROUNDS,
      async () => (await measure(measuredLimit, limitTarget, makeRequests(world, REQUESTS))).sample,
      async () => {
        const requests = makeRequests(world, REQUESTS)
        const { sample, bodies } = await measure(ours, ourTarget, requests)
        check(bodies, world)
        await checkReplay(ourTarget, requests.slice(0, IN_FLIGHT))
        return sample
      },
      progress,
    )
  } finally {
    await limit?.stop()
    await ours.stop()
    await postgres.drop()
    await rm(dataDirectory, { recursive: true, force: true })
  }
}

async function measure(server: MeasuredProcess, target: Target, requests: readonly RawRequest[]) {
  const before = server.cpuMicroseconds()
  const { seconds, answers } = await closedLoop(target, requests, IN_FLIGHT)
  const cpuMicroseconds = (server.cpuMicroseconds() - before) / requests.length
  const failed = answers.filter(({ status }) => status !== 200)
  if (failed.length > 0) throw new Error(`${failed.length} requests failed, the first with ${failed[0]?.body}`)
  const sample: Sample = { cpuMicroseconds, requestsPerSecond: requests.length / seconds }
  return { sample, bodies: answers.map(({ body }) => body) }
}

/** As many tokens as requests, each its own, and those of the sample say what was asked for. */
function check(bodies: readonly string[], world: World): void {
  const claims = bodies.map((body) => claimsOf(JSON.parse(body).access_token))
  if (new Set(claims.map(({ jti }) => jti)).size !== bodies.length) throw new Error('two tokens have one jti')
  for (let i = 0; i < claims.length; i += SAMPLE_EVERY) {
    const { sub, client_id, aud, cnf, authorization_details } = claims[i]
    const isRight =
      sub === world.principal &&
      client_id === world.agent.id &&
      aud === world.identifier &&
      cnf.jkt === world.agent.key.jkt &&
      authorization_details[0].to[0] === 'bob@example.com'
    if (!isRight) throw new Error(`token ${i} does not say what was asked for`)
  }
}

async function checkReplay(target: Target, requests: readonly RawRequest[]): Promise<void> {
  const { answers } = await closedLoop(target, requests, IN_FLIGHT)
  if (answers.some(({ status }) => status !== 401)) throw new Error('a replayed request was not refused')
}

/** Every request with an assertion and a proof of its own, made before the run and never used again. */
function makeRequests(world: World, count: number): readonly RawRequest[] {
  const { host } = new URL(world.issuer)
  return Array.from({ length: count }, () => {
    const { headers, body } = exchangeRequest(world.issuer, world.agent, world.wish)
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    return Buffer.from(
      `POST /token HTTP/1.1\r\nHost: ${host}\r\n${lines}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  })
}

function targetOf(issuer: string): Target {
  return { host: '127.0.0.1', port: Number(new URL(issuer).port) }
}
