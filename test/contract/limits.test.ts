import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isDatabaseUnavailable } from '../../src/adapters/prisma/database-errors.ts'
import { type GroupCommit, groupCommit } from '../../src/adapters/prisma/group-commit.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { type Charge, usesRule } from '../../src/core/delegation/charge.ts'
import type { CommitOutcome } from '../../src/ports.ts'
import { openTestDatabase } from '../support/database.ts'
import { type Change, issued, type Seed, seed } from './seed.ts'

let database: Database
/** Two processes on one database. */
let stores: readonly [GroupCommit, GroupCommit]
let story: Seed
beforeAll(async () => {
  database = await openTestDatabase()
  const open = () => groupCommit(database.query, 3, isDatabaseUnavailable)
  stores = [open(), open()]
})
beforeEach(async () => {
  story = await seed(database.query)
})
afterAll(() => database.close())

const codeOf = (outcome: CommitOutcome) => (outcome.outcome === 'refused' ? outcome.code : outcome.outcome)
const commit = async (change: Change = {}, store: 0 | 1 = 0) =>
  codeOf(await stores[store].commit(issued(story, change)))
const uses = (max: number, seconds?: number): Charge => ({
  owner: { kind: 'delegation', id: story.delegation },
  rule: usesRule(seconds),
  max: String(max),
  amount: '1',
  label: 'limit reached: max_uses of the delegation',
  ...(seconds !== undefined && { seconds }),
})
const sum = (amount: string, max: string, value = 'EUR'): Charge => ({
  owner: { kind: 'delegation', id: story.delegation },
  rule: JSON.stringify({ member: 'amount', per: 'currency', value }),
  ...{ max, amount, label: 'limit reached: the sum of amount of the delegation', member: 'amount' },
})
const usedOf = async (rule: string) => {
  const [row] = await database.query<{ used: string }>(
    'SELECT trim_scale(used)::text AS used FROM limit_counter WHERE owner = $1 AND rule = $2',
    [`delegation:${story.delegation}`, rule],
  )
  return row?.used
}
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds
const consumes = () => database.query(`UPDATE resource SET enforcement = 'consume' WHERE id = $1`, [story.resource.id])
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

test('what somebody let lie for long is taken off in parts: nobody waits for all of it', async () => {
  const lying = 50_000
  expect(await commit({ charges: [uses(lying + 2, 3_600)] })).toBe('committed')
  await database.query(
    `WITH c AS (UPDATE limit_counter SET used = used + $2 WHERE owner = $1 RETURNING id)
     INSERT INTO limit_use (jti, counter_id, amount, leaves_at, window_ends_at, forget_at)
     SELECT c.id || '-' || n, c.id, 1, now(), now(), now() + interval '1 day' FROM c, generate_series(1, $2::int) n`,
    [`delegation:${story.delegation}`, lying],
  )
  const left = async () => {
    const [row] = await database.query<{ used: string; n: bigint }>(
      `SELECT trim_scale(used)::text AS used, (SELECT count(*) FROM limit_use u WHERE u.counter_id = c.id) AS n
       FROM limit_counter c WHERE owner = $1`,
      [`delegation:${story.delegation}`],
    )
    return [Number(row?.used), Number(row?.n)]
  }
  for (const counted of [lying - 20_000 + 2, lying - 40_000 + 3, 4]) {
    expect(await commit({ charges: [uses(lying + 2, 3_600)] })).toBe('committed')
    expect(await left()).toEqual([counted, counted])
  }
})

