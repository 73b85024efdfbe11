import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { approvals } from '../../src/adapters/prisma/approvals.ts'
import { isDatabaseUnavailable } from '../../src/adapters/prisma/database-errors.ts'
import { type GroupCommit, groupCommit } from '../../src/adapters/prisma/group-commit.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import type { Approvals, ApprovalToOpen, OpenedApproval } from '../../src/approval-ports.ts'
import type { ApprovalNeed } from '../../src/core/policy/approval-need.ts'
import type { CommitEntry, CommitOutcome } from '../../src/ports.ts'
import { openTestDatabase } from '../support/database.ts'
import { makeKey } from '../wire/signing.ts'
import { type Change, insertIdentity, issued, newMark, type Seed, seed } from './seed.ts'

let database: Database
/** Two processes on one database. */
let commits: readonly [GroupCommit, GroupCommit]
let stores: readonly [Approvals, Approvals]
beforeAll(async () => {
  database = await openTestDatabase()
  const commit = () => groupCommit(database.query, 100, isDatabaseUnavailable)
  commits = [commit(), commit()]
  stores = [approvals(database.query), approvals(database.query)]
})
afterAll(() => database.close())

type Opening = Change & { readonly opens?: Partial<ApprovalToOpen> }
const needs = (...approvers: string[]): readonly ApprovalNeed[] => [{ approvers, threshold: 1 }]

function pending(from: Seed, { opens, ...change }: Opening = {}): CommitEntry & { readonly decision: 'pending' } {
  const { record, approval: _, ...entry } = issued(from, change)
  const { jti: __, txn: ___, claimsDigest: ____, ...about } = record
  return {
    ...entry,
    decision: 'pending',
    record: about,
    opens: {
      ...{ id: `apr_${randomUUID()}`, authReqId: `ap_${randomBytes(16).toString('base64url')}` },
      ...{ needs: needs(from.principal), purpose: undefined, notificationToken: undefined },
      ...{ lifetimeSeconds: 300, until: Math.floor(Date.now() / 1_000) + 3_600, ...opens },
    },
  }
}
const opened = (outcome: CommitOutcome): OpenedApproval => {
  if (outcome.outcome !== 'pending') throw new Error(JSON.stringify(outcome))
  return outcome.opened
}
const open = async (from: Seed, opening?: Opening) => opened(await commits[0].commit(pending(from, opening)))
const codeOf = (outcome: CommitOutcome) => (outcome.outcome === 'refused' ? outcome.code : outcome.outcome)
const answer = (id: string, approver: string, isYes = true, more: object = {}) =>
  stores[0].answer({ id, approver, isYes, recordId: randomUUID(), requestId: 'request', ...more })
const redeem = (from: Seed, approval: string, change: Change = {}, store = commits[0]) =>
  store.commit({ ...issued(from, change), approval })
const approved = async (from: Seed, opening?: Opening) => {
  const { id } = await open(from, opening)
  expect(await answer(id, from.principal)).toEqual({ outcome: 'answered', state: 'approved' })
  return id
}
const stateOf = async (id: string) => (await stores[1].find(id))?.state
/** One more key of the agent. */
async function newKey({ agent }: Seed) {
  const { jkt, jwk } = makeKey()
  await database.query('INSERT INTO key (kid, owner_id, jwk) VALUES ($1, $2, $3::jsonb)', [
    jkt,
    agent,
    JSON.stringify(jwk),
  ])
  return jkt
}
async function newPrincipal(kind = 'person') {
  const id = `approver-${randomBytes(5).toString('hex')}`
  await insertIdentity(database.query, id, 'principal')
  await database.query('INSERT INTO principal (id, kind, name) VALUES ($1, $2::principal_kind, $3)', [id, kind, 'Ann'])
  return id
}

