import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isDatabaseUnavailable } from '../../src/adapters/prisma/database-errors.ts'
import { type GroupCommit, groupCommit } from '../../src/adapters/prisma/group-commit.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import type { CommitOutcome } from '../../src/ports.ts'
import { openTestDatabase } from '../support/database.ts'
import { type Change, insertDelegation, issued, newMark, refused, type Seed, seed } from './seed.ts'

let database: Database
/** Two processes on one database. */
let stores: readonly [GroupCommit, GroupCommit]
let story: Seed
beforeAll(async () => {
  database = await openTestDatabase()
  const open = () => groupCommit(database.query, 3, isDatabaseUnavailable)
  stores = [open(), open()]
  story = await seed(database.query)
})
afterAll(() => database.close())

const commit = (...args: Parameters<typeof issued>) => stores[0].commit(issued(...args))
const recordOf = async (id: string) =>
  (await database.query<Record<string, unknown>>('SELECT * FROM record WHERE id = $1', [id]))[0]
const committed = (outcome: CommitOutcome) => outcome.outcome === 'committed'
const codeOf = (outcome: CommitOutcome) => (outcome.outcome === 'refused' ? outcome.code : outcome.outcome)

describe('replay marks', () => {
  test('fifty copies of one proof in one flush have one winner', async () => {
    const mark = newMark('proof')
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => commit(story, { marks: [mark] })))
    expect(outcomes.filter(committed)).toHaveLength(1)
    expect(new Set(outcomes.filter((outcome) => !committed(outcome)).map(codeOf))).toEqual(new Set(['proof_replayed']))
  })

  test('a hundred copies spread over two processes and several flushes have one winner', async () => {
    const mark = newMark('assertion')
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) => stores[n % 2 === 0 ? 0 : 1].commit(issued(story, { marks: [mark] }))),
    )
    expect(outcomes.filter(committed)).toHaveLength(1)
    expect(outcomes.filter((outcome) => codeOf(outcome) === 'assertion_replayed')).toHaveLength(99)
  })

  test('a copy that comes later is refused, whatever it asks for', async () => {
    const mark = newMark('proof')
    expect(codeOf(await commit(story, { marks: [mark] }))).toBe('committed')
    const none = { attemptId: randomUUID(), marks: [mark], decision: 'none' } as const
    expect(codeOf(await stores[1].commit(none))).toBe('proof_replayed')
    expect(codeOf(await commit(story, { marks: [newMark('assertion'), mark] }))).toBe('proof_replayed')
  })

  test('when both were used before, the assertion is what is wrong', async () => {
    const marks = [newMark('proof'), newMark('assertion')]
    await commit(story, { marks })
    expect(codeOf(await commit(story, { marks }))).toBe('assertion_replayed')
  })

  test('a loser of one mark does not keep its other mark from being written: it is used up all the same', async () => {
    const [proof, assertion] = [newMark('proof'), newMark('assertion')]
    await commit(story, { marks: [assertion] })
    expect(codeOf(await commit(story, { marks: [assertion, proof] }))).toBe('assertion_replayed')
    expect(codeOf(await commit(story, { marks: [proof] }))).toBe('proof_replayed')
  })

  test('a refusal uses up its marks', async () => {
    const mark = newMark('proof')
    expect(codeOf(await stores[0].commit(refused(story.agent, { marks: [mark] })))).toBe('committed')
    expect(codeOf(await commit(story, { marks: [mark] }))).toBe('proof_replayed')
  })
})

