import { createHash, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isDatabaseUnavailable } from '../../src/adapters/prisma/database-errors.ts'
import { type GroupCommit, groupCommit } from '../../src/adapters/prisma/group-commit.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { prune } from '../../src/adapters/prisma/prune.ts'
import { type Charge, usesRule } from '../../src/core/delegation/charge.ts'
import type { CommitOutcome, TurnClaim } from '../../src/ports.ts'
import { openTestDatabase } from '../support/database.ts'
import { makeKey } from '../wire/signing.ts'
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
const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds
const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const once = (max = 1): Charge => ({
  owner: { kind: 'delegation', id: story.delegation },
  rule: usesRule(),
  ...{ max: String(max), amount: '1', label: 'limit reached: max_uses of the delegation' },
})

const consumes = () => database.query(`UPDATE resource SET enforcement = 'consume' WHERE id = $1`, [story.resource.id])

/** A mint for a turn; `seconds` is how long its token lives. */
function attempt(turn: string, change: Change & { readonly seconds?: number } = {}) {
  const jti = randomUUID()
  const claim: TurnClaim = {
    key: createHash('sha256').update(`${story.delegation} ${turn}`).digest('hex'),
    until: inSeconds(3_600),
    claimsJson: JSON.stringify({ jti, turn }),
  }
  const tokenExpiresAt = inSeconds(change.seconds ?? 60)
  return issued(story, { ...change, turn: claim, record: { jti, turn, tokenExpiresAt, ...change.record } })
}
const take = async (turn: string, change?: Parameters<typeof attempt>[1], store: 0 | 1 = 0) => {
  const entry = attempt(turn, change)
  const outcome = await stores[store].commit(entry)
  const claims = outcome.outcome === 'repeat' ? JSON.parse(outcome.claimsJson) : undefined
  return { code: codeOf(outcome), jti: (claims?.jti ?? entry.record.jti) as string }
}
const use = (name: 'consume' | 'succeeded' | 'failed' | 'refused', jti: string) =>
  name === 'consume'
    ? database.query('SELECT active FROM writ_consume($1, $2, $3)', [jti, story.resource.id, 'a'])
    : database.query('SELECT writ_receipt($1, $2, $3, $4, NULL, $5::uuid, $6)', [
        ...[jti, story.resource.id, story.resource.identifier, name, randomUUID(), 'request'],
      ])
const recordsOf = async () => {
  const [row] = await database.query<{ n: bigint }>(
    `SELECT count(*) AS n FROM record WHERE delegation = $1 AND decision = 'issued'`,
    [story.delegation],
  )
  return row?.n
}

