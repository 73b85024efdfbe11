import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import {
  createMemoryReplayStore,
  createResourceServer,
  isRefusal,
  type ResourceServer,
} from '../../src/sdk/resource/index.ts'
import { endAll, keepAliveSender, type Sender, startProcess } from '../process/server-process.ts'
import { exchangeRequest, oauthRequest } from '../support/clients.ts'
import { readFeed } from '../support/feed.ts'
import { signerOf } from '../support/signer.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { proof } from '../wire/signing.ts'
import { type Pair, startPair } from './pair.ts'

/** `WRIT_TEST_TRIALS=200` for the figure; here enough to see that there is none. */
const TRIALS = Number(process.env.WRIT_TEST_TRIALS ?? 40)
const MAX_SILENCE_SECONDS = 3

let pair: Pair
let world: World
let sender: Sender
/** On another database of the same server, so that nothing that is done to ours is done to it. */
let operator: pg.Client
let database: string
beforeAll(async () => {
  pair = await startPair()
  world = await createWorld(pair)
  sender = keepAliveSender(64)
  operator = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL })
  await operator.connect()
  database = new URL(pair.folder.settings.DATABASE_URL ?? '').pathname.slice(1)
})
const open: ResourceServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) server.close()
  await operator.query(`ALTER DATABASE "${database}" ALLOW_CONNECTIONS true`)
})
afterAll(async () => {
  sender?.close()
  await operator?.end()
  await pair?.close()
  await endAll()
})

function follow(by: World, onLoss: 'refuse' | 'introspect' = 'refuse'): ResourceServer {
  const server = createResourceServer({
    ...{ issuer: pair.issuer, resource: by.identifier, origin: by.identifier, replay: createMemoryReplayStore() },
    revocations: {
      ...{ clientId: by.resource.id, key: signerOf(by.resource.key), timeoutSeconds: 2 },
      ...{ maxSilenceSeconds: MAX_SILENCE_SECONDS, onLoss },
    },
  })
  open.push(server)
  return server
}
const isFollowing = (server: ResourceServer, is = true) =>
  expect.poll(() => server.isFollowing(), { timeout: 20_000, interval: 20 }).toBe(is)
const exchangeAt = (member: 0 | 1, by: World) =>
  sender.send(pair.members[member].port, exchangeRequest(pair.issuer, by.agent, by.wish))
const introspectAt = (member: 0 | 1, by: World, token: string) =>
  sender.send(pair.members[member].port, oauthRequest(pair.issuer, '/introspect', by.resource, { token }, {}, false))
const newToken = async (by: World): Promise<string> => {
  const { status, text, body } = await exchangeAt(0, by)
  if (status !== 200) throw new Error(text)
  return body.access_token
}
async function call(server: ResourceServer, by: World, token: string): Promise<string> {
  const htu = `${by.identifier}/send`
  const dpop = proof(by.agent.key, { method: 'POST', htu, now: new Date(), accessToken: token })
  const rawHeaders = ['Authorization', `DPoP ${token}`, 'DPoP', dpop]
  try {
    const outcome = await server.authorize({ method: 'POST', url: '/send', rawHeaders }, by.action as JsonObject)
    return isRefusal(outcome) ? outcome.code : 'authorized'
  } catch (error) {
    return (error as Error).name
  }
}
const ok = async (answer: ReturnType<World['api']['call']>) => {
  const { status, text } = await answer
  if (status > 299) throw new Error(text)
}
const percentile = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0

test(`${TRIALS} trials: when the last success is seen after an administrator's stop was answered`, async () => {
  const server = follow(world)
  await isFollowing(server)
  // Milliseconds after the answer at which the last success was seen; below zero: before it.
  const last = { exchange: [] as number[], introspection: [] as number[], follower: [] as number[] }
  for (let trial = 0; trial < TRIALS; trial++) {
    // Made before the stop: some are introspected, some are used at the offline verifier, each once.
    const tokens = await Promise.all(Array.from({ length: 120 }, () => newToken(world)))
    const observed = { exchange: 0, introspection: 0, follower: 0 }
    let isOver = false
    const watch = async (name: keyof typeof observed, attempt: (n: number) => Promise<boolean>) => {
      for (let n = 0; !isOver; n++) {
        const startedAt = performance.now()
        // A success counts from the moment it was asked for: what was under way when it was stopped was not after it.
        if (await attempt(n)) observed[name] = startedAt
        await sleep(3)
      }
    }
    const member = (trial % 2 === 0 ? 1 : 0) as 0 | 1
    const known = tokens.pop() ?? ''
    const watching = [
      watch('exchange', async () => (await exchangeAt(member, world)).status === 200),
      watch('introspection', async () => (await introspectAt(member, world, known)).body.active === true),
      watch('follower', async () => {
        const token = tokens.pop()
        if (token === undefined) throw new Error('not enough tokens')
        const outcome = await call(server, world, token)
        if (outcome === 'token_inactive') isOver ||= performance.now() > stoppedAt + 150
        return outcome === 'authorized'
      }),
    ]
    let stoppedAt = Number.POSITIVE_INFINITY
    await sleep(15)
    await ok(world.api.call('POST', `/admin/agents/${world.agent.id}/suspend`, {}))
    stoppedAt = performance.now()
    await Promise.all(watching)
    for (const name of ['exchange', 'introspection', 'follower'] as const) last[name].push(observed[name] - stoppedAt)
    await ok(world.api.call('POST', `/admin/agents/${world.agent.id}/resume`, {}))
    await expect.poll(async () => call(server, world, await newToken(world)), { interval: 10 }).toBe('authorized')
  }
  for (const [name, values] of Object.entries(last)) {
    const after = values.filter((value) => value > 0)
    const [p50, p99] = [percentile(after, 0.5), percentile(after, 0.99)].map((value) => value.toFixed(1))
    console.log(
      `${name}: ${after.length} of ${TRIALS} trials saw a success after the answer; of those p50 ${p50} ms, p99 ${p99} ms`,
    )
  }
  // The exchange and introspection have none; the offline verifier learns of it within a moment.
  expect(last.exchange.filter((value) => value > 0)).toEqual([])
  expect(last.introspection.filter((value) => value > 0)).toEqual([])
  expect(Math.max(...last.follower)).toBeLessThan(2_000)
}, 240_000)

