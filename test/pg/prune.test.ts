import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { PRUNES, prune } from '../../src/adapters/prisma/prune.ts'
import { insertIdentity } from '../contract/seed.ts'
import { openTestDatabase } from '../support/database.ts'

/** Rows of each table, a tenth of them past their time: more than one batch. */
const ROWS = 30_000
const AT = `now() + CASE i % 10 WHEN 0 THEN interval '-30 hours' ELSE interval '1 hour' END + i * interval '1 ms'`
/** Where what is over is kept for a month. */
const A_MONTH = `CASE i % 10 WHEN 0 THEN interval '-30 days' ELSE interval '0' END`
const FILL: Readonly<Record<string, string>> = {
  replay_mark: `SELECT decode(md5(i::text), 'hex'), gen_random_uuid(), ${AT}`,
  revoked_token: `SELECT 'r-' || i, ${AT}, 'a'`,
  idempotency_key: `SELECT 'a', i::text, '', 200, NULL, NULL, ${AT}`,
  turn: `SELECT decode(md5(i::text), 'hex'), gen_random_uuid(), 't-' || i, NULL, NULL, NULL, false, ${AT}`,
  token_use: `SELECT 'u-' || i, 'a', now(), NULL, NULL, NULL, NULL, ${AT}`,
  key: `SELECT 'k-' || i, 'a', '{}', NULL, 'active', ${AT} + CASE i % 10 WHEN 0 THEN interval '-30 days' ELSE interval '0' END, now(), NULL, 'v'`,
  login: `SELECT 'log-' || i, decode(md5(i::text), 'hex'), 'p', 'link', NULL, NULL, now(), now(), ${AT} + ${A_MONTH}, NULL`,
  sign_in_link: `SELECT 'sil-' || i, 'p', decode(md5(i::text), 'hex'), 'a', now(), ${AT} + ${A_MONTH}, NULL, NULL`,
  notification: `SELECT 'n-' || i, 'ping', NULL, NULL, 0, now(), ${AT}, NULL, NULL, now(), 'a'`,
  oidc_model: `(model, id_hash, sealed, expires_at) SELECT 'Session', decode(md5(i::text), 'hex'), '', ${AT}`,
  // Answered: of what waits somebody would be told.
  approval: `(id, auth_req_id, delegation_id, principal_id, agent_id, jkt, resource, action, action_digest, action_type, action_type_version,
      needs, approvers, state, expires_at)
    SELECT 'apr-' || i, 'ap_' || i, 'd', 'p', 'a', '', '', '{}', '', 't', 1, '[]', '{p}', 'denied', ${AT} + ${A_MONTH}`,
  revocation_event: `SELECT 1000000 + i, ${AT}, 'token', i::text, NULL, false`,
  limit_counter: `SELECT 1000000 + i, 'agent:a', i::text, 0, ${AT}`,
  limit_use: `SELECT 'l-' || i, 1000000 + i, 1, NULL, NULL, ${AT}`,
}

let database: Database
beforeAll(async () => {
  database = await openTestDatabase()
  await insertIdentity(database.query, 'a', 'agent')
  await insertIdentity(database.query, 'p', 'principal')
  await database.query(`INSERT INTO principal (id, kind, name) VALUES ('p', 'person', 'Alice')`)
  for (const [table, select] of Object.entries(FILL)) {
    await database.query(`INSERT INTO ${table} ${select} FROM generate_series(1, ${ROWS}) i`)
    await database.query(`ANALYZE ${table}`)
  }
})
afterAll(() => database.close())

const past = async () => {
  const left: Record<string, number> = {}
  for (const table of Object.keys(FILL)) {
    const [row] = await database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)
    left[table] = ROWS - (row?.n ?? 0)
  }
  return left
}

describe('pruning on PostgreSQL', () => {
  const removals = PRUNES.filter(({ sql }) => sql.includes('DELETE'))

  test.each(removals)('$table: what is past its time is found by an index, oldest first', async ({ table, sql }) => {
    const lines = await database.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${sql}`)
    const plan = lines.map((line) => line['QUERY PLAN']).join('\n')
    expect(plan).toMatch(
      new RegExp(`Index Scan using ${table}_((expires_|created_|forget_)?at|instance_end)_idx on ${table}`),
    )
    expect(plan).toMatch(new RegExp(`Tid Scan on ${table}`))
    expect(plan).not.toMatch(/Seq Scan/)
  })

  test('rows that somebody is at are left to him and hold nobody up; then all of it goes, and nothing else', async () => {
    const expected = ROWS / 10
    await database.session(async ({ query }) => {
      await query('BEGIN')
      await query(`SELECT 1 FROM replay_mark WHERE expires_at < now() FOR UPDATE LIMIT 10`)
      await prune(database.query)
      await query('ROLLBACK')
    })
    expect((await past()).replay_mark).toBe(expected - 10)
    await Promise.all([prune(database.query), prune(database.query)])
    expect(await past()).toEqual(Object.fromEntries(Object.keys(FILL).map((table) => [table, expected])))
  })

  test('an instance that was stopped by itself stays: its key is not to be vouched for again', async () => {
    await database.query(`INSERT INTO key (kid, owner_id, jwk, label, status, expires_at, retired_at, vouched_by) VALUES
      ('voucher', 'a', '{}', NULL, 'retired', NULL, now() - interval '40 days', NULL),
      ('ended', 'a', '{}', NULL, 'active', now() - interval '31 days', NULL, 'voucher'),
      ('stopped with it', 'a', '{}', NULL, 'retired', now() - interval '31 days', now() - interval '40 days', 'voucher'),
      ('stopped', 'a', '{}', NULL, 'retired', now() - interval '31 days', now() - interval '41 days', 'voucher')`)
    await database.query(
      `UPDATE key k SET retired_at = v.retired_at FROM key v WHERE k.kid = 'stopped with it' AND v.kid = 'voucher'`,
    )
    await prune(database.query)
    const rows = await database.query(`SELECT kid FROM key WHERE owner_id = 'a' AND kid NOT LIKE 'k-%' ORDER BY kid`)
    expect(rows).toEqual([{ kid: 'stopped' }, { kid: 'voucher' }])
  })

  test('a table that is locked keeps no other from being pruned, and is told of', async () => {
    const add = (table: string) =>
      database.query(`INSERT INTO ${table} ${FILL[table]} FROM generate_series(100010, 100010) i`)
    await add('replay_mark')
    await add('revocation_event')
    const faults: unknown[] = []
    await database.session(async ({ query: hold }) => {
      await hold('BEGIN')
      await hold('LOCK TABLE replay_mark IN ACCESS EXCLUSIVE MODE')
      await database.session(async ({ query }) => {
        await query(`SET statement_timeout = '300ms'`)
        await prune(query, (error) => faults.push(error))
      })
      await hold('ROLLBACK')
    })
    expect(faults).toEqual([expect.objectContaining({ code: '57014' })])
    expect(await past()).toMatchObject({ replay_mark: ROWS / 10 - 1, revocation_event: ROWS / 10 })
  })
})
