import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { prune } from '../../src/adapters/prisma/prune.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld } from '../support/world.ts'
import { openPool } from './pool.ts'

/** Unit: ms. */
const DURATION = 15_000

let server: TestServer
let pool: pg.Pool
beforeAll(async () => {
  server = await startTestServer()
  pool = openPool(server.databaseUrl ?? '', 24)
})
afterAll(async () => {
  await pool?.end()
  await server?.close()
})

const some = (count: number) => Math.floor(Math.random() * count)
const nowSeconds = () => Math.floor(Date.now() / 1_000)

test('commits, uses, receipts, withdrawals and pruning at once: no deadlock, and counters are the sums of what they count', async () => {
  const world = await createWorld(server, { resource: { enforcement: 'consume' } })
  const { jti, aud } = claimsOf((await world.exchange()).body.access_token)
  const row = async (text: string, value: string) => (await pool.query(text, [value])).rows[0]
  const record = await row('SELECT * FROM record WHERE jti = $1', jti)
  const resource = await row('SELECT id, version FROM resource WHERE identifier = $1', aud)
  const agent = await row('SELECT version FROM agent WHERE id = $1', record.agent)
  const tally: Record<string, number> = {}
  const minted: string[] = []
  const any = () => minted[some(minted.length)] ?? 'none'

  /** Few counters and turns, in any order, so that everybody meets everybody. */
  const entry = (_: unknown, n: number) => ({
    ...{ n, decision: 'issued', kind: 'action_token', id: randomUUID(), request: randomUUID(), request_id: 'request' },
    ...{ client: record.client, agent: record.agent, principal: record.principal, delegation: record.delegation },
    ...{ resource: aud, resource_id: resource.id, resource_version: resource.version, jkt: record.jkt, txn: 'txn' },
    ...{ action_type: record.action_type, action_type_version: record.action_type_version, action: record.action },
    ...{
      action_digest: record.action_digest,
      claims_digest: record.claims_digest,
      assertion_kid: record.assertion_kid,
    },
    ...{ lineage: [record.delegation], actors: [record.agent], actor_versions: [agent.version], because: [0] },
    ...{ jti: randomBytes(12).toString('base64url'), token_issued_at: nowSeconds(), claims: '{}' },
    token_expires_at: nowSeconds() + 1 + some(3),
    charges: Array.from({ length: some(5) }, (_charge, k) => ({
      ...{ owner: `agent:${some(30)}-${k}`, rule: `{"r":${some(8)}}`, max: String(1 + some(2_000)), label: 'limit' },
      ...{ amount: (some(100) / 7).toFixed(3), until: nowSeconds() + 5, ...(some(2) && { seconds: 1 + some(3) }) },
    })),
    ...(some(2) && { turn_key: some(300).toString(16).padStart(64, '0'), turn_until: nowSeconds() + 3 + some(60) }),
  })
  const commit = async () => {
    const entries = Array.from({ length: 1 + some(40) }, entry)
    const marks = entries.map(({ n, request }) => ({
      ...{ n, request, kind: 'proof', key: randomBytes(32).toString('hex'), until: nowSeconds() + 60 },
      issued: nowSeconds(),
    }))
    const { rows } = await pool.query('SELECT n, outcome FROM writ_commit($1::jsonb, $2::jsonb, 10)', [
      JSON.stringify(entries),
      JSON.stringify(marks),
    ])
    for (const { n, outcome } of rows) {
      tally[outcome] = (tally[outcome] ?? 0) + 1
      if (outcome === 'ok') minted.push(entries[n]?.jti ?? '')
    }
    minted.splice(0, minted.length - 400)
  }
  const consume = () => pool.query('SELECT * FROM writ_consume($1, $2, $3)', [any(), resource.id, `use-${some(3)}`])
  const receipt = () =>
    pool.query('SELECT writ_receipt($1, $2, $3, $4, NULL, $5, $6)', [
      ...[any(), resource.id, aud, ['succeeded', 'failed', 'refused'][some(3)], randomUUID(), 'request'],
    ])
  const withdraw = async () => {
    const insert = `INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ($1, now(), 'x') ON CONFLICT DO NOTHING`
    await pool.query(insert, [any()])
    await sleep(50)
  }
  const pruneOnce = async () => {
    await prune(async (text, values) => (await pool.query(text, values as unknown[])).rows as never)
    await sleep(20)
  }

  const end = performance.now() + DURATION
  const keepOn = async (work: () => Promise<unknown>) => {
    while (performance.now() < end) await work()
  }
  const workers = [
    ...[...Array(8).fill(commit), ...Array(5).fill(consume), ...Array(5).fill(receipt)],
    ...[withdraw, pruneOnce, pruneOnce],
  ]
  await Promise.all(workers.map(keepOn))
  // A stress that never came to the places it is about proves nothing.
  expect(Object.keys(tally).sort()).toEqual(['limit_reached', 'ok', 'repeat', 'turn_over'])
  const { rows } = await pool.query(
    `SELECT c.owner, c.rule, c.used::text AS used FROM limit_counter c LEFT JOIN limit_use u ON u.counter_id = c.id
     GROUP BY c.id HAVING c.used <> coalesce(sum(u.amount), 0)`,
  )
  expect(rows).toEqual([])
}, 60_000)
