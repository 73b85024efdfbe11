import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openCatalogue } from '../../src/adapters/prisma/catalogue.ts'
import { isDatabaseUnavailable } from '../../src/adapters/prisma/database-errors.ts'
import { directory as openDirectory } from '../../src/adapters/prisma/directory.ts'
import { groupCommit } from '../../src/adapters/prisma/group-commit.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { revocations } from '../../src/adapters/prisma/revocations.ts'
import { subDelegations } from '../../src/adapters/prisma/sub-delegations.ts'
import { tokenStatus } from '../../src/adapters/prisma/token-status.ts'
import { chargesAlong } from '../../src/commands/authority.ts'
import { judgeAction } from '../../src/commands/judge-action.ts'
import { chainOf } from '../../src/core/delegation/delegation.ts'
import { isRefusal } from '../../src/core/refusal.ts'
import type { Directory, Freshness } from '../../src/ports.ts'
import { openTestDatabase } from '../support/database.ts'
import { makeKey, type TestKey } from '../wire/signing.ts'
import { insertIdentity, issued, newMark, type Seed, seed } from './seed.ts'

/** Random trees; each grows, acts and is cut in bursts of calls that interleave. */
const RUNS = 120
const BURSTS = 5
const AGENTS = 8
const LETTERS = ['a', 'b', 'c', 'd']

let database: Database
/** Two processes on one database. */
let processes: readonly { readonly commit: ReturnType<typeof groupCommit>['commit']; readonly directory: Directory }[]
let story: Seed
let agents: readonly { readonly id: string; readonly key: TestKey }[]
beforeAll(async () => {
  database = await openTestDatabase()
  story = await seed(database.query)
  agents = await Promise.all(
    Array.from({ length: AGENTS }, async (_, n) => {
      const [id, key] = [`chain-${n}-${story.agent}`, makeKey()]
      await insertIdentity(database.query, id, 'agent')
      await database.query('INSERT INTO agent (id, name) VALUES ($1, $1)', [id])
      const jwk = JSON.stringify(key.jwk)
      await database.query('INSERT INTO key (kid, owner_id, jwk) VALUES ($1, $2, $3::jsonb)', [key.jkt, id, jwk])
      return { id, key }
    }),
  )
  processes = await Promise.all(
    [0, 1].map(async () => ({
      ...groupCommit(database.query, 3, isDatabaseUnavailable),
      directory: openDirectory(database.query, await openCatalogue(database.query)),
    })),
  )
})
afterAll(() => database.close())

/** A delegation that was made, and what is known of it. */
interface Made {
  readonly id: string
  readonly lineage: readonly string[]
  /** Indexes of agents, root first. */
  readonly agents: readonly number[]
  readonly letters: readonly string[]
  readonly maxUses: number | undefined
}

const expiresAt = new Date(Date.now() + 3_600_000)
const boundOf = (letters: readonly string[]) => [{ type: story.type, to: { $in: [...letters] } }]
const actorOf = (n: number) => {
  const { id, key } = agents[n] as (typeof agents)[number]
  const now = Math.floor(Date.now() / 1_000)
  return { agentId: id, jti: `actor-${n}`, jkt: key.jkt, iat: now, exp: now + 600 }
}

async function newRoot(letters: readonly string[], maxUses: number | undefined): Promise<Made> {
  const id = `root-${randomUUID()}`
  await database.query(
    `INSERT INTO delegation (id, principal_id, agent_id, resource, authorization_details, granted_by, expires_at, lineage, limits)
     VALUES ($1, $2, $3, $4, $5::jsonb, 'principal', $6, ARRAY[$1], $7::jsonb)`,
    [
      ...[id, story.principal, agents[0]?.id, story.resource.identifier, JSON.stringify(boundOf(letters)), expiresAt],
      maxUses === undefined ? null : JSON.stringify({ max_uses: maxUses }),
    ],
  )
  return { id, lineage: [id], agents: [0], letters, maxUses }
}

