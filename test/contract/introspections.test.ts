import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isDatabaseUnavailable } from '../../src/adapters/prisma/database-errors.ts'
import { groupCommit } from '../../src/adapters/prisma/group-commit.ts'
import { introspections } from '../../src/adapters/prisma/introspections.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import type { IntrospectionQuestion } from '../../src/introspection-ports.ts'
import type { ReplayMark } from '../../src/ports.ts'
import { openTestDatabase } from '../support/database.ts'
import { makeKey, type TestKey } from '../wire/signing.ts'
import { issued, newMark, type Seed, seed } from './seed.ts'

let database: Database
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

let story: Seed
let key: TestKey
/** Of a token that is live. */
let jti: string
let remembered: ReplayMark[]
beforeEach(async () => {
  story = await seed(database.query)
  key = await newKey()
  const entry = issued(story)
  await groupCommit(database.query, 100, isDatabaseUnavailable).commit(entry)
  jti = entry.record.jti ?? ''
  remembered = []
})

/** A registered key of the resource server. */
async function newKey(): Promise<TestKey> {
  const made = makeKey()
  await database.query('INSERT INTO key (kid, owner_id, jwk) VALUES ($1, $2, $3::jsonb)', [
    made.jkt,
    story.resource.id,
    JSON.stringify(made.jwk),
  ])
  return made
}

const store = () => introspections(database.query, (marks) => remembered.push(...marks))
const question = (change: Partial<IntrospectionQuestion> = {}): IntrospectionQuestion => ({
  ...{ attemptId: randomUUID(), marks: [newMark('assertion')], client: story.resource.id },
  ...{ assertionKid: key.jkt, jkt: undefined, jti },
  ...change,
})
const LIVE = () => ({ outcome: 'ok', action: { to: 'bob', type: story.type } })
const NOTHING = { outcome: 'ok', action: undefined }
const marksOf = async (attemptId: string) =>
  (await database.query('SELECT 1 AS one FROM replay_mark WHERE request_id = $1', [attemptId])).length