describe('uses', () => {
  test('as many as are allowed, and not one more; the refusal says which limit, and is on record', async () => {
    for (let n = 0; n < 3; n++) expect(await commit({ charges: [uses(3)] })).toBe('committed')
    const entry = issued(story, { charges: [uses(3)] })
    expect(await stores[0].commit(entry)).toEqual({
      ...{ outcome: 'refused', code: 'limit_reached', isStored: true, reached: 0 },
    })
    const [record] = await database.query('SELECT decision, refusal, detail, jti FROM record WHERE id = $1', [
      entry.record.id,
    ])
    expect(record).toEqual({
      decision: 'refused',
      refusal: 'limit_reached',
      detail: 'limit reached: max_uses of the delegation',
      jti: null,
    })
    expect(await usedOf(usesRule())).toBe('3')
  })

  test('60 at once in one flush against 20 -> exactly 20', async () => {
    const outcomes = await Promise.all(Array.from({ length: 60 }, () => commit({ charges: [uses(20)] })))
    expect(outcomes.filter((code) => code === 'committed')).toHaveLength(20)
    expect(outcomes.filter((code) => code === 'limit_reached')).toHaveLength(40)
  })

  test('300 over two processes and several flushes against 100 -> exactly 100, each counted once', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 300 }, (_, n) => commit({ charges: [uses(100)] }, n % 2 === 0 ? 0 : 1)),
    )
    expect(outcomes.filter((code) => code === 'committed')).toHaveLength(100)
    const [counted] = await database.query<{ n: bigint }>(
      `SELECT count(*) AS n FROM limit_use u JOIN limit_counter c ON c.id = u.counter_id WHERE c.owner = $1`,
      [`delegation:${story.delegation}`],
    )
    expect(counted?.n).toBe(100n)
  })

  test('an issuance that is refused for another reason counts nothing', async () => {
    expect(await commit({ charges: [uses(5)], decidedOn: { resourceId: 'nowhere' } })).toBe('resource_unknown')
    expect(await usedOf(usesRule())).toBeUndefined()
  })

  test('what one limit refuses counts at no other', async () => {
    expect(await commit({ charges: [uses(5), sum('9', '10')] })).toBe('committed')
    expect(await commit({ charges: [uses(5), sum('2', '10')] })).toBe('limit_reached')
    expect([await usedOf(usesRule()), await usedOf(sum('0', '0').rule)]).toEqual(['1', '9'])
    // Between entries of one flush as well.
    const codes = await Promise.all([
      commit({ charges: [uses(2), sum('2', '10')] }),
      commit({ charges: [uses(2), sum('1', '10')] }),
    ])
    expect(codes).toEqual(['limit_reached', 'committed'])
  })

  test('a limit that is lowered below what was used refuses; one that is raised has room again', async () => {
    for (let n = 0; n < 3; n++) await commit({ charges: [uses(3)] })
    expect(await commit({ charges: [uses(2)] })).toBe('limit_reached')
    expect(await commit({ charges: [uses(4)] })).toBe('committed')
  })
})

describe('sums', () => {
  test('are exact: never a cent over', async () => {
    for (const amount of ['0.10', '0.20', '0.70']) {
      expect(await commit({ charges: [sum(amount, '1.00')] })).toBe('committed')
    }
    expect(await commit({ charges: [sum('0.01', '1.00')] })).toBe('limit_reached')
    expect(await commit({ charges: [sum('0.00', '1.00')] })).toBe('committed')
  })

  test('of 38 decimals too', async () => {
    const least = `0.${'0'.repeat(37)}1`
    expect(await commit({ charges: [sum('1', `1.${'0'.repeat(37)}1`)] })).toBe('committed')
    expect(await commit({ charges: [sum(least, `1.${'0'.repeat(37)}1`)] })).toBe('committed')
    expect(await commit({ charges: [sum(least, `1.${'0'.repeat(37)}1`)] })).toBe('limit_reached')
  })

  test('of two currencies are two sums', async () => {
    expect(await commit({ charges: [sum('10', '10', 'EUR')] })).toBe('committed')
    expect(await commit({ charges: [sum('10', '10', 'USD')] })).toBe('committed')
    expect(await commit({ charges: [sum('1', '10', 'EUR')] })).toBe('limit_reached')
  })
})

describe('windows', () => {
  test('a use counts until its window ends, and not a moment longer', async () => {
    for (let n = 0; n < 2; n++) expect(await commit({ charges: [uses(2, 3_600)] })).toBe('committed')
    expect(await commit({ charges: [uses(2, 3_600)] })).toBe('limit_reached')
    const [window] = await database.query<{ seconds: number }>(
      `SELECT extract(epoch FROM min(u.leaves_at) - clock_timestamp())::float8 AS seconds
       FROM limit_use u JOIN limit_counter c ON c.id = u.counter_id WHERE c.owner = $1`,
      [`delegation:${story.delegation}`],
    )
    expect(window?.seconds).toBeGreaterThan(3_590)
    expect(window?.seconds).toBeLessThanOrEqual(3_600)
    const moveEnd = (by: string) =>
      database.query(
        `UPDATE limit_use SET leaves_at = clock_timestamp() + $2::interval
         WHERE counter_id IN (SELECT id FROM limit_counter WHERE owner = $1)`,
        [`delegation:${story.delegation}`, by],
      )
    await moveEnd('1 second')
    expect(await commit({ charges: [uses(2, 3_600)] })).toBe('limit_reached')
    await moveEnd('0 seconds')
    expect(await commit({ charges: [uses(2, 3_600)] })).toBe('committed')
    expect(await usedOf(usesRule(3_600))).toBe('1')
  })

  test('slide with the clock: two in a second, at any time', async () => {
    const accepted: number[] = []
    const until = performance.now() + 2_500
    while (performance.now() < until) {
      const before = Date.now()
      if ((await commit({ charges: [uses(2, 1)] })) === 'committed') accepted.push(before)
    }
    // Two at once, two after a second, two after two; and never three within one.
    expect(accepted.length).toBeGreaterThanOrEqual(5)
    for (const [i, at] of accepted.entries()) {
      const third = accepted[i + 2]
      if (third !== undefined) expect(third - at).toBeGreaterThanOrEqual(980)
    }
  })
})