/** Gives a delegation on, as the command has the store do it. */
async function give(
  parent: Made,
  actor: number,
  letters: readonly string[],
  maxUses: number | undefined,
): Promise<Made | string> {
  const [holder] = [agents[parent.agents.at(-1) ?? 0] as (typeof agents)[number]]
  const id = `child-${randomUUID()}`
  const lineage = [...parent.lineage, id]
  const outcome = await subDelegations(database.query).add({
    attemptId: randomUUID(),
    marks: [newMark('assertion'), newMark('proof')],
    child: {
      ...{ id, lineage, principalId: story.principal, agentId: agents[actor]?.id ?? '' },
      ...{ resource: story.resource.identifier, authorizationDetails: boundOf(letters), delegable: { maxDepth: 5 } },
      approval: { mode: 'none' },
      ...{ expiresAt, grantedBy: `agent:${holder.id}`, createdAt: new Date() },
      ...(maxUses !== undefined && { limits: { max_uses: maxUses } }),
    },
    ...{ actor: actorOf(actor), client: holder.id, assertionKid: holder.key.jkt, jkt: holder.key.jkt },
    actors: parent.agents.map((n) => agents[n]?.id ?? ''),
    ...{ recordId: randomUUID(), requestId: 'request' },
  })
  return outcome === 'ok' ? { id, lineage, agents: [...parent.agents, actor], letters, maxUses } : outcome
}

/** Decides and commits one action as the exchange does, by one of the processes. */
async function mint(made: Made, to: string, process: number, wanted: Freshness = 'cached'): Promise<string> {
  const { directory, commit } = processes[process] as (typeof processes)[number]
  const holder = agents[made.agents.at(-1) ?? 0] as (typeof agents)[number]
  for (const freshness of wanted === 'cached' ? (['cached', 'fresh'] as const) : (['fresh'] as const)) {
    const delegation = await directory.delegation(made.id, freshness)
    if (delegation === undefined) throw new Error('the delegation is missing')
    const wish = {
      ...{ resource: story.resource.identifier, element: { type: story.type, to } },
    }
    const judged = await judgeAction({ directory }, delegation, wish, freshness, new Date())
    if (judged.refusal !== undefined) {
      if (freshness === 'cached') continue
      return judged.refusal.code
    }
    const charges = chargesAlong(delegation, judged.resource, judged.action, true)
    if (isRefusal(charges)) return charges.code
    const jti = randomUUID()
    const outcome = await commit(
      issued(story, {
        record: { client: holder.id, agent: holder.id, delegation: made.id, jkt: holder.key.jkt, jti },
        charges,
        decidedOn: {
          assertionKid: holder.key.jkt,
          lineage: delegation.lineage,
          actors: chainOf(delegation).map(({ agent: { id, version } }) => ({ id, version })),
          resourceVersion: judged.resource.version,
        },
      }),
    )
    if (outcome.outcome === 'stale') continue
    return outcome.outcome === 'refused'
      ? outcome.code
      : outcome.outcome === 'committed'
        ? `ok ${jti}`
        : outcome.outcome
  }
  return 'stale'
}

const revoke = ({ id }: Made) =>
  revocations(database).revokeDelegation(id, { id: randomUUID(), client: agents[0]?.id ?? '', requestId: 'request' })
const setAgent = (n: number, status: 'active' | 'suspended') =>
  database.query('UPDATE agent SET status = $2::status, version = version + 1 WHERE id = $1', [agents[n]?.id, status])