test('events come in the order of commits, whoever commits: nobody who reads by number misses one', async () => {
  // What is committed out of the order in which it was begun, again and again, while somebody follows.
  const worlds = await Promise.all(Array.from({ length: 12 }, () => createWorld(pair)))
  const feed = await readFeed(pair.issuer, world.resource, { port: pair.members[1].port })
  await feed.until(({ type }) => type.endsWith('/verification'))
  const begin = feed.events.length
  const clients = await Promise.all(
    worlds.map(async () => {
      const client = new pg.Client({ connectionString: pair.folder.settings.DATABASE_URL })
      await client.connect()
      return client
    }),
  )
  const changes = 15
  await Promise.all(
    clients.map(async (client, n) => {
      for (let i = 0; i < changes; i++) {
        await client.query('BEGIN')
        const status = i % 2 === 0 ? 'suspended' : 'active'
        await client.query(`UPDATE agent SET status = $2::status WHERE id = $1`, [worlds[n]?.agent.id, status])
        await sleep((n * 7 + i * 13) % 25)
        await client.query('COMMIT')
      }
    }),
  )
  const { rows } = await pair.client.query(
    'SELECT id, subject, is_lifted FROM revocation_event ORDER BY id DESC LIMIT $1',
    [worlds.length * changes],
  )
  const stored = rows.reverse().map(({ subject, is_lifted }) => `${subject} ${is_lifted}`)
  await expect
    .poll(() => feed.events.slice(begin).filter(({ type }) => type.includes('/risc/')).length, { timeout: 10_000 })
    .toBe(stored.length)
  const told = feed.events
    .slice(begin)
    .filter(({ type }) => type.includes('/risc/'))
    .map(({ claims, type }) => `${claims.sub_id?.sub} ${type.endsWith('enabled')}`)
  expect(told).toEqual(stored)
  feed.close()
  await Promise.all(clients.map((client) => client.end()))
})

describe('what the follower does', () => {
  test('when the server is killed: as it was told to, and it goes on when a server is there again', async () => {
    const own = await createWorld(pair)
    const [refusing, asking] = [follow(own), follow(own, 'introspect')]
    await Promise.all([isFollowing(refusing), isFollowing(asking)])
    const tokens = [await newToken(own), await newToken(own)]
    const stopped = await newToken(own)
    const { port, process } = pair.members[0]
    await process.end('SIGKILL')
    await Promise.all([isFollowing(refusing, false), isFollowing(asking, false)])
    expect(await call(refusing, own, tokens[0] ?? '')).toBe('revocations_unknown')
    expect(await call(asking, own, tokens[0] ?? '')).toBe('IssuerUnavailableError')
    // Stopped meanwhile, past the server that is gone.
    await pair.client.query(
      `INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ($1, now() + interval '1 hour', 'x')`,
      [claimsOf(stopped).jti],
    )
    await startProcess({ ...pair.folder.settings, WRIT_PORT: String(port) })
    await Promise.all([isFollowing(refusing), isFollowing(asking)])
    expect(await call(refusing, own, stopped)).toBe('token_inactive')
    expect(await call(refusing, own, tokens[0] ?? '')).toBe('authorized')
    expect(await call(asking, own, tokens[1] ?? '')).toBe('authorized')
  }, 60_000)

  test('when the database is gone: the server says nothing that it does not know, so the follower is as if it was not heard', async () => {
    const own = await createWorld(pair)
    const [refusing, asking] = [follow(own), follow(own, 'introspect')]
    await Promise.all([isFollowing(refusing), isFollowing(asking)])
    const tokens = [await newToken(own), await newToken(own)]
    await operator.query(`ALTER DATABASE "${database}" ALLOW_CONNECTIONS false`)
    await operator.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'writ'`,
      [database],
    )
    await Promise.all([isFollowing(refusing, false), isFollowing(asking, false)])
    expect(await call(refusing, own, tokens[0] ?? '')).toBe('revocations_unknown')
    expect(await call(asking, own, tokens[0] ?? '')).toBe('IssuerUnavailableError')
    await operator.query(`ALTER DATABASE "${database}" ALLOW_CONNECTIONS true`)
    await Promise.all([isFollowing(refusing), isFollowing(asking)])
    expect(await call(refusing, own, tokens[0] ?? '')).toBe('authorized')
    expect(await call(asking, own, tokens[1] ?? '')).toBe('authorized')
  }, 60_000)
})
