import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { endAll, keepAliveSender, type Sender } from '../process/server-process.ts'
import { type Answer, exchangeRequest, oauthRequest, send } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { type Load, startLoad } from './load.ts'
import { type Pair, startPair } from './pair.ts'

const MEMBERS = [0, 1] as const

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
let load: Load | undefined
afterEach(async () => {
  await operator.query(`ALTER DATABASE "${database}" ALLOW_CONNECTIONS true`)
  await load?.stop()
})
afterAll(async () => {
  sender?.close()
  await operator?.end()
  await pair?.close()
  await endAll()
})

/** Ends every connection of the servers, and leaves the test's own. */
const terminate = async () => {
  const { rows } = await operator.query(
    `SELECT count(pg_terminate_backend(pid))::int AS ended FROM pg_stat_activity
     WHERE datname = $1 AND application_name = 'writ'`,
    [database],
  )
  return rows[0].ended as number
}
const exchangeAt = (member: 0 | 1, of: World): Promise<Answer> =>
  sender.send(pair.members[member].port, exchangeRequest(pair.issuer, of.agent, of.wish))
const readAt = (member: 0 | 1, path: string) => send(`http://127.0.0.1:${pair.members[member].port}${path}`)
const kinds = ({ attempts }: Load) => new Set(attempts.map(({ status, error }) => `${status} ${error ?? ''}`.trim()))

/** Every token that was received stands in the account, as issued and with the digest of its claims. */
async function expectRecorded(tokens: readonly string[]): Promise<void> {
  const jtis = tokens.map((token) => claimsOf(token).jti as string)
  const own = new pg.Client({ connectionString: pair.folder.settings.DATABASE_URL })
  await own.connect()
  const { rows } = await own.query(
    `SELECT jti FROM record WHERE jti = ANY($1) AND decision = 'issued' AND claims_digest IS NOT NULL`,
    [jtis],
  )
  await own.end()
  expect(new Set(jtis).size).toBe(jtis.length)
  expect(rows).toHaveLength(jtis.length)
}

test('connections that the server ends during exchanges: a 503 or a token, never anything else, and no restart', async () => {
  load = startLoad(pair, world, sender, 8)
  let ended = 0
  for (let round = 0; round < 20; round += 1) {
    await load.answered(20)
    ended += await terminate()
  }
  await load.answered(50)
  await load.stop()
  expect(ended).toBeGreaterThan(20)
  const tokens = load.attempts.flatMap(({ token }) => token ?? [])
  const failed = load.attempts.length - tokens.length
  console.log(`${ended} connections ended: ${tokens.length} tokens, ${failed} answers 503, nothing else`)
  expect([...kinds(load)].filter((kind) => kind !== '200' && kind !== '503 temporarily_unavailable')).toEqual([])
  await expectRecorded(tokens)
  for (const member of MEMBERS) expect((await exchangeAt(member, world)).status).toBe(200)
})