describe('what is committed', () => {
  test('is one record with every member, stamped by the database', async () => {
    const entry = issued(story)
    expect(await stores[0].commit(entry)).toEqual({ outcome: 'committed', isStored: false })
    const { record } = entry
    expect(await recordOf(record.id)).toMatchObject({
      kind: 'action_token',
      decision: 'issued',
      refusal: null,
      client: story.agent,
      agent: story.agent,
      principal: story.principal,
      delegation: story.delegation,
      resource: story.resource.identifier,
      action_type: story.type,
      action_type_version: 1,
      action: record.action,
      action_digest: 'digest',
      claims_digest: 'claims',
      jti: record.jti,
      jkt: story.key.jkt,
      txn: 'txn',
      because: ['bound 0'],
      token_issued_at: new Date((record.tokenIssuedAt ?? 0) * 1_000),
      token_expires_at: new Date((record.tokenExpiresAt ?? 0) * 1_000),
      request_id: 'request',
      at: expect.any(Date),
    })
  })

  test('more entries than one flush takes are all answered, each by its own row', async () => {
    const entries = Array.from({ length: 300 }, (_, n) =>
      issued(story, n % 3 === 0 ? { decidedOn: { resourceId: 'nowhere' } } : {}),
    )
    const outcomes = await Promise.all(entries.map((entry) => stores[0].commit(entry)))
    expect(outcomes.map(codeOf)).toEqual(entries.map((_, n) => (n % 3 === 0 ? 'resource_unknown' : 'committed')))
    const rows = await database.query('SELECT 1 FROM record WHERE jti = ANY($1)', [
      entries.map(({ record }) => record.jti ?? ''),
    ])
    expect(rows).toHaveLength(200)
  })

  test('a refusal that is decided at the commit holds neither the token nor its claims', async () => {
    const own = await seed(database.query)
    const entry = issued(own, { decidedOn: { resourceId: 'nowhere' } })
    await stores[0].commit(entry)
    expect(await recordOf(entry.record.id)).toMatchObject({
      decision: 'refused',
      refusal: 'resource_unknown',
      agent: own.agent,
      action: entry.record.action,
      jti: null,
      claims_digest: null,
      txn: null,
      token_issued_at: null,
      token_expires_at: null,
    })
  })
})

/** Each takes something away from a story of its own, or names what is not there. */
const INACTIVE: readonly {
  readonly name: string
  readonly code: string
  readonly sql?: string
  readonly id?: (story: Seed) => string
  readonly change?: Change
}[] = [
  {
    name: 'a suspended agent',
    code: 'client_inactive',
    sql: `UPDATE agent SET status = 'suspended' WHERE id = $1`,
    id: (s) => s.agent,
  },
  {
    name: 'a retired agent',
    code: 'client_inactive',
    sql: `UPDATE agent SET status = 'retired' WHERE id = $1`,
    id: (s) => s.agent,
  },
  { name: 'an unknown client', code: 'client_inactive', change: { record: { client: 'nobody' } } },
  {
    name: 'an unknown agent in the chain',
    code: 'actor_inactive',
    change: { decidedOn: { actors: [{ id: 'nobody', version: 1 }] } },
  },
  { name: 'no agent in the chain', code: 'actor_inactive', change: { decidedOn: { actors: [] } } },
  {
    name: 'a retired key',
    code: 'assertion_invalid',
    sql: `UPDATE key SET status = 'retired' WHERE kid = $1`,
    id: (s) => s.key.jkt,
  },
  {
    name: 'a key that expires now',
    code: 'assertion_invalid',
    sql: 'UPDATE key SET expires_at = now() WHERE kid = $1',
    id: (s) => s.key.jkt,
  },
  { name: 'an unknown assertion key', code: 'assertion_invalid', change: { decidedOn: { assertionKid: 'unknown' } } },
  { name: 'an unknown proof key', code: 'proof_key_mismatch', change: { record: { jkt: 'unknown' } } },
  {
    name: 'a suspended principal',
    code: 'principal_inactive',
    sql: `UPDATE principal SET status = 'suspended' WHERE id = $1`,
    id: (s) => s.principal,
  },
  { name: 'an unknown principal', code: 'principal_inactive', change: { record: { principal: 'nobody' } } },
  {
    name: 'a revoked delegation',
    code: 'delegation_inactive',
    sql: `UPDATE delegation SET status = 'revoked' WHERE id = $1`,
    id: (s) => s.delegation,
  },
  {
    name: 'an expired delegation',
    code: 'delegation_inactive',
    sql: 'UPDATE delegation SET expires_at = now() WHERE id = $1',
    id: (s) => s.delegation,
  },
  {
    name: 'a delegation of tomorrow',
    code: 'delegation_inactive',
    sql: `UPDATE delegation SET not_before = now() + interval '1 day' WHERE id = $1`,
    id: (s) => s.delegation,
  },
  {
    name: 'a revoked parent',
    code: 'delegation_inactive',
    sql: `UPDATE delegation SET status = 'revoked' WHERE id = $1`,
    id: (s) => s.parent,
  },
  {
    name: 'an expired parent',
    code: 'delegation_inactive',
    sql: 'UPDATE delegation SET expires_at = now() WHERE id = $1',
    id: (s) => s.parent,
  },
  {
    name: 'a parent of tomorrow',
    code: 'delegation_inactive',
    sql: `UPDATE delegation SET not_before = now() + interval '1 day' WHERE id = $1`,
    id: (s) => s.parent,
  },
  { name: 'an unknown delegation', code: 'delegation_inactive', change: { decidedOn: { lineage: ['nothing'] } } },
  { name: 'no lineage at all', code: 'delegation_inactive', change: { decidedOn: { lineage: [] } } },
  {
    name: 'a suspended resource',
    code: 'resource_unknown',
    sql: `UPDATE resource SET status = 'suspended' WHERE id = $1`,
    id: (s) => s.resource.id,
  },
  {
    name: 'a retired resource',
    code: 'resource_unknown',
    sql: `UPDATE resource SET status = 'retired' WHERE id = $1`,
    id: (s) => s.resource.id,
  },
  { name: 'an unknown resource', code: 'resource_unknown', change: { decidedOn: { resourceId: 'nowhere' } } },
  {
    name: 'a suspended action type',
    code: 'action_type_inactive',
    sql: `UPDATE action_type SET status = 'suspended' WHERE type = $1`,
    id: (s) => s.type,
  },
  { name: 'an unknown action type', code: 'action_type_inactive', change: { record: { actionType: 'nothing' } } },
]