describe('random trees, bounds, limits, revocations and interleavings on the store', () => {
  test(`${RUNS * BURSTS} of them: nothing exceeds an ancestor, an end ends what is below it and nothing else`, async () => {
    const tally = { made: 0, minted: 0, refused: 0, deep: 0, ended: 0, survived: 0, full: 0 }
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat({ max: 1_000_000 })), async (stream) => {
        const draw = (n: number) => (stream.next().value ?? 0) % n
        const some = (letters: readonly string[]) => {
          const kept = letters.filter(() => draw(3) > 0)
          return kept.length > 0 ? kept : letters.slice(0, 1)
        }
        const anyUses = () => (draw(3) === 0 ? 1 + draw(2) : undefined)
        const known: Made[] = [await newRoot(LETTERS, anyUses())]
        const minted: { readonly made: Made; readonly to: string; readonly jti: string }[] = []
        const ended = new Set<string>()
        const suspended = new Set<number>()
        const isOver = (made: Made) =>
          made.lineage.some((id) => ended.has(id)) || made.agents.some((n) => suspended.has(n))

        for (let burst = 0; burst < BURSTS; burst++) {
          // All at once; what is known to be over before the burst begins stays so throughout it.
          const over = new Set(known.filter(isOver).map(({ id }) => id))
          const present = [...known]
          await Promise.all(
            Array.from({ length: 4 + draw(4) }, async () => {
              // Rather deep than near the root.
              const made = present[Math.max(draw(present.length), draw(present.length))] as Made
              // It grows first.
              const kind = burst < 2 ? draw(6) : draw(10)
              if (kind < 4) {
                const actor = draw(AGENTS)
                if (made.agents.includes(actor) || made.lineage.length >= 6) return
                const child = await give(made, actor, some(made.letters), anyUses())
                if (typeof child === 'string') {
                  tally.refused++
                } else {
                  expect(over.has(made.id)).toBe(false)
                  known.push(child)
                  tally.made++
                }
              } else if (kind < 9) {
                const to = LETTERS[draw(LETTERS.length)] ?? 'a'
                const outcome = await mint(made, to, draw(2), draw(2) === 0 ? 'cached' : 'fresh')
                if (outcome.startsWith('ok ')) {
                  expect(over.has(made.id)).toBe(false)
                  minted.push({ made, to, jti: outcome.slice(3) })
                } else {
                  tally.refused++
                  if (outcome === 'limit_reached') tally.full++
                }
              } else if (draw(2) === 0) {
                await revoke(made)
                ended.add(made.id)
              } else {
                const n = made.agents.at(-1) ?? 0
                await setAgent(n, 'suspended')
                suspended.add(n)
              }
            }),
          )
        }

        // What was done never exceeded an ancestor: its bounds, its uses.
        const byId = new Map(known.map((made) => [made.id, made]))
        for (const { made, to } of minted) {
          tally.minted++
          if (made.lineage.length > 2) tally.deep++
          for (const id of made.lineage) expect(byId.get(id)?.letters).toContain(to)
        }
        for (const made of known) {
          const uses = minted.filter((one) => one.made.lineage.includes(made.id)).length
          expect(uses).toBeLessThanOrEqual(made.maxUses ?? Number.POSITIVE_INFINITY)
        }
        // No delegation is left in force below one that was revoked.
        for (const made of known.filter(({ lineage }) => lineage.some((id) => ended.has(id)))) {
          const [row] = await database.query<{ status: string }>('SELECT status::text FROM delegation WHERE id = $1', [
            made.id,
          ])
          expect(row?.status).toBe('revoked')
        }
        // Every token and every delegation below an end is over, at mint and at introspection; all others are as they were.
        const { live } = tokenStatus(database.query)
        for (const { made, jti } of minted) expect((await live(jti)) !== undefined).toBe(!isOver(made))
        for (const made of known) {
          const outcome = await mint(made, made.letters[0] ?? 'a', draw(2))
          if (isOver(made)) {
            expect(['delegation_inactive', 'actor_inactive', 'client_inactive']).toContain(outcome)
            tally.ended++
          } else {
            expect(outcome).toMatch(/^ok |^limit_reached$/)
            tally.survived++
          }
        }
        for (const n of suspended) await setAgent(n, 'active')
      }),
      { numRuns: RUNS },
    )
    // A law whose premise never holds proves nothing.
    expect(tally.made).toBeGreaterThan(RUNS)
    expect(tally.minted).toBeGreaterThan(RUNS)
    for (const name of ['deep', 'full', 'refused', 'ended', 'survived'] as const) {
      expect(tally[name], name).toBeGreaterThan(20)
    }
  }, 120_000)
})