test('a database that takes no connections: 503 with Retry-After at every door, nothing issued, and back without a restart', async () => {
  const before = await exchangeAt(0, world)
  load = startLoad(pair, world, sender)
  await load.answered(20)
  await operator.query(`ALTER DATABASE "${database}" ALLOW_CONNECTIONS false`)
  await terminate()
  // What was committed in the very moment may still be answered.
  await expect.poll(async () => (await exchangeAt(0, world)).status, { timeout: 10_000 }).toBe(503)
  await expect.poll(async () => (await exchangeAt(1, world)).status, { timeout: 10_000 }).toBe(503)

  for (const member of MEMBERS) {
    const answers = {
      exchange: await exchangeAt(member, world),
      introspection: await sender.send(
        pair.members[member].port,
        oauthRequest(pair.issuer, '/introspect', world.resource, { token: before.body.access_token }, {}, false),
      ),
      credentials: await sender.send(
        pair.members[member].port,
        oauthRequest(pair.issuer, '/token', pair.admin, { grant_type: 'client_credentials' }),
      ),
    }
    for (const [door, { status, headers, body }] of Object.entries(answers)) {
      expect({ door, status, error: body.error }).toEqual({ door, status: 503, error: 'temporarily_unavailable' })
      expect(headers['retry-after'], door).toMatch(/^[1-9]\d*$/)
      expect(headers['cache-control'], door).toBe('no-store')
    }
    expect((await readAt(member, '/healthz')).status).toBe(200)
    expect((await readAt(member, '/readyz')).status).toBe(503)
    // What needs no database goes on.
    expect((await readAt(member, '/jwks')).status).toBe(200)
  }
  const call = await world.api.call('GET', '/admin/agents')
  expect([call.status, call.headers['content-type']]).toEqual([
    503,
    expect.stringMatching(/^application\/problem\+json/),
  ])

  await operator.query(`ALTER DATABASE "${database}" ALLOW_CONNECTIONS true`)
  for (const member of MEMBERS) {
    await expect.poll(async () => (await exchangeAt(member, world)).status, { timeout: 10_000 }).toBe(200)
    expect((await readAt(member, '/readyz')).status).toBe(200)
  }
  await load.answered(20)
  await load.stop()
  expect([...kinds(load)].filter((kind) => kind !== '200' && kind !== '503 temporarily_unavailable')).toEqual([])
  await expectRecorded(load.attempts.flatMap(({ token }) => token ?? []))
})

test('a record that cannot be written: no token for that caller, and one for everyone else in the same flush', async () => {
  const unlucky = await createWorld(pair)
  await pair.client.query(`
    CREATE FUNCTION test_fault() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.agent = '${unlucky.agent.id}' THEN RAISE EXCEPTION 'a fault of the test, with a secret in it'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER test_fault BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION test_fault()`)
  const wanted = Array.from({ length: 120 }, (_, n) => (n % 4 === 0 ? unlucky : world))
  const requests = wanted.map((of) => exchangeRequest(pair.issuer, of.agent, of.wish))
  const answers = await Promise.all(
    requests.map((request, n) => sender.send(pair.members[n % 2 === 0 ? 0 : 1].port, request)),
  )
  await pair.client.query('DROP TRIGGER test_fault ON record; DROP FUNCTION test_fault()')

  for (const [n, { status, body, text }] of answers.entries()) {
    if (wanted[n] === world) expect(status).toBe(200)
    else {
      expect([status, body.error]).toEqual([500, 'server_error'])
      expect(text).not.toMatch(/secret|record|trigger|at .*\.js/)
    }
  }
  await expectRecorded(answers.flatMap(({ body }) => body.access_token ?? []))
  const { rows } = await pair.client.query('SELECT 1 FROM record WHERE agent = $1 AND jti IS NOT NULL', [
    unlucky.agent.id,
  ])
  expect(rows).toEqual([])
  // What it presented is used up all the same; a new request gets its token now.
  const again = requests[wanted.indexOf(unlucky)]
  expect(again && (await sender.send(pair.members[1].port, again)).status).toBe(401)
  expect((await exchangeAt(1, unlucky)).status).toBe(200)
})

test('a database that hangs: 503 in time, and back without a restart', async () => {
  await pair.client.query('BEGIN; LOCK TABLE record IN ACCESS EXCLUSIVE MODE')
  const start = performance.now()
  const answers = await Promise.all(MEMBERS.map((member) => exchangeAt(member, world)))
  const waited = performance.now() - start
  await pair.client.query('ROLLBACK')
  expect(answers.map(({ status, body }) => `${status} ${body.error}`)).toEqual(
    MEMBERS.map(() => '503 temporarily_unavailable'),
  )
  console.log(`a hanging database is answered for after ${Math.round(waited)} ms`)
  await sleep(50)
  for (const member of MEMBERS) expect((await exchangeAt(member, world)).status).toBe(200)
})