describe('a refusal that says on what it was decided', () => {
  const refusedOn = (from: Seed, change: Change = {}) => {
    const { attemptId, marks, record, decidedOn } = issued(from, change)
    const { jti, txn, claimsDigest, tokenIssuedAt, tokenExpiresAt, ...about } = record
    return {
      attemptId,
      marks,
      decision: 'refused',
      record: { ...about, refusal: 'action_not_permitted' },
      decidedOn,
    } as const
  }

  test('is recorded while that is so', async () => {
    const own = await seed(database.query)
    const entry = refusedOn(own)
    expect(await stores[0].commit(entry)).toEqual({ outcome: 'committed', isStored: true })
    expect(await recordOf(entry.record.id)).toMatchObject({
      decision: 'refused',
      refusal: 'action_not_permitted',
      jti: null,
    })
  })

  test('is recorded where limits stand that it knows nothing of: nothing is counted', async () => {
    const own = await seed(database.query)
    await database.query(`UPDATE delegation SET limits = '{"max_uses": 1}' WHERE id = $1`, [own.delegation])
    expect(codeOf(await stores[0].commit(refusedOn(own)))).toBe('committed')
  })

  test.each([
    ...INACTIVE,
    { name: 'another version of the resource', change: { decidedOn: { resourceVersion: 2 } } },
    { name: 'another version of the action type', change: { record: { actionTypeVersion: 2 } } },
    { name: 'another version of an agent', change: { decidedOn: { actors: [{ id: '', version: 2 }] } } },
  ] as readonly Partial<(typeof INACTIVE)[number]>[])(
    'is decided again with $name, and used its marks up',
    async ({ sql, id, change }) => {
      const own = await seed(database.query)
      if (sql !== undefined && id !== undefined) await database.query(sql, [id(own)])
      const isOfAgent = change?.decidedOn?.actors?.[0]?.id === ''
      const entry = refusedOn(own, isOfAgent ? { decidedOn: { actors: [{ id: own.agent, version: 2 }] } } : change)
      expect(await stores[0].commit(entry)).toEqual({ outcome: 'stale' })
      expect(await recordOf(entry.record.id)).toBeUndefined()
      expect(codeOf(await commit(own, { marks: entry.marks }))).toBe('assertion_replayed')
    },
  )

  test('is a replay before anything else', async () => {
    const own = await seed(database.query)
    const marks = [newMark('proof')]
    await commit(own, { marks })
    expect(codeOf(await stores[0].commit(refusedOn(own, { marks, decidedOn: { resourceId: 'nowhere' } })))).toBe(
      'proof_replayed',
    )
  })
})