describe('a turn', () => {
  test('whose token was revoked is over, also when the revocation itself is of no use any more', async () => {
    await consumes()
    const [revoked, other] = [await take('t', { seconds: 1 }), await take('u', { seconds: 1 })]
    await database.query(
      `INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ($1, now() - interval '2 hours', 'x'), ($2, now() - interval '2 hours', 'x')`,
      [revoked.jti, randomUUID()],
    )
    await sleep(2_000)
    await prune(database.query)
    expect((await take('t')).code).toBe('turn_over')
    expect((await take('u')).code).toBe('committed')
    expect(other.code).toBe('committed')
    expect(await database.query('SELECT jti FROM revoked_token WHERE expires_at < now()')).toEqual([
      { jti: revoked.jti },
    ])
  })

  test('that is repeated has one token, one record and one count', async () => {
    const first = await take('t', { charges: [once()] })
    expect(first.code).toBe('committed')
    for (const store of [0, 1] as const) {
      expect(await take('t', { charges: [once()] }, store)).toEqual({ code: 'repeat', jti: first.jti })
    }
    expect(await recordsOf()).toBe(1n)
  })

  test('of another name, or of another action, is another mint', async () => {
    const first = await take('t')
    const second = await take('t2')
    expect([first.code, second.code]).toEqual(['committed', 'committed'])
    expect(second.jti).not.toBe(first.jti)
  })

  test('a hundred copies at once on two processes -> one identity', async () => {
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, n) => take('t', { charges: [once()] }, n % 2 === 0 ? 0 : 1)),
    )
    expect(all.filter(({ code }) => code === 'committed')).toHaveLength(1)
    expect(all.filter(({ code }) => code === 'repeat')).toHaveLength(99)
    expect(new Set(all.map(({ jti }) => jti)).size).toBe(1)
    expect(await recordsOf()).toBe(1n)
  })

  test('is bound to the key that began it', async () => {
    await take('t')
    const other = makeKey()
    await database.query('INSERT INTO key (kid, owner_id, jwk) VALUES ($1, $2, $3::jsonb)', [
      ...[other.jkt, story.agent, JSON.stringify(other.jwk)],
    ])
    expect((await take('t', { record: { jkt: other.jkt } })).code).toBe('turn_key_mismatch')
  })

  test('that a limit refuses is not taken: it may be tried again', async () => {
    expect((await take('a', { charges: [once()] })).code).toBe('committed')
    const codes = await Promise.all([take('b', { charges: [once()] }), take('b', { charges: [once()] })])
    expect(codes.map(({ code }) => code)).toEqual(['limit_reached', 'limit_reached'])
    expect((await take('b', { charges: [once(2)] })).code).toBe('committed')
  })

  test('that is refused otherwise is not taken either', async () => {
    expect((await take('t', { decidedOn: { resourceId: 'nowhere' } })).code).toBe('resource_unknown')
    const left = await database.query('SELECT 1 FROM turn WHERE jti IS NULL')
    expect(left).toEqual([])
    expect((await take('t')).code).toBe('committed')
  })

  test.each(['consume', 'succeeded', 'failed', 'refused'] as const)('is over after %s', async (what) => {
    const { jti } = await take('t')
    await use(what, jti)
    expect((await take('t')).code).toBe('turn_over')
  })

  test('is over when its token was withdrawn', async () => {
    const { jti } = await take('t', { seconds: 1 })
    await database.query(`INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ($1, now(), 'x')`, [jti])
    expect((await take('t')).code).toBe('turn_over')
    await database.query(`UPDATE resource SET enforcement = 'consume' WHERE id = $1`, [story.resource.id])
    await sleep(2_000)
    expect((await take('t')).code).toBe('turn_over')
  })
})

describe('after its token expired', () => {
  const consuming = () =>
    database.query(`UPDATE resource SET enforcement = 'consume' WHERE id = $1`, [story.resource.id])

  test('where the resource server verifies offline, it may have run: the turn is over', async () => {
    await take('t', { seconds: 1 })
    await sleep(2_000)
    expect((await take('t')).code).toBe('turn_over')
  })

  test('where it would have been consumed and was not, it is minted anew, and counts again', async () => {
    await consuming()
    const first = await take('t', { seconds: 1, charges: [once()] })
    await sleep(2_000)
    const [second, third] = await Promise.all([
      take('t', { charges: [once()] }, 0),
      take('t', { charges: [once()] }, 1),
    ])
    expect(new Set([second.code, third.code])).toEqual(new Set(['committed', 'repeat']))
    expect(second.jti).toBe(third.jti)
    expect(second.jti).not.toBe(first.jti)
    expect((await take('another', { charges: [once()] })).code).toBe('limit_reached')
  })

  test('where it was consumed, it is over', async () => {
    await consuming()
    const { jti } = await take('t', { seconds: 3 })
    expect(await use('consume', jti)).toEqual([{ active: true }])
    await sleep(4_000)
    expect((await take('t')).code).toBe('turn_over')
  })

  test.each([
    ['refused', 'committed'],
    ['failed', 'turn_over'],
    ['succeeded', 'turn_over'],
  ] as const)('with a receipt that says %s -> %s', async (what, code) => {
    const { jti } = await take('t', { seconds: 1 })
    await use(what, jti)
    await sleep(2_000)
    expect((await take('t')).code).toBe(code)
  })
})
