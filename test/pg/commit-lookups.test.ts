import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll, keepAliveSender, type Sender } from '../process/server-process.ts'
import { exchangeRequest, oauthRequest } from '../support/clients.ts'
import { createWorld, type World } from '../support/world.ts'
import { type Pair, startPair } from './pair.ts'

const TABLES = [
  'agent',
  'delegation',
  'key',
  'principal',
  'record',
  'replay_mark',
  'resource',
  'action_type',
  'revoked_token',
  'token_use',
]

let pair: Pair
let world: World
let sender: Sender
beforeAll(async () => {
  pair = await startPair()
  world = await createWorld(pair)
  sender = keepAliveSender(20)
})
afterAll(async () => {
  sender?.close()
  await pair?.close()
  await endAll()
})

/** Rows that were read by reading whole tables, since this database was made. */
const readByScans = async () => {
  const { rows } = await pair.client.query(
    'SELECT coalesce(sum(seq_tup_read), 0)::int AS rows FROM pg_stat_user_tables WHERE relname = ANY($1)',
    [TABLES],
  )
  return rows[0].rows as number
}
/** Rows of uses that were read by their index, a whole one or a single key. */
const usesRead = async () => {
  const { rows } = await pair.client.query(
    "SELECT coalesce(sum(idx_tup_read), 0)::int AS rows FROM pg_stat_user_indexes WHERE relname = 'token_use'",
  )
  return rows[0].rows as number
}
const callsOf = async (name: string) => {
  const { rows } = await pair.client.query(
    'SELECT coalesce(sum(calls), 0)::int AS calls FROM pg_stat_user_functions WHERE funcname = $1',
    [name],
  )
  return rows[0].calls as number
}
const exchanges = async (count: number) => {
  const requests = Array.from({ length: count }, () => exchangeRequest(pair.issuer, world.agent, world.wish))
  const answers = await Promise.all(requests.map((request) => sender.send(pair.members[0].port, request)))
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
}
/** What each connection counted reaches the statistics when it has been idle for a moment. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 1_500))

test('plans made on small tables do not read whole ones when they have grown', async () => {
  await exchanges(200) // the plans are made and kept
  await settled()
  await pair.client.query(
    `INSERT INTO "replay_mark" ("key", "request_id", "expires_at")
     SELECT decode(md5(n::text) || md5((-n)::text), 'hex'), gen_random_uuid(), now() + interval '1 hour' FROM generate_series(1, 20000) n`,
  )
  await settled()
  const before = await readByScans()
  await exchanges(200)
  await settled()
  // One exchange that reads the marks once would have read 20,000. Housekeeping may read the small tables meanwhile.
  expect((await readByScans()) - before).toBeLessThan(20_000)
}, 60_000)

test('nor do those by which tokens are introspected and consumed', async () => {
  const tokens = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const answer = await sender.send(pair.members[0].port, exchangeRequest(pair.issuer, world.agent, world.wish))
      return JSON.parse(answer.text).access_token as string
    }),
  )
  const ask = async (token: string, parameters: object = {}) => {
    const request = oauthRequest(pair.issuer, '/introspect', world.resource, { token, ...parameters }, {}, false)
    const answer = await sender.send(pair.members[0].port, request)
    expect(JSON.parse(answer.text).active).toBe(true)
  }
  // Of an empty table that was looked at it is known that reading all of it is nothing.
  await pair.client.query('ANALYZE')
  // One after the other, so that each connection has asked often enough to keep its plan.
  for (const token of tokens.slice(0, 40)) await ask(token)
  for (const token of tokens.slice(0, 20)) await ask(token, { consume: 'true' })
  await settled()
  await pair.client.query(
    `INSERT INTO "record" ("id", "kind", "decision", "jti")
     SELECT gen_random_uuid(), 'action_token', 'issued', 'many-' || n FROM generate_series(1, 20000) n`,
  )
  await pair.client.query(
    `INSERT INTO "revoked_token" ("jti", "expires_at", "revoked_by")
     SELECT 'many-' || n, now() + interval '1 hour', 'nobody' FROM generate_series(1, 20000) n`,
  )
  await pair.client.query(
    `INSERT INTO "token_use" ("jti", "consumed_by", "consumed_at", "forget_at")
     SELECT 'many-' || n, 'nobody', now(), now() + interval '1 hour' FROM generate_series(1, 20000) n`,
  )
  await settled()
  const before = await readByScans()
  const usesBefore = await usesRead()
  for (const token of tokens.slice(20, 40)) await ask(token)
  for (const token of tokens.slice(20, 40)) await ask(token, { consume: 'true' })
  await settled()
  expect((await usesRead()) - usesBefore).toBeLessThan(20_000)
  expect((await readByScans()) - before).toBeLessThan(20_000)
}, 60_000)

test('an exchange that was not asked for with an action token looks for none', async () => {
  const { rows } = await pair.client.query('SELECT current_database() AS name')
  await pair.client.query(`ALTER DATABASE "${rows[0].name}" SET track_functions = 'all'`)
  // The setting is for connections from now on; both processes open new ones for those that they lose.
  await pair.client.query(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
  )
  await settled()
  await exchanges(20)
  await settled()
  // An idle connection may keep its counts to itself for ten seconds.
  await expect.poll(() => callsOf('writ_commit'), { timeout: 30_000 }).toBeGreaterThan(0)
  expect(await callsOf('writ_live_token')).toBe(0)
}, 60_000)