describe('what the issuance stands on, at the moment of the commit', () => {
  test.each(INACTIVE)('$name -> $code', async ({ code, sql, id, change }) => {
    const own = await seed(database.query)
    expect(codeOf(await commit(own))).toBe('committed')
    if (sql !== undefined && id !== undefined) await database.query(sql, [id(own)])
    const entry = issued(own, change)
    expect(codeOf(await stores[0].commit(entry))).toBe(code)
    expect(await database.query('SELECT 1 FROM record WHERE jti = $1', [entry.record.jti])).toEqual([])
  })

  test('a key of another agent is none of this agent', async () => {
    const other = await seed(database.query)
    expect(codeOf(await commit(story, { decidedOn: { assertionKid: other.key.jkt } }))).toBe('assertion_invalid')
    expect(codeOf(await commit(story, { record: { jkt: other.key.jkt } }))).toBe('proof_key_mismatch')
  })

  test.each([
    {
      name: 'the resource',
      table: 'resource',
      column: 'id',
      of: (s: Seed) => s.resource.id,
      change: { decidedOn: { resourceVersion: 2 } },
    },
    {
      name: 'the action type',
      table: 'action_type',
      column: 'type',
      of: (s: Seed) => s.type,
      change: { record: { actionTypeVersion: 2 } },
    },
  ])('$name in a newer version -> stale: nothing recorded, and the same attempt may commit again', async (row) => {
    const own = await seed(database.query)
    await database.query(`UPDATE ${row.table} SET version = 2 WHERE ${row.column} = $1`, [row.of(own)])
    const entry = issued(own)
    expect(await stores[0].commit(entry)).toEqual({ outcome: 'stale' })
    expect(await recordOf(entry.record.id)).toBeUndefined()
    expect(await database.query('SELECT 1 FROM refusal_tally WHERE client = $1', [own.agent])).toEqual([])

    // Its marks are kept: a copy is a replay, the attempt itself is not.
    const copy = issued(own, { marks: entry.marks, ...row.change })
    expect(codeOf(await stores[1].commit(copy))).toBe('assertion_replayed')
    const again = issued(own, { ...row.change, attemptId: entry.attemptId, marks: entry.marks })
    expect(codeOf(await stores[1].commit(again))).toBe('committed')
  })

  test('a version that is not told is never ok', async () => {
    const entry = issued(story)
    const { actionTypeVersion: _, ...record } = entry.record
    const outcome = await stores[0].commit({ ...entry, record }).catch(() => ({ outcome: 'stale' as const }))
    expect(outcome.outcome).not.toBe('committed')
  })
})

describe('refusals', () => {
  const tallies = (client: string) =>
    database.query(
      'SELECT code, sum(count)::int AS count FROM refusal_tally WHERE client = $1 GROUP BY code ORDER BY code',
      [client],
    )

  test('only the first of an hour are stored, all are counted: within one flush and over several', async () => {
    const own = await seed(database.query)
    const first = await Promise.all(Array.from({ length: 5 }, () => stores[0].commit(refused(own.agent))))
    expect(
      first.map((outcome) => committed(outcome) && 'isStored' in outcome && outcome.isStored).filter(Boolean),
    ).toHaveLength(3)
    expect(await stores[1].commit(refused(own.agent))).toEqual({ outcome: 'committed', isStored: false })
    expect(await tallies(own.agent)).toEqual([{ code: 'action_not_permitted', count: 6 }])
    expect(await database.query('SELECT 1 FROM record WHERE client = $1', [own.agent])).toHaveLength(3)
  })

  test('each code of each client has its own count', async () => {
    const own = await seed(database.query)
    await stores[0].commit(refused(own.agent))
    const mark = newMark('proof')
    await stores[0].commit(issued(own, { marks: [mark] }))
    await stores[0].commit(issued(own, { marks: [mark] }))
    expect(await tallies(own.agent)).toEqual([
      { code: 'action_not_permitted', count: 1 },
      { code: 'proof_replayed', count: 1 },
    ])
  })

  test('a refusal that turns out to be a replay is recorded as the replay, without the words of the other', async () => {
    const own = await seed(database.query)
    const mark = newMark('proof')
    await stores[0].commit(refused(own.agent, { marks: [mark] }))
    const entry = refused(own.agent, { marks: [mark] })
    expect(await stores[0].commit(entry)).toEqual({ outcome: 'refused', code: 'proof_replayed', isStored: true })
    expect(await recordOf(entry.record.id)).toMatchObject({
      decision: 'refused',
      refusal: 'proof_replayed',
      detail: null,
    })
  })

  test('an issuance above the cap of refusals is recorded all the same', async () => {
    const own = await seed(database.query)
    await Promise.all(Array.from({ length: 5 }, () => stores[0].commit(refused(own.agent))))
    const entry = issued(own)
    expect(codeOf(await stores[0].commit(entry))).toBe('committed')
    expect(await recordOf(entry.record.id)).toMatchObject({ decision: 'issued' })
  })
})