describe('what is given back', () => {
  test('an expired token that its resource server did not consume, where it would have had to', async () => {
    await consumes()
    // Long enough for a second commit on a busy machine.
    const short = { charges: [uses(1)], record: { tokenExpiresAt: inSeconds(5) } }
    expect(await commit(short)).toBe('committed')
    expect(await commit(short)).toBe('limit_reached')
    await sleep(5_100)
    expect(await commit({ charges: [uses(1)] })).toBe('committed')
  })

  test('not where the resource server verifies offline: it may have been used', async () => {
    expect(await commit({ charges: [uses(1)], record: { tokenExpiresAt: inSeconds(0) } })).toBe('committed')
    await sleep(1_000)
    expect(await commit({ charges: [uses(1)] })).toBe('limit_reached')
  })

  test('not when it was consumed', async () => {
    await consumes()
    const entry = issued(story, { charges: [uses(1)], record: { tokenExpiresAt: inSeconds(5) } })
    await stores[0].commit(entry)
    const consume = (id: string) =>
      database.query<{ active: boolean }>('SELECT active FROM writ_consume($1, $2, $3)', [
        entry.record.jti,
        story.resource.id,
        id,
      ])
    expect(await consume('a')).toEqual([{ active: true }])
    await sleep(5_100)
    expect(await commit({ charges: [uses(1)] })).toBe('limit_reached')
  })

  test('a token whose expiry gave it back can no longer be consumed', async () => {
    await consumes()
    const entry = issued(story, { charges: [uses(1)], record: { tokenExpiresAt: inSeconds(1) } })
    await stores[0].commit(entry)
    await sleep(2_000)
    expect(await commit({ charges: [uses(1)] })).toBe('committed')
    const found = await database.query('SELECT active FROM writ_consume($1, $2, $3)', [
      entry.record.jti,
      story.resource.id,
      'a',
    ])
    expect(found).toEqual([])
  })

  test.each(['failed', 'refused'])('by a receipt that says %s, once', async (what) => {
    const entry = issued(story, { charges: [uses(1), sum('7', '10')] })
    await stores[0].commit(entry)
    const receipt = async () => {
      const [answer] = await database.query<{ answer: string }>(
        'SELECT writ_receipt($1, $2, $3, $4, $5, $6::uuid, $7) AS answer',
        [entry.record.jti, story.resource.id, story.resource.identifier, what, null, randomUUID(), 'request'],
      )
      return answer?.answer
    }
    expect(await receipt()).toBe('created')
    expect(await usedOf(usesRule())).toBe('0')
    expect(await usedOf(sum('0', '0').rule)).toBe('0')
    expect(await receipt()).toBe('same')
    expect(await usedOf(usesRule())).toBe('0')
    expect(await commit({ charges: [uses(1)] })).toBe('committed')
  })

  test('not by a receipt that says succeeded, nor at the end of the token after it', async () => {
    await consumes()
    const entry = issued(story, { charges: [uses(1)], record: { tokenExpiresAt: inSeconds(1) } })
    await stores[0].commit(entry)
    await database.query('SELECT writ_receipt($1, $2, $3, $4, NULL, $5::uuid, $6)', [
      ...[entry.record.jti, story.resource.id, story.resource.identifier, 'succeeded', randomUUID(), 'request'],
    ])
    await sleep(2_000)
    expect(await commit({ charges: [uses(1)] })).toBe('limit_reached')
  })
})