describe('what one statement of sub-delegation re-checks', () => {
  const root = () => newRoot(LETTERS, undefined)
  const giving = async (
    made: Made,
    change: (entry: Parameters<ReturnType<typeof subDelegations>['add']>[0]) => object,
    maxTree?: number,
  ) => {
    const holder = agents[0] as (typeof agents)[number]
    const id = `child-${randomUUID()}`
    const entry = {
      ...{ attemptId: randomUUID(), marks: [newMark('assertion'), newMark('proof')] },
      child: {
        ...{ id, lineage: [...made.lineage, id], principalId: story.principal, agentId: agents[1]?.id ?? '' },
        ...{
          authorizationDetails: boundOf(['a']),
          delegable: { maxDepth: 0 },
          approval: { mode: 'none' as const },
          expiresAt,
          grantedBy: 'agent',
        },
        createdAt: new Date(),
      },
      ...{ actor: actorOf(1), client: holder.id, assertionKid: holder.key.jkt, jkt: holder.key.jkt },
      ...{ actors: [holder.id], recordId: randomUUID(), requestId: 'request' },
    }
    return subDelegations(database.query, undefined, maxTree).add({ ...entry, ...change(entry) })
  }
  const withRow = async (change: string, id: string | undefined, back: string, work: () => Promise<void>) => {
    await database.query(change, [id])
    await work().finally(() => database.query(back, [id]))
  }

  test.each<[string, string, (made: Made) => Promise<string>]>([
    ['all is well', 'ok', (made) => giving(made, () => ({}))],
    [
      'an assertion that was used',
      'assertion_replayed',
      async (made) => {
        const marks = [newMark('assertion', 'twice'), newMark()]
        await giving(made, () => ({ marks }))
        return giving(made, () => ({ marks: [marks[0], newMark()] }))
      },
    ],
    [
      'a proof that was used',
      'proof_replayed',
      async (made) => {
        const mark = newMark('proof', 'twice-too')
        await giving(made, () => ({ marks: [mark] }))
        return giving(made, () => ({ marks: [newMark('assertion'), mark] }))
      },
    ],
    [
      'a key of the assertion that is not the client’s',
      'assertion_invalid',
      (made) => giving(made, () => ({ assertionKid: agents[2]?.key.jkt })),
    ],
    [
      'a key of the proof that is not the client’s',
      'proof_key_mismatch',
      (made) => giving(made, () => ({ jkt: agents[2]?.key.jkt })),
    ],
    [
      'a key that is not the next actor’s',
      'actor_token_invalid',
      (made) => giving(made, ({ actor }) => ({ actor: { ...actor, jkt: agents[2]?.key.jkt } })),
    ],
    [
      'an actor token that is over',
      'actor_token_invalid',
      (made) => giving(made, ({ actor }) => ({ actor: { ...actor, exp: actor.iat - 1 } })),
    ],
    [
      'a parent that is none',
      'delegation_inactive',
      (made) => giving(made, ({ child }) => ({ child: { ...child, lineage: ['none', child.id] } })),
    ],
    [
      'an end after its parent’s',
      'delegation_inactive',
      (made) => giving(made, ({ child }) => ({ child: { ...child, expiresAt: new Date(expiresAt.getTime() + 1) } })),
    ],
  ])('%s: %s', async (_name, outcome, work) => {
    expect(await work(await root())).toBe(outcome)
  })

  test('the actor token was revoked', async () => {
    const made = await root()
    await database.query(
      `INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ('actor-gone', now() + interval '1 hour', 'x')`,
    )
    expect(await giving(made, ({ actor }) => ({ actor: { ...actor, jti: 'actor-gone' } }))).toBe('actor_token_invalid')
  })

  test.each<[string, string, string, string, () => string | undefined]>([
    [
      'everything is stopped',
      'stopped',
      `UPDATE generation SET stopped_at = now() WHERE $1::text IS NULL`,
      `UPDATE generation SET stopped_at = NULL WHERE $1::text IS NULL`,
      () => undefined,
    ],
    [
      'the caller is suspended',
      'client_inactive',
      `UPDATE agent SET status = 'suspended' WHERE id = $1`,
      `UPDATE agent SET status = 'active' WHERE id = $1`,
      () => agents[0]?.id,
    ],
    [
      'the next actor is suspended',
      'actor_token_invalid',
      `UPDATE agent SET status = 'suspended' WHERE id = $1`,
      `UPDATE agent SET status = 'active' WHERE id = $1`,
      () => agents[1]?.id,
    ],
    [
      'the principal is suspended',
      'principal_inactive',
      `UPDATE principal SET status = 'suspended' WHERE id = $1`,
      `UPDATE principal SET status = 'active' WHERE id = $1`,
      () => story.principal,
    ],
    [
      'the key of the caller is retired',
      'assertion_invalid',
      `UPDATE key SET status = 'retired' WHERE kid = $1`,
      `UPDATE key SET status = 'active' WHERE kid = $1`,
      () => agents[0]?.key.jkt,
    ],
  ])('%s: %s', async (_name, outcome, change, back, id) => {
    const made = await root()
    await withRow(change, id(), back, async () => {
      expect(await giving(made, () => ({}))).toBe(outcome)
    })
    expect(await giving(made, () => ({}))).toBe('ok')
  })

  /** Copies of a child, as if it had been given on so often. */
  const multiply = (child: Made, count: number, change: string) =>
    database.query(
      `INSERT INTO delegation (id, principal_id, agent_id, authorization_details, granted_by, lineage, expires_at)
       SELECT id || '-' || n, principal_id, agent_id, authorization_details, granted_by,
         lineage[:cardinality(lineage) - 1] || (id || '-' || n), ${change} FROM delegation, generate_series(1, $2::int) n WHERE id = $1`,
      [child.id, count],
    )

  test('a tree grows as far as it can be cut at once: what is in force below its root counts, wherever it is', async () => {
    const made = await root()
    const child = (await give(made, 1, ['a'], undefined)) as Made
    const grandchild = (await give(child, 2, ['a'], undefined)) as Made
    await multiply(grandchild, 7, 'expires_at')
    expect(await giving(made, () => ({}), 10)).toBe('ok')
    expect(await giving(made, () => ({}), 10)).toBe('delegation_full')
    expect(await giving(await root(), () => ({}), 10)).toBe('ok')
    await database.query(`UPDATE delegation SET expires_at = now() WHERE id = $1`, [grandchild.id])
    expect(await giving(made, () => ({}), 10)).toBe('ok')
  })

  test('the end of a tree leaves alone what has expired below: of that there may be any number', async () => {
    const made = await root()
    const child = (await give(made, 1, ['a'], undefined)) as Made
    await multiply(child, 50, `now() - interval '1 hour'`)
    const entry = { id: randomUUID(), client: agents[0]?.id ?? '', requestId: 'request' }
    await revocations(database).revokeDelegation(made.id, entry)
    const rows = await database.query(
      `SELECT status::text, count(*)::int AS n FROM delegation WHERE lineage @> ARRAY[$1] GROUP BY 1 ORDER BY 1`,
      [made.id],
    )
    expect(rows).toEqual([
      { status: 'active', n: 50 },
      { status: 'revoked', n: 2 },
    ])
  })

  test('an agent above is suspended, a delegation above revoked', async () => {
    const made = await root()
    const child = (await give(made, 1, ['a'], undefined)) as Made
    await setAgent(0, 'suspended')
    expect(await give(child, 2, ['a'], undefined)).toBe('actor_inactive')
    await setAgent(0, 'active')
    expect(typeof (await give(child, 2, ['a'], undefined))).toBe('object')
    await database.query(`UPDATE delegation SET status = 'revoked' WHERE id = $1`, [made.id])
    expect(await give(child, 2, ['a'], undefined)).toBe('delegation_inactive')
  })
})