describe('a row that the database rejects', () => {
  test.each([
    { name: 'a jti that is taken', poison: async () => ({ jti: await takenJti() }) },
    { name: 'U+0000 in a text', poison: async () => ({ detail: 'a\u0000b' }) },
    { name: 'an id that is no UUID', poison: async () => ({ id: 'no uuid' }) },
  ])('$name refuses only its own caller, and what it presented is used up', async ({ poison }) => {
    const record = await poison()
    const marks = [newMark('proof')]
    const bad = issued(story, { record, marks })
    const good = Array.from({ length: 10 }, () => issued(story))
    const [fault, ...outcomes] = await Promise.all([
      stores[0].commit(bad).then(
        () => 'committed',
        () => 'fault',
      ),
      ...good.map((entry) => stores[0].commit(entry)),
    ])
    expect(fault).toBe('fault')
    expect(outcomes.map((outcome) => codeOf(outcome as CommitOutcome))).toEqual(good.map(() => 'committed'))
    const stored = await database.query('SELECT 1 FROM record WHERE id = ANY($1::uuid[])', [
      good.map((entry) => entry.record.id),
    ])
    expect(stored).toHaveLength(10)
    // Marks are written whatever becomes of the rest.
    expect(codeOf(await commit(story, { marks }))).toBe('proof_replayed')
  })

  const takenJti = async () => {
    const entry = issued(story)
    await stores[0].commit(entry)
    return entry.record.jti ?? ''
  }
})

describe('the account', () => {
  test.each(['UPDATE record SET detail = NULL', 'DELETE FROM record', 'TRUNCATE record', 'TRUNCATE record CASCADE'])(
    '%s is refused',
    async (statement) => {
      await commit(story)
      await expect(database.query(statement)).rejects.toThrow(/record is append-only/)
    },
  )

  test.each(['DELETE FROM identity', 'DELETE FROM key'])(
    '%s is refused: an id and a key are never used again',
    (statement) => expect(database.query(statement)).rejects.toThrow(/append-only|violates/),
  )
})

test('a lineage may name the same delegation for two entries of one flush', async () => {
  const own = await seed(database.query)
  const grandchild = `${own.delegation}-2`
  const lineage = [own.parent, own.delegation, grandchild]
  await insertDelegation(database.query, { id: grandchild, agent: own.agent, principal: own.principal, lineage })
  const outcomes = await Promise.all([commit(own), commit(own, { decidedOn: { lineage } })])
  expect(outcomes.map(codeOf)).toEqual(['committed', 'committed'])
})

test('drain waits for everything that was handed in', async () => {
  const store = groupCommit(database.query, 3, isDatabaseUnavailable)
  let answered = 0
  const all = Array.from({ length: 200 }, () => store.commit(issued(story)).then(() => (answered += 1)))
  await store.drain()
  expect(answered).toBe(200)
  await Promise.all(all)
  await store.drain()
})

test('when the database went away in the middle of a flush nothing is repeated, and everyone is told', async () => {
  let calls = 0
  const lost = Object.assign(new Error('Connection terminated'), { code: '57P01' })
  const store = groupCommit(
    () => {
      calls += 1
      return Promise.reject(lost)
    },
    3,
    isDatabaseUnavailable,
  )
  const errors = await Promise.all([1, 2, 3].map(() => store.commit(issued(story)).catch((error: unknown) => error)))
  expect(errors).toEqual([lost, lost, lost])
  expect(calls).toBe(1)
})