describe('whoever does not know of limits', () => {
  test.each<[string, (limits: string) => Promise<unknown>]>([
    [
      'the delegation',
      (l) => database.query('UPDATE delegation SET limits = $2::jsonb WHERE id = $1', [story.delegation, l]),
    ],
    ['its parent', (l) => database.query('UPDATE delegation SET limits = $2::jsonb WHERE id = $1', [story.parent, l])],
    ['the agent', (l) => database.query('UPDATE agent SET limits = $2::jsonb WHERE id = $1', [story.agent, l])],
    [
      'the resource',
      (l) => database.query('UPDATE resource SET limits = $2::jsonb WHERE id = $1', [story.resource.id, l]),
    ],
  ])('mints nothing where %s has one', async (_name, limit) => {
    // As a process of the version before would call it.
    const mintsAsBefore = async () => {
      const { record, attemptId } = issued(story)
      const entry = {
        ...{ n: 0, decision: 'issued', id: record.id, kind: 'action_token', client: story.agent, agent: story.agent },
        ...{
          principal: story.principal,
          delegation: story.delegation,
          action_type: story.type,
          action_type_version: 1,
        },
        ...{
          jkt: story.key.jkt,
          assertion_kid: story.key.jkt,
          jti: attemptId,
          lineage: [story.parent, story.delegation],
        },
        ...{ resource_id: story.resource.id, resource_version: 1 },
      }
      const [answer] = await database.query<{ outcome: string }>(
        `SELECT n, outcome, stored FROM writ_commit($1::jsonb, '[]'::jsonb, 3)`,
        [JSON.stringify([entry])],
      )
      return answer?.outcome
    }
    expect(await mintsAsBefore()).toBe('ok')
    await limit(JSON.stringify({ max_uses: 5 }))
    expect(await mintsAsBefore()).toBe('stale')
  })

  test('an agent of the chain that was changed since the decision -> stale', async () => {
    await database.query('UPDATE agent SET version = 2 WHERE id = $1', [story.agent])
    expect(await commit()).toBe('stale')
  })
})

test('while everything is stopped nothing is issued, and what was issued is live no more', async () => {
  const entry = issued(story)
  await stores[0].commit(entry)
  const isLive = async () =>
    (await database.query('SELECT 1 FROM writ_live_token($1, clock_timestamp())', [entry.record.jti])).length === 1
  expect(await isLive()).toBe(true)
  await database.query('UPDATE generation SET stopped_at = clock_timestamp()')
  try {
    expect(await commit()).toBe('stopped')
    expect(await isLive()).toBe(false)
  } finally {
    await database.query('UPDATE generation SET stopped_at = NULL')
  }
  expect(await commit()).toBe('committed')
  expect(await isLive()).toBe(true)
})

test('any sequence of issuances, receipts and ends of windows leaves exactly what a plain account of it says', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('mint' as const), cents: fc.integer({ min: 0, max: 400 }) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('failed' as const, 'succeeded' as const), which: fc.nat() }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('window ends' as const), which: fc.nat() }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      story = await seed(database.query)
      const tokens: { jti: string; cents: number; isCounted: boolean; isInWindow: boolean; hasReceipt: boolean }[] = []
      const total = () => tokens.filter((t) => t.isCounted).reduce((all, { cents }) => all + cents, 0)
      const inWindow = () => tokens.filter((t) => t.isCounted && t.isInWindow).length
      for (const one of steps) {
        if (one.do === 'mint') {
          const charges = [uses(4, 3_600), sum((one.cents / 100).toFixed(2), '10.00')]
          const entry = issued(story, { charges })
          const expected = inWindow() < 4 && total() + one.cents <= 1_000
          expect(codeOf(await stores[0].commit(entry))).toBe(expected ? 'committed' : 'limit_reached')
          if (!expected) continue
          const jti = entry.record.jti ?? ''
          tokens.push({ jti, cents: one.cents, isCounted: true, isInWindow: true, hasReceipt: false })
          continue
        }
        const token = tokens[one.which % Math.max(1, tokens.length)]
        if (token === undefined) continue
        if (one.do === 'window ends') {
          await database.query(
            'UPDATE limit_use SET leaves_at = clock_timestamp() WHERE jti = $1 AND leaves_at IS NOT NULL',
            [token.jti],
          )
          token.isInWindow = false
        } else if (!token.hasReceipt) {
          await database.query('SELECT writ_receipt($1, $2, $3, $4, NULL, $5::uuid, $6)', [
            ...[token.jti, story.resource.id, story.resource.identifier, one.do, randomUUID(), 'request'],
          ])
          token.hasReceipt = true
          if (one.do === 'failed') token.isCounted = false
          // As when it is consumed, the window's own end counts again.
          else if (!token.isInWindow) {
            await database.query(
              'UPDATE limit_use SET leaves_at = clock_timestamp() WHERE jti = $1 AND leaves_at IS NOT NULL',
              [token.jti],
            )
          }
        }
      }
      expect(Number((await usedOf(sum('0', '0').rule)) ?? '0')).toBeCloseTo(total() / 100, 10)
    }),
    { numRuns: 25 },
  )
}, 120_000)