describe('a token that another one was exchanged for', () => {
  const downstream = (lineage: readonly string[]) => {
    const { commit } = processes[0] as (typeof processes)[number]
    return commit(issued(story, { record: { tokenLineage: lineage } }))
  }
  const first = async () => {
    const entry = issued(story)
    await processes[0]?.commit(entry)
    return entry.record.jti ?? ''
  }

  test('may be consumed; neither revoked nor unknown', async () => {
    const jti = await first()
    expect((await downstream([jti])).outcome).toBe('committed')
    await database.query(`SELECT * FROM writ_consume($1, $2, 'use-1')`, [jti, story.resource.id])
    expect((await downstream([jti])).outcome).toBe('committed')
    await database.query(
      `INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ($1, now() + interval '1 hour', 'x')`,
      [jti],
    )
    expect(await downstream([jti])).toMatchObject({ outcome: 'refused', code: 'subject_token_invalid' })
    expect(await downstream([randomUUID()])).toMatchObject({ outcome: 'refused', code: 'subject_token_invalid' })
  })

  test('that stands on one that was revoked is over too, and what stands on it', async () => {
    const jti = await first()
    const second = issued(story, { record: { tokenLineage: [jti] } })
    await processes[0]?.commit(second)
    const third = issued(story, { record: { tokenLineage: [jti, second.record.jti ?? ''] } })
    await processes[0]?.commit(third)
    const { live } = tokenStatus(database.query)
    expect(await live(third.record.jti ?? '')).toBeDefined()
    await database.query(
      `INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ($1, now() + interval '1 hour', 'x')`,
      [jti],
    )
    expect(await live(third.record.jti ?? '')).toBeUndefined()
    expect(await downstream([jti, second.record.jti ?? ''])).toMatchObject({ code: 'subject_token_invalid' })
  })

  test('by rules of a version that is no longer current: decided again', async () => {
    const { commit } = processes[0] as (typeof processes)[number]
    const key = makeKey()
    await database.query('INSERT INTO key (kid, owner_id, jwk) VALUES ($1, $2, $3::jsonb)', [
      ...[key.jkt, story.resource.id, JSON.stringify(key.jwk)],
    ])
    const jti = await first()
    const by = (clientVersion: number) =>
      commit(
        issued(story, {
          record: { client: story.resource.id, jkt: key.jkt, tokenLineage: [jti] },
          decidedOn: { assertionKid: key.jkt, clientVersion },
        }),
      )
    expect((await by(1)).outcome).toBe('committed')
    expect((await by(0)).outcome).toBe('stale')
  })
})