describe('a question about a token', () => {
  test('of another resource server finds nothing, whatever it says', async () => {
    const other = await seed(database.query)
    const kid = makeKey().jkt
    await database.query(`INSERT INTO key (kid, owner_id, jwk) VALUES ($1, $2, '{}')`, [kid, other.resource.id])
    const asked = question({ client: other.resource.id, assertionKid: kid })
    expect(await store().ask(asked)).toEqual(NOTHING)
    expect(await store().ask(question())).toEqual(LIVE())
  })

  test('looks at all that a token stands on only where it is for the one who asks, and is not used up', async () => {
    const looks = (asked: IntrospectionQuestion) =>
      database.transaction(async (query) => {
        const calls = async () => {
          const [row] = await query<{ calls: number }>(
            `SELECT coalesce(sum(calls), 0)::int AS calls FROM pg_stat_xact_user_functions WHERE funcname = 'writ_live_token'`,
          )
          return row?.calls ?? 0
        }
        await query(`SET LOCAL track_functions = 'all'`)
        const before = await calls()
        await introspections(query, () => {}).ask(asked)
        return (await calls()) - before
      })
    const other = await seed(database.query)
    const kid = makeKey().jkt
    await database.query(`INSERT INTO key (kid, owner_id, jwk) VALUES ($1, $2, '{}')`, [kid, other.resource.id])
    expect(await looks(question())).toBe(1)
    expect(await looks(question({ client: other.resource.id, assertionKid: kid }))).toBe(0)
    expect(await looks(question({ jti: 'made-up' }))).toBe(0)
    expect(await looks(question({ jti: undefined }))).toBe(0)
    expect(await looks(question({ assertionKid: kid }))).toBe(0)
    await database.query('SELECT active FROM writ_consume($1, $2, NULL)', [jti, story.resource.id])
    expect(await looks(question())).toBe(0)
  })

  test('uses up what came with it, and is answered with the action', async () => {
    const asked = question({ marks: [newMark('assertion'), newMark('proof')], jkt: key.jkt })
    expect(await store().ask(asked)).toEqual(LIVE())
    expect(await marksOf(asked.attemptId)).toBe(2)
    expect(remembered).toEqual(asked.marks)
  })

  test('that is none of ours uses up what came with it, and learns nothing', async () => {
    const asked = question({ jti: undefined })
    expect(await store().ask(asked)).toEqual(NOTHING)
    expect(await store().ask(question({ jti: randomUUID() }))).toEqual(NOTHING)
    expect(await marksOf(asked.attemptId)).toBe(1)
  })

  test('that was used up, withdrawn, or rests on what was, learns nothing', async () => {
    await database.query(`UPDATE delegation SET status = 'revoked' WHERE id = $1`, [story.parent])
    expect(await store().ask(question())).toEqual(NOTHING)
    await database.query(`UPDATE delegation SET status = 'active' WHERE id = $1`, [story.parent])
    expect(await store().ask(question())).toEqual(LIVE())
    await database.query(
      `INSERT INTO revoked_token (jti, expires_at, revoked_by) SELECT jti, token_expires_at, client FROM record WHERE jti = $1`,
      [jti],
    )
    expect(await store().ask(question())).toEqual(NOTHING)
  })

  test.each(['assertion', 'proof'] as const)('whose %s was used before is refused, and told nothing', async (kind) => {
    const mark = newMark(kind)
    expect(await store().ask(question({ marks: [mark] }))).toEqual(LIVE())
    expect(await store().ask(question({ marks: [newMark('assertion'), mark] }))).toEqual({
      outcome: `${kind}_replayed`,
    })
    // What came with it is used up all the same.
    const other = newMark('assertion')
    await store().ask(question({ marks: [other, mark] }))
    expect(await store().ask(question({ marks: [other] }))).toEqual({ outcome: 'assertion_replayed' })
  })

  test('is answered once of many copies that come at the same time, at two processes', async () => {
    const mark = newMark('assertion')
    const stores = [store(), store()]
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => stores[i % 2]?.ask(question({ marks: [mark] }))),
    )
    expect(answers.filter((answer) => answer?.outcome === 'ok')).toHaveLength(1)
    expect(answers.filter((answer) => answer?.outcome === 'assertion_replayed')).toHaveLength(39)
  })

  test('holds against the commit of an exchange: a proof is used at one of the two', async () => {
    const mark = newMark('proof')
    await groupCommit(database.query, 100, isDatabaseUnavailable).commit(issued(story, { marks: [mark] }))
    expect(await store().ask(question({ marks: [mark] }))).toEqual({ outcome: 'proof_replayed' })
  })

  test('of before a restore is refused: it may have been used in the time that the backup does not know of', async () => {
    await database.query(`UPDATE generation SET restored_at = now() + interval '1 minute'`)
    try {
      expect(await store().ask(question())).toEqual({ outcome: 'assertion_replayed' })
    } finally {
      await database.query('UPDATE generation SET restored_at = NULL')
    }
  })

  test('goes with others in one statement, each with its own answer', async () => {
    const { ask } = store()
    const foreign = question({ assertionKid: story.key.jkt })
    expect(await Promise.all([question(), foreign, question({ jti: undefined })].map(ask))).toEqual([
      LIVE(),
      { outcome: 'stale' },
      NOTHING,
    ])
  })
})

describe('whoever asks is looked at again', () => {
  const stale = async (asked = question()) => {
    expect(await store().ask(asked)).toEqual({ outcome: 'stale' })
    // It is judged afresh, as the same attempt: what it showed must not look like a replay then.
    expect(remembered).toEqual([])
    const { attemptId, marks } = asked
    const commit = groupCommit(database.query, 100, isDatabaseUnavailable).commit({
      attemptId,
      marks,
      decision: 'none',
    })
    expect(await commit).toMatchObject({ outcome: 'committed' })
  }

  test.each(['suspended', 'retired'])('%s', async (status) => {
    await database.query('UPDATE resource SET status = $2::status WHERE id = $1', [story.resource.id, status])
    await stale()
  })

  test('its key was retired', async () => {
    await database.query(`UPDATE key SET status = 'retired' WHERE kid = $1`, [key.jkt])
    await stale()
  })

  test('its key expired', async () => {
    await database.query('UPDATE key SET expires_at = now() WHERE kid = $1', [key.jkt])
    await stale()
  })

  test('the key of its proof was retired, or is another client’s', async () => {
    const proving = await newKey()
    await database.query(`UPDATE key SET status = 'retired' WHERE kid = $1`, [proving.jkt])
    await stale(question({ jkt: proving.jkt }))
    await stale(question({ jkt: story.key.jkt }))
  })

  test('it is no resource server', async () => {
    await stale(question({ client: story.agent, assertionKid: story.key.jkt }))
  })
})