describe('a pending decision', () => {
  test('is an approval and one record, and counts nothing as issued', async () => {
    const own = await seed(database.query)
    const entry = pending(own, { record: { turn: 't1' }, opens: { purpose: 'because' } })
    const { id, authReqId, expiresInSeconds, intervalSeconds, isNew } = opened(await commits[0].commit(entry))
    expect({ id, authReqId, intervalSeconds, isNew }).toEqual({
      ...{ id: entry.opens.id, authReqId: entry.opens.authReqId, intervalSeconds: 5, isNew: true },
    })
    // The database keeps milliseconds.
    expect([299, 300]).toContain(expiresInSeconds)
    const [row] = await database.query('SELECT decision, jti, claims_digest, turn FROM record WHERE id = $1', [
      entry.record.id,
    ])
    expect(row).toEqual({ decision: 'pending', jti: null, claims_digest: null, turn: 't1' })
    expect(await stores[1].find(id)).toMatchObject({
      ...{
        id,
        authReqId,
        state: 'pending',
        isStanding: true,
        delegationId: own.delegation,
        jkt: own.key.jkt,
        turn: 't1',
      },
      principal: { id: own.principal, name: 'Alice', kind: 'person' },
      agent: { id: own.agent, name: 'Planner' },
      chain: [{ id: own.agent }, { id: own.agent }],
      ...{ resource: own.resource.identifier, actionDigest: 'digest', actionType: own.type, actionTypeVersion: 1 },
      ...{
        purpose: 'because',
        needs: needs(own.principal),
        approvers: [{ id: own.principal, name: 'Alice' }],
        votes: [],
      },
      ...{ decidedAt: null, jti: null },
    })
    expect(await stores[1].findByAuthReqId(authReqId)).toMatchObject({ id })
    expect(await stores[1].find('apr_nothing')).toBeUndefined()
  })

  test('of the very same is the same, whoever of two processes is asked, and is on record once', async () => {
    const own = await seed(database.query)
    const entries = Array.from({ length: 40 }, () => pending(own))
    const outcomes = await Promise.all(entries.map((entry, n) => commits[n % 2 === 0 ? 0 : 1].commit(entry)))
    const found = outcomes.map(opened)
    expect(new Set(found.map(({ id }) => id)).size).toBe(1)
    expect(found.filter(({ isNew }) => isNew)).toHaveLength(1)
    const [count] = await database.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM record WHERE agent = $1 AND decision = 'pending'`,
      [own.agent],
    )
    expect(count?.n).toBe(1)
  })

  test.each([
    { what: 'turn', change: { turn: 'another' } },
    { what: 'action', change: { actionDigest: 'another' } },
    { what: 'delegation', change: { delegation: 'another' } },
  ])('of another $what is another one', async ({ change }) => {
    const own = await seed(database.query)
    const first = await open(own)
    expect((await open(own, { record: change })).id).not.toBe(first.id)
  })

  test('of another key of the agent is another one', async () => {
    const own = await seed(database.query)
    const first = await open(own)
    expect((await open(own, { record: { jkt: await newKey(own) } })).id).not.toBe(first.id)
  })

  test('is the same while it is approved and not redeemed, and another one after it was denied', async () => {
    const own = await seed(database.query)
    const id = await approved(own)
    expect((await open(own)).id).toBe(id)
    const other = await open(own, { record: { turn: 't' } })
    await answer(other.id, own.principal, false)
    expect((await open(own, { record: { turn: 't' } })).id).not.toBe(other.id)
  })

  test('twenty at once, the twenty-first is refused, whoever is asked; another principal has twenty of its own', async () => {
    const own = await seed(database.query)
    const entries = Array.from({ length: 30 }, (_, n) => pending(own, { record: { turn: `t${n}` } }))
    const outcomes = await Promise.all(entries.map((entry, n) => commits[n % 2 === 0 ? 0 : 1].commit(entry)))
    expect(outcomes.filter(({ outcome }) => outcome === 'pending')).toHaveLength(20)
    expect(outcomes.map(codeOf).filter((code) => code === 'approvals_full')).toHaveLength(10)
    const [first] = outcomes.flatMap((outcome) => (outcome.outcome === 'pending' ? [outcome.opened.id] : []))
    await answer(first ?? '', own.principal, false)
    expect(codeOf(await commits[1].commit(pending(own, { record: { turn: 'next' } })))).toBe('pending')
    expect(codeOf(await commits[1].commit(pending(own, { record: { turn: 'one more' } })))).toBe('approvals_full')
    expect(codeOf(await commits[1].commit(pending(await seed(database.query))))).toBe('pending')
  })

  test('twenty at once every time, and one for the very same, once both processes know what to do', async () => {
    for (let round = 0; round < 20; round++) {
      const own = await seed(database.query)
      const same = await Promise.all(commits.map((store) => store.commit(pending(own))))
      expect(new Set(same.map((outcome) => opened(outcome).id)).size).toBe(1)
      for (let n = 0; n < 18; n++) await open(own, { record: { turn: `t${n}` } })
      const entries = ['a', 'b'].map((turn) => pending(own, { record: { turn } }))
      const outcomes = await Promise.all(entries.map((entry, n) => commits[n === 0 ? 0 : 1].commit(entry)))
      expect(outcomes.map(codeOf).sort()).toEqual(['approvals_full', 'pending'])
    }
  })

  test('waits no longer than its delegation, and is over by itself', async () => {
    const own = await seed(database.query)
    const { id, expiresInSeconds } = await open(own, { opens: { until: Math.floor(Date.now() / 1_000) + 20 } })
    expect(expiresInSeconds).toBeLessThanOrEqual(20)
    await database.query(`UPDATE approval SET expires_at = now() WHERE id = $1`, [id])
    expect(await stateOf(id)).toBe('expired')
    expect(await answer(id, own.principal)).toEqual({ outcome: 'over', state: 'expired' })
    expect((await open(own)).id).not.toBe(id)
  })

  test('is refused for what an issuance is refused for, and nothing is opened', async () => {
    const own = await seed(database.query)
    await database.query(`UPDATE agent SET status = 'suspended' WHERE id = $1`, [own.agent])
    expect(codeOf(await commits[0].commit(pending(own)))).toBe('client_inactive')
    const other = await seed(database.query)
    expect(codeOf(await commits[0].commit(pending(other, { decidedOn: { resourceVersion: 2 } })))).toBe('stale')
    const marks = [newMark('proof')]
    expect(codeOf(await commits[0].commit(pending(other, { marks })))).toBe('pending')
    expect(codeOf(await commits[0].commit(pending(other, { marks })))).toBe('proof_replayed')
    const rows = await database.query('SELECT 1 FROM approval WHERE agent_id = $1', [own.agent])
    expect(rows).toHaveLength(0)
  })

  test('is refused where a limit is reached, and counts at none: it counts when it is redeemed', async () => {
    const own = await seed(database.query)
    const charge = { owner: { kind: 'delegation', id: own.delegation }, rule: 'uses', max: '1', amount: '1' } as const
    const charges = [{ ...charge, seconds: undefined, label: 'max_uses', member: 'max_uses' }] as never
    const one = await approved(own, { charges, record: { turn: 'a' } })
    const two = await approved(own, { charges, record: { turn: 'b' } })
    expect(codeOf(await redeem(own, one, { charges, record: { turn: 'a' } }))).toBe('committed')
    expect(codeOf(await redeem(own, two, { charges, record: { turn: 'b' } }))).toBe('limit_reached')
    expect(await stateOf(two)).toBe('approved')
    expect(codeOf(await commits[0].commit(pending(own, { charges, record: { turn: 'c' } })))).toBe('limit_reached')
  })

  test('where a rule stands that nobody looked at, nothing is issued', async () => {
    const own = await seed(database.query)
    await database.query(`UPDATE delegation SET approval = '{"mode": "each"}' WHERE id = $1`, [own.parent])
    expect(codeOf(await commits[0].commit(issued(own)))).toBe('stale')
    expect(codeOf(await commits[0].commit(issued(own, { decidedOn: { knowsRule: true } })))).toBe('committed')
  })
})

describe('a turn that was minted', () => {
  test('is repeated, and asks nobody again', async () => {
    const own = await seed(database.query)
    const turn = { key: newMark().key, until: Math.floor(Date.now() / 1_000) + 3_600, claimsJson: '{"a":1}' }
    const record = { turn: 't' }
    const id = await approved(own, { turn, record })
    expect(codeOf(await redeem(own, id, { turn, record }))).toBe('committed')
    expect(await commits[1].commit(pending(own, { turn, record }))).toEqual({
      outcome: 'repeat',
      claimsJson: '{"a":1}',
    })
    // By the poll it is had once all the same.
    expect(codeOf(await redeem(own, id, { turn, record }))).toBe('approval_unknown')
  })
})

describe('an answer', () => {
  test('approves, is on record with who said it', async () => {
    const own = await seed(database.query)
    const { id } = await open(own)
    const recordId = randomUUID()
    expect(await answer(id, own.principal, true, { recordId })).toEqual({ outcome: 'answered', state: 'approved' })
    const found = await stores[1].find(id)
    expect(found).toMatchObject({
      state: 'approved',
      votes: [{ approver: own.principal, answeredBy: 'principal', isYes: true, at: expect.any(Date) }],
      decidedAt: expect.any(Date),
    })
    expect(Math.abs((found?.votes[0]?.at.getTime() ?? 0) - Date.now())).toBeLessThan(60_000)
    const [row] = await database.query(
      'SELECT kind, decision, client, agent, principal, because FROM record WHERE id = $1',
      [recordId],
    )
    expect(row).toEqual({
      ...{ kind: 'approval', decision: 'done', client: null, agent: own.agent, principal: own.principal },
      because: { operation: 'approval.approve', target: id, approver: own.principal, state: 'approved' },
    })
  })

  test('that is said twice is one, and cannot be taken back', async () => {
    const own = await seed(database.query)
    const { id } = await open(own)
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        stores[n % 2 === 0 ? 0 : 1].answer({
          ...{ id, approver: own.principal, isYes: true, recordId: randomUUID(), requestId: 'request' },
        }),
      ),
    )
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['answered', ...Array(9).fill('repeat')])
    expect(await answer(id, own.principal, false)).toEqual({ outcome: 'over', state: 'approved' })
  })

  test('of whoever was not asked, or is not there, finds nothing', async () => {
    const own = await seed(database.query)
    const { id } = await open(own)
    expect((await answer(id, await newPrincipal())).outcome).toBe('not_found')
    expect((await answer('apr_nothing', own.principal)).outcome).toBe('not_found')
    expect(await stateOf(id)).toBe('pending')
  })

  test('of an approver who is suspended, or signed out, counts for nothing', async () => {
    const own = await seed(database.query)
    const { id } = await open(own)
    expect((await answer(id, own.principal, true, { loginId: 'no such login' })).outcome).toBe('approver_inactive')
    await database.query(`UPDATE principal SET status = 'suspended' WHERE id = $1`, [own.principal])
    expect((await answer(id, own.principal)).outcome).toBe('approver_inactive')
  })

  test('by an administrator counts for an organization and a service, never for a person', async () => {
    const own = await seed(database.query)
    const [organization, service] = [await newPrincipal('organization'), await newPrincipal('service')]
    const asked = [{ approvers: [own.principal, organization, service], threshold: 2 }]
    const { id } = await open(own, { opens: { needs: asked } })
    const administrator = { administrator: 'root' }
    expect((await answer(id, own.principal, true, administrator)).outcome).toBe('for_a_person')
    expect(await answer(id, organization, true, administrator)).toEqual({ outcome: 'answered', state: 'pending' })
    expect(await answer(id, service, true, administrator)).toEqual({ outcome: 'answered', state: 'approved' })
    const votes = (await stores[0].find(id))?.votes
    // Of two votes within one millisecond neither is the first.
    expect(votes?.find((vote) => vote.approver === organization)).toMatchObject({ answeredBy: 'admin:root' })
  })

  test('approves when as many as each rule asks for have said yes; one no ends it', async () => {
    const own = await seed(database.query)
    const [ann, bob, cat] = [await newPrincipal(), await newPrincipal(), await newPrincipal()]
    const asked = [
      { approvers: [ann, bob], threshold: 2 },
      { approvers: [cat], threshold: 1 },
    ]
    const { id } = await open(own, { opens: { needs: asked } })
    expect((await answer(id, cat)).state).toBe('pending')
    expect((await answer(id, ann)).state).toBe('pending')
    expect((await answer(id, ann, false)).outcome).toBe('answered_before')
    expect((await answer(id, bob)).state).toBe('approved')
    const other = await open(own, { record: { turn: 't' }, opens: { needs: asked } })
    expect((await answer(other.id, ann)).state).toBe('pending')
    expect(await answer(other.id, bob, false)).toEqual({ outcome: 'answered', state: 'denied' })
    expect(await answer(other.id, cat)).toEqual({ outcome: 'over', state: 'denied' })
  })

  test('of whoever was suspended after it counts no more, neither for what is missing nor when it is redeemed', async () => {
    const own = await seed(database.query)
    const [ann, bob] = [await newPrincipal(), await newPrincipal()]
    const two = [{ approvers: [ann, bob], threshold: 2 }]
    const { id } = await open(own, { opens: { needs: two } })
    await answer(id, ann)
    await database.query(`UPDATE principal SET status = 'suspended' WHERE id = $1`, [ann])
    expect(await answer(id, bob)).toEqual({ outcome: 'answered', state: 'pending' })
    const other = await approved(own, { record: { turn: 't' }, opens: { needs: needs(own.principal, bob) } })
    expect(codeOf(await redeem(own, other, { record: { turn: 't' } }))).toBe('committed')
    const third = await open(own, { record: { turn: 'u' }, opens: { needs: needs(bob) } })
    await answer(third.id, bob)
    await database.query(`UPDATE principal SET status = 'suspended' WHERE id = $1`, [bob])
    expect(codeOf(await redeem(own, third.id, { record: { turn: 'u' } }))).toBe('approval_unknown')
  })

  const FALLEN: readonly (readonly [string, string, (own: Seed) => string])[] = [
    ['the agent', `UPDATE agent SET status = 'suspended' WHERE id = $1`, (own) => own.agent],
    ['the key', `UPDATE key SET status = 'retired' WHERE kid = $1`, (own) => own.key.jkt],
    ['the delegation', `UPDATE delegation SET status = 'revoked' WHERE id = $1`, (own) => own.delegation],
    ['a delegation above', `UPDATE delegation SET status = 'revoked' WHERE id = $1`, (own) => own.parent],
    ['the resource', `UPDATE resource SET status = 'suspended' WHERE id = $1`, (own) => own.resource.id],
    ['the action type', `UPDATE action_type SET status = 'suspended' WHERE type = $1`, (own) => own.type],
    ['the version of the type', `UPDATE action_type SET version = version + 1 WHERE type = $1`, (own) => own.type],
  ]
  test.each(FALLEN)('after %s was stopped finds it void, and so it stays', async (_, sql, id) => {
    const own = await seed(database.query)
    const asked = await newPrincipal()
    const approval = await open(own, { opens: { needs: needs(asked) } })
    await database.query(sql, [id(own)])
    expect(await stores[0].find(approval.id)).toMatchObject({ state: 'pending', isStanding: false })
    expect(await answer(approval.id, asked)).toEqual({ outcome: 'void', state: 'void' })
    expect(await stateOf(approval.id)).toBe('void')
    expect(await answer(approval.id, asked)).toEqual({ outcome: 'over', state: 'void' })
  })

  test('after a restore of what was asked before it finds it void', async () => {
    const own = await seed(database.query)
    const { id } = await open(own)
    const other = await approved(own, { record: { turn: 't' } })
    await database.query('UPDATE generation SET restored_at = clock_timestamp()')
    expect((await answer(id, own.principal)).outcome).toBe('void')
    const marks = [{ ...newMark('proof'), issuedAt: Math.floor(Date.now() / 1_000) + 5 }]
    expect(codeOf(await redeem(own, other, { marks, record: { turn: 't' } }))).toBe('approval_unknown')
    await database.query('UPDATE generation SET restored_at = NULL')
  })
})

describe('what was approved', () => {
  test('is one token: of a hundred that redeem it on two processes one does', async () => {
    const own = await seed(database.query)
    const id = await approved(own)
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, n) => redeem(own, id, {}, commits[n % 2 === 0 ? 0 : 1])),
    )
    expect(outcomes.filter(({ outcome }) => outcome === 'committed')).toHaveLength(1)
    expect(outcomes.filter((outcome) => codeOf(outcome) === 'approval_unknown')).toHaveLength(99)
    const rows = await database.query<{ jti: string }>(
      `SELECT jti FROM record WHERE agent = $1 AND decision = 'issued' AND kind = 'action_token'`,
      [own.agent],
    )
    expect(rows).toHaveLength(1)
    expect(await stores[0].find(id)).toMatchObject({ state: 'redeemed', jti: rows[0]?.jti })
  })

  test('is one token every time, once both processes know what to do', async () => {
    for (let round = 0; round < 20; round++) {
      const own = await seed(database.query)
      const id = await approved(own)
      const outcomes = await Promise.all(
        commits.flatMap((store) => [redeem(own, id, {}, store), redeem(own, id, {}, store)]),
      )
      expect(outcomes.filter(({ outcome }) => outcome === 'committed')).toHaveLength(1)
    }
  })

  test('is nothing but that: another action, key, type version, turn, or one that nobody approved', async () => {
    const own = await seed(database.query)
    const id = await approved(own, { record: { turn: 't' } })
    const turn = 't'
    for (const record of [
      { turn, actionDigest: 'another' },
      { turn, action: '{}' },
      { turn, resource: 'https://elsewhere.example' },
      { turn: 'u' },
      { turn: undefined },
      { turn, delegation: own.parent },
      { turn, jkt: await newKey(own) },
      { turn, principal: await newPrincipal() },
    ] as object[]) {
      expect(codeOf(await redeem(own, id, { record }))).toBe('approval_unknown')
    }
    const waiting = await open(own, { record: { turn: 'w' } })
    expect(codeOf(await redeem(own, waiting.id, { record: { turn: 'w' } }))).toBe('approval_unknown')
    expect(codeOf(await redeem(own, 'apr_nothing', { record: { turn } }))).toBe('approval_unknown')
    expect(codeOf(await redeem(await seed(database.query), id, { record: { turn } }))).toBe('approval_unknown')
    expect(codeOf(await redeem(own, id, { record: { turn } }))).toBe('committed')
  })

  test('is redeemed only while it is good for it', async () => {
    const own = await seed(database.query)
    const id = await approved(own)
    await database.query(`UPDATE approval SET expires_at = now() WHERE id = $1`, [id])
    expect(codeOf(await redeem(own, id))).toBe('approval_unknown')
    expect(await stateOf(id)).toBe('expired')
  })

  test('at the last moment can still be redeemed', async () => {
    const own = await seed(database.query)
    const { id } = await open(own, { opens: { lifetimeSeconds: 2 } })
    await answer(id, own.principal)
    const left = ((await stores[0].find(id))?.expiresAt.getTime() ?? 0) - Date.now()
    expect(left).toBeGreaterThan(20_000)
    expect(left).toBeLessThan(40_000)
  })
})

describe('polls', () => {
  test('at the interval are in time, sooner ones make it longer by five seconds each, on whichever process', async () => {
    const own = await seed(database.query)
    const { id } = await open(own)
    expect(await stores[0].countPoll(id)).toEqual({
      isTooSoon: false,
      intervalSeconds: 5,
      expiresInSeconds: expect.any(Number),
    })
    expect(await stores[1].countPoll(id)).toMatchObject({ isTooSoon: true, intervalSeconds: 10 })
    expect(await stores[0].countPoll(id)).toMatchObject({ isTooSoon: true, intervalSeconds: 15 })
    await database.query(`UPDATE approval SET next_poll_at = now() - interval '1 ms' WHERE id = $1`, [id])
    expect(await stores[0].countPoll(id)).toMatchObject({ isTooSoon: false, intervalSeconds: 15 })
  })

  test('that come at once: one is in time', async () => {
    const own = await seed(database.query)
    const { id } = await open(own)
    const polls = await Promise.all(Array.from({ length: 10 }, (_, n) => stores[n % 2 === 0 ? 0 : 1].countPoll(id)))
    expect(polls.filter(({ isTooSoon }) => !isTooSoon)).toHaveLength(1)
    expect((await stores[0].find(id))?.intervalSeconds).toBe(50)
  })
})

describe('lists', () => {
  test('are newest first, by who may answer, agent, principal and state, and go on after one', async () => {
    const own = await seed(database.query)
    const ann = await newPrincipal()
    const ids = ['01', '02', '03'].map((n) => `apr_${n}-${randomUUID()}`)
    for (const [n, id] of ids.entries()) {
      const asked = n === 1 ? needs(ann, own.principal) : needs(own.principal)
      await open(own, { record: { turn: `t${n}` }, opens: { id, needs: asked } })
    }
    await answer(ids[0] ?? '', own.principal)
    const page = async (filter: object, after?: string, limit = 10) =>
      (await stores[1].page(filter, { after, limit })).map(({ id }) => id)
    expect(await page({ agent: own.agent })).toEqual(ids.toReversed())
    expect(await page({ principal: own.principal }, ids[2], 1)).toEqual([ids[1]])
    expect(await page({ approver: ann })).toEqual([ids[1]])
    expect(await page({ approver: own.principal, state: 'pending' })).toEqual([ids[2], ids[1]])
    expect(await page({ agent: own.agent, state: 'approved' })).toEqual([ids[0]])
    await database.query(`UPDATE approval SET expires_at = now() WHERE agent_id = $1`, [own.agent])
    expect(await page({ agent: own.agent, state: 'expired' })).toEqual(ids.toReversed())
    expect(await page({ agent: own.agent, state: 'pending' })).toEqual([])
  })
})

test('whoever asks for a ping again gets the one that still waits, with the token that was said last', async () => {
  const own = await seed(database.query)
  await database.query(
    `UPDATE agent SET backchannel_token_delivery_mode = 'ping', backchannel_client_notification_endpoint = $2 WHERE id = $1`,
    [own.agent, 'https://agent.example/ping'],
  )
  const id = await approved(own, { opens: { notificationToken: Buffer.from('first') } })
  const pings = async () => {
    const rows = await database.query<{ sealed: Uint8Array }>(
      `SELECT sealed FROM notification WHERE approval_id = $1 AND kind = 'ping' ORDER BY expires_at`,
      [id],
    )
    return rows.map(({ sealed }) => Buffer.from(sealed).toString())
  }
  expect(await pings()).toEqual(['first'])
  await stores[0].pingWith(id, Buffer.from('second'))
  expect(await pings()).toEqual(['second'])
  // Where it is sent is where the agent is pinged now.
  await database.query('UPDATE agent SET backchannel_client_notification_endpoint = $2 WHERE id = $1', [
    own.agent,
    'https://agent.example/moved',
  ])
  await stores[0].pingWith(id, Buffer.from('second'))
  const [waiting] = await database.query(`SELECT url FROM notification WHERE approval_id = $1 AND kind = 'ping'`, [id])
  expect(waiting).toEqual({ url: 'https://agent.example/moved' })

  // One that was given up keeps nobody from being told.
  await database.query(`UPDATE notification SET expires_at = now() - interval '1 second' WHERE approval_id = $1`, [id])
  await stores[1].pingWith(id, Buffer.from('third'))
  expect(await pings()).toEqual(['second', 'third'])
})
