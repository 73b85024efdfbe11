import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openCatalogue } from '../../src/adapters/prisma/catalogue.ts'
import { isDatabaseUnavailable } from '../../src/adapters/prisma/database-errors.ts'
import { directory } from '../../src/adapters/prisma/directory.ts'
import { watchGeneration } from '../../src/adapters/prisma/generation.ts'
import { groupCommit } from '../../src/adapters/prisma/group-commit.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { prune } from '../../src/adapters/prisma/prune.ts'
import { revocations } from '../../src/adapters/prisma/revocations.ts'
import { strangerTally } from '../../src/adapters/prisma/stranger-tally.ts'
import { isTokenRevoked, tokenStatus } from '../../src/adapters/prisma/token-status.ts'
import { openTestDatabase } from '../support/database.ts'
import { makeKey } from '../wire/signing.ts'
import { insertActionType, insertDelegation, insertIdentity, issued, newMark, seed } from './seed.ts'

let database: Database
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())

const query: Database['query'] = (...args) => database.query(...args)
const unexpected = (error: unknown) => {
  throw error
}

describe('the directory', () => {
  const open = async () => directory(query, await openCatalogue(query))

  test('knows clients by id, with their active keys and no others', async () => {
    const story = await seed(query)
    const [second, retired] = [makeKey('Ed25519'), makeKey()]
    await query(`INSERT INTO key (kid, owner_id, jwk, expires_at) VALUES ($1, $2, $3::jsonb, '2100-01-01')`, [
      second.jkt,
      story.agent,
      JSON.stringify(second.jwk),
    ])
    await query(`INSERT INTO key (kid, owner_id, jwk, status) VALUES ($1, $2, $3::jsonb, 'retired')`, [
      retired.jkt,
      story.agent,
      JSON.stringify(retired.jwk),
    ])
    expect(await (await open()).client(story.agent, 'fresh')).toEqual({
      id: story.agent,
      kind: 'agent',
      status: 'active',
      scope: [],
      keys: [
        { kid: story.key.jkt, jwk: story.key.jwk },
        { kid: second.jkt, jwk: second.jwk, expiresAt: new Date('2100-01-01T00:00:00Z') },
      ],
    })
  })

  test('tells a resource by its identifier, and an administrator by its scope', async () => {
    const story = await seed(query)
    const id = `administrator-${randomUUID()}`
    await insertIdentity(query, id, 'administrator')
    await query('INSERT INTO administrator (id, name, scope) VALUES ($1, $1, $2)', [id, ['admin', 'admin:read']])
    const { client } = await open()
    expect(await client(story.resource.id, 'fresh')).toMatchObject({
      kind: 'resource',
      identifier: story.resource.identifier,
      keys: [],
    })
    expect(await client(id, 'fresh')).toMatchObject({ kind: 'administrator', scope: ['admin', 'admin:read'] })
  })

  test('a principal is no client, and neither is an unknown id', async () => {
    const { principal } = await seed(query)
    const { client } = await open()
    expect(await client(principal, 'fresh')).toBeUndefined()
    expect(await client('nobody', 'fresh')).toBeUndefined()
  })

  test('reads a delegation with its lineage, its times and the status of its principal', async () => {
    const story = await seed(query)
    await query(
      `UPDATE delegation SET resource = $2, not_before = '2020-01-01', expires_at = '2100-01-01' WHERE id = $1`,
      [story.delegation, story.resource.identifier],
    )
    await query(`UPDATE principal SET status = 'suspended' WHERE id = $1`, [story.principal])
    await query('UPDATE delegation SET limits = $2::jsonb, delegable = $3::jsonb WHERE id = $1', [
      story.parent,
      JSON.stringify({ max_uses: 3 }),
      JSON.stringify({ max_depth: 2, agents: [story.agent] }),
    ])
    await query('UPDATE agent SET limits = $2::jsonb WHERE id = $1', [story.agent, JSON.stringify({ max_uses: 9 })])
    const common = {
      agentId: story.agent,
      agent: { id: story.agent, status: 'active', version: 1, limits: { max_uses: 9 } },
      principal: { id: story.principal, status: 'suspended' },
      approval: { mode: 'none' },
    }
    expect(await (await open()).delegation(story.delegation, 'fresh')).toEqual({
      ...common,
      id: story.delegation,
      delegable: { maxDepth: 0 },
      ancestors: [
        {
          ...common,
          id: story.parent,
          authorizationDetails: [{ type: 'email_send' }],
          limits: { max_uses: 3 },
          delegable: { maxDepth: 2, agents: [story.agent] },
          expiresAt: expect.any(Date),
          lineage: [story.parent],
          status: 'active',
          ancestors: [],
        },
      ],
      resource: story.resource.identifier,
      authorizationDetails: [{ type: 'email_send' }],
      notBefore: new Date('2020-01-01T00:00:00Z'),
      expiresAt: new Date('2100-01-01T00:00:00Z'),
      lineage: [story.parent, story.delegation],
      status: 'active',
    })
    expect(await (await open()).delegation('nothing', 'fresh')).toBeUndefined()
  })

  test('reads a resource by its identifier, code point by code point', async () => {
    const story = await seed(query)
    await query(
      `UPDATE resource SET action_types = '{email_send}', token_lifetime_seconds = 30, version = 7 WHERE id = $1`,
      [story.resource.id],
    )
    const { resource } = await open()
    expect(await resource(story.resource.identifier, 'fresh')).toEqual({
      id: story.resource.id,
      identifier: story.resource.identifier,
      status: 'active',
      version: 7,
      actionTypes: ['email_send'],
      tokenLifetimeSeconds: 30,
      tokenContent: 'full',
    })
    expect(await resource(`${story.resource.identifier}/`, 'fresh')).toBeUndefined()
    expect(await resource(story.resource.identifier.toUpperCase(), 'fresh')).toBeUndefined()
  })

  test('a resource that was not narrowed takes every type', async () => {
    const story = await seed(query)
    expect(await (await open()).resource(story.resource.identifier, 'fresh')).toMatchObject({ actionTypes: 'all' })
  })

  test('what is remembered may be old, what is asked for afresh is not, and is remembered in turn', async () => {
    const story = await seed(query)
    const { client } = await open()
    await client(story.agent, 'cached')
    await query(`UPDATE agent SET status = 'suspended' WHERE id = $1`, [story.agent])
    expect(await client(story.agent, 'cached')).toMatchObject({ status: 'active' })
    expect(await client(story.agent, 'fresh')).toMatchObject({ status: 'suspended' })
    expect(await client(story.agent, 'cached')).toMatchObject({ status: 'suspended' })
  })

  test('that something is not there is not remembered', async () => {
    const { client } = await open()
    const id = `late-${randomUUID()}`
    expect(await client(id, 'cached')).toBeUndefined()
    await insertIdentity(query, id, 'agent')
    await query('INSERT INTO agent (id, name) VALUES ($1, $1)', [id])
    expect(await client(id, 'cached')).toMatchObject({ id })
  })
})

describe('the catalogue', () => {
  test('finds compiled types, and lists the active ones in order of name', async () => {
    const [b, a] = [`b_${randomUUID()}`, `a_${randomUUID()}`].map((name) => name.replaceAll('-', '_')) as [
      string,
      string,
    ]
    await insertActionType(query, b)
    await insertActionType(query, a)
    const catalogue = await openCatalogue(query)
    expect(await catalogue.find(a, 'cached')).toMatchObject({ status: 'active', actionType: { type: a, version: 1 } })
    expect(await catalogue.find('nothing', 'fresh')).toBeUndefined()
    const names = catalogue.active().map(({ type }) => type)
    expect(names).toEqual(names.toSorted())

    await query(`UPDATE action_type SET status = 'suspended' WHERE type = $1`, [a])
    await catalogue.refresh()
    expect(catalogue.active().map(({ type }) => type)).not.toContain(a)
    expect(await catalogue.find(a, 'cached')).toMatchObject({ status: 'suspended' })
  })

  test('compiles a type once for each version', async () => {
    const { type } = await seed(query)
    const catalogue = await openCatalogue(query)
    const first = (await catalogue.find(type, 'cached'))?.actionType
    await catalogue.refresh()
    expect((await catalogue.find(type, 'fresh'))?.actionType).toBe(first)
    await query('UPDATE action_type SET version = 2, title = $2 WHERE type = $1', [type, 'Send it'])
    expect((await catalogue.find(type, 'cached'))?.actionType).toBe(first)
    expect((await catalogue.find(type, 'fresh'))?.actionType).toMatchObject({ version: 2, title: 'Send it' })
  })
})

describe('the generation', () => {
  test('is raised by every change of an action type or a signing key, and by nothing else', async () => {
    const value = async () => (await query<{ value: bigint }>('SELECT value FROM generation'))[0]?.value ?? 0n
    const { type, agent } = await seed(query)
    const before = await value()
    await query(`UPDATE agent SET status = 'suspended' WHERE id = $1`, [agent])
    expect(await value()).toBe(before)
    await query('UPDATE action_type SET version = version + 1 WHERE type = $1', [type])
    expect(await value()).toBe(before + 1n)
    await query(
      `INSERT INTO signing_key (kid, alg, public_jwk, sealed, activates_at) VALUES ($1, 'ES256', '{}', '', now())`,
      [randomUUID()],
    )
    expect(await value()).toBe(before + 2n)
    await query('DELETE FROM signing_key')
    expect(await value()).toBe(before + 3n)
  })

  test('makes a watch rebuild once, at once when it is asked and by itself soon after', async () => {
    const { type } = await seed(query)
    let built = 0
    const rebuild = async () => {
      built += 1
    }
    const watch = await watchGeneration(query, rebuild, unexpected)
    expect(built).toBe(1)
    await watch.check()
    expect(built).toBe(1)
    await query('UPDATE action_type SET version = version + 1 WHERE type = $1', [type])
    await watch.check()
    await watch.check()
    expect(built).toBe(2)
    await query('UPDATE action_type SET version = version + 1 WHERE type = $1', [type])
    await expect.poll(() => built, { timeout: 10_000 }).toBe(3)
    await watch.stop()
    await query('UPDATE action_type SET version = version + 1 WHERE type = $1', [type])
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(built).toBe(3)
  })

  test('a rebuild that fails is tried again', async () => {
    const { type } = await seed(query)
    const faults: unknown[] = []
    let built = 0
    const rebuild = async () => {
      built += 1
      if (built === 2) throw new Error('not now')
    }
    const watch = await watchGeneration(query, rebuild, (error) => faults.push(error))
    await query('UPDATE action_type SET version = version + 1 WHERE type = $1', [type])
    await expect.poll(() => built, { timeout: 10_000 }).toBe(3)
    await watch.stop()
    expect(faults).toEqual([new Error('not now')])
  })
})

describe('the status of a token', () => {
  const live = (jti: string) => tokenStatus(query).live(jti)
  const mint = async (change: Parameters<typeof issued>[1] = {}) => {
    const story = await seed(query)
    const entry = issued(story, change)
    await groupCommit(query, 1_000, isDatabaseUnavailable).commit(entry)
    return { story, jti: entry.record.jti ?? '' }
  }

  test('is live with its action, while everything stands', async () => {
    const { story, jti } = await mint()
    expect(await live(jti)).toEqual({ action: { to: 'bob', type: story.type } })
  })

  test.each([
    { name: 'the agent is suspended', sql: `UPDATE agent SET status = 'suspended' WHERE id = $1`, id: 'agent' },
    {
      name: 'the principal is suspended',
      sql: `UPDATE principal SET status = 'suspended' WHERE id = $1`,
      id: 'principal',
    },
    {
      name: 'the action type is suspended',
      sql: `UPDATE action_type SET status = 'suspended' WHERE type = $1`,
      id: 'type',
    },
    {
      name: 'the resource is suspended',
      sql: `UPDATE resource SET status = 'suspended' WHERE id = $1`,
      id: 'resource',
    },
    { name: 'the resource is retired', sql: `UPDATE resource SET status = 'retired' WHERE id = $1`, id: 'resource' },
    { name: 'the key is retired', sql: `UPDATE key SET status = 'retired' WHERE kid = $1`, id: 'key' },
    { name: 'the key expired', sql: 'UPDATE key SET expires_at = now() WHERE kid = $1', id: 'key' },
    {
      name: 'the delegation is revoked',
      sql: `UPDATE delegation SET status = 'revoked' WHERE id = $1`,
      id: 'delegation',
    },
    { name: 'the delegation expired', sql: 'UPDATE delegation SET expires_at = now() WHERE id = $1', id: 'delegation' },
    { name: 'the parent is revoked', sql: `UPDATE delegation SET status = 'revoked' WHERE id = $1`, id: 'parent' },
    { name: 'the parent expired', sql: 'UPDATE delegation SET expires_at = now() WHERE id = $1', id: 'parent' },
    {
      name: 'the parent is not valid yet',
      sql: `UPDATE delegation SET not_before = now() + interval '1 day' WHERE id = $1`,
      id: 'parent',
    },
  ] as const)('is not live once $name', async ({ sql, id }) => {
    const { story, jti } = await mint()
    await query(sql, [id === 'resource' ? story.resource.id : id === 'key' ? story.key.jkt : story[id]])
    expect(await live(jti)).toBeUndefined()
  })

  test('an expired token is not live, nor an unknown one, nor one that was refused', async () => {
    const past = Math.floor(Date.now() / 1_000) - 1
    expect(await live((await mint({ record: { tokenIssuedAt: past - 60, tokenExpiresAt: past } })).jti)).toBeUndefined()
    expect(await live('unknown')).toBeUndefined()
    expect(await live((await mint({ decidedOn: { resourceId: 'nowhere' } })).jti)).toBeUndefined()
  })

  test('many asked for at once: one statement, each has its own answer, and one twice both', async () => {
    const [a, b] = [await mint(), await mint({ record: { action: '{"to":"eve","type":"x"}' } })]
    let statements = 0
    const counted: Database['query'] = (...args) => {
      statements += 1
      return query(...args)
    }
    const { live: ask } = tokenStatus(counted)
    const asked = await Promise.all([a.jti, 'unknown', b.jti, a.jti, '"],null'].map(ask))
    expect(asked.map((found) => found?.action.to)).toEqual(['bob', undefined, 'eve', 'bob', undefined])
    expect(statements).toBe(1)
  })

  test('the database away: everyone who asked is told, and nothing is asked twice', async () => {
    const lost = Object.assign(new Error('Connection terminated'), { code: '57P01' })
    let statements = 0
    const { live: ask } = tokenStatus(() => {
      statements += 1
      return Promise.reject(lost)
    })
    const errors = await Promise.all(['a', 'b'].map((jti) => ask(jti).catch((error: unknown) => error)))
    expect([errors, statements]).toEqual([[lost, lost], 1])
  })

  test('one that the database cannot be asked is a fault of its own asker only', async () => {
    const { jti } = await mint()
    const { live: ask } = tokenStatus(query)
    const [found, fault] = await Promise.all([ask(jti), ask('\u0000').catch((error: unknown) => error)])
    expect(found?.action.to).toBe('bob')
    expect(fault).toBeInstanceOf(Error)
  })

  test('a record of another kind with that jti is no action token', async () => {
    expect(await live((await mint({ record: { kind: 'agent_token' } })).jti)).toBeUndefined()
  })

  test('a revoked token is not live, is known to be revoked, and is recorded once', async () => {
    const { story, jti } = await mint()
    const token = { use: 'action', jti, clientId: story.agent, exp: Math.floor(Date.now() / 1_000) + 60 } as const
    const { revokeToken } = revocations(database)
    const withdraw = () => revokeToken(token, { id: randomUUID(), client: story.agent, requestId: 'r' })
    const now = Math.floor(Date.now() / 1_000)
    expect(await isTokenRevoked(query, jti, now)).toBe(false)
    await Promise.all([withdraw(), withdraw(), withdraw()])
    expect(await isTokenRevoked(query, jti, now)).toBe(true)
    expect(await live(jti)).toBeUndefined()
    const records = await query(`SELECT agent, because FROM record WHERE kind = 'revocation' AND client = $1`, [
      story.agent,
    ])
    expect(records).toEqual([{ agent: story.agent, because: { token_use: 'action', jti } }])
  })
})

describe('the revocation of a delegation', () => {
  test('ends the whole tree below it and nothing beside or above it, and is recorded once', async () => {
    const story = await seed(query)
    const { agent, principal, parent, delegation } = story
    const [leaf, sibling] = [`${delegation}-leaf`, `${delegation}-sibling`]
    await insertDelegation(query, { id: leaf, agent, principal, lineage: [parent, delegation, leaf] })
    await insertDelegation(query, { id: sibling, agent, principal, lineage: [parent, sibling] })
    const { revokeDelegation } = revocations(database)
    const withdraw = () => revokeDelegation(delegation, { id: randomUUID(), client: agent, requestId: 'r' })
    await withdraw()
    await withdraw()
    const rows = await query<{ id: string; status: string; ended: boolean }>(
      'SELECT id, status::text AS status, revoked_at IS NOT NULL AS ended FROM delegation WHERE agent_id = $1',
      [agent],
    )
    expect(Object.fromEntries(rows.map(({ id, status, ended }) => [id, `${status} ${ended}`]))).toEqual({
      [parent]: 'active false',
      [sibling]: 'active false',
      [delegation]: 'revoked true',
      [leaf]: 'revoked true',
    })
    const records = await query(
      `SELECT delegation, principal, because FROM record WHERE kind = 'revocation' AND client = $1`,
      [agent],
    )
    expect(records).toEqual([{ delegation, principal, because: { token_use: 'subject', delegations_ended: 2 } }])
  })

  test('an unknown one leaves no record', async () => {
    const client = `nobody-${randomUUID()}`
    await revocations(database).revokeDelegation('nothing', { id: randomUUID(), client, requestId: 'r' })
    expect(await query('SELECT 1 FROM record WHERE client = $1', [client])).toEqual([])
  })
})

describe('the tally of strangers', () => {
  const counted = async () =>
    Object.fromEntries(
      (
        await query<{ code: string; count: number }>(
          `SELECT code, sum(count)::int AS count FROM refusal_tally WHERE client = '' GROUP BY code`,
        )
      ).map(({ code, count }) => [code, count]),
    )

  test('adds up over processes, and writes what is left when it stops', async () => {
    const [one, two] = [strangerTally(query, unexpected), strangerTally(query, unexpected)]
    for (let n = 0; n < 5; n += 1) one.count('client_unknown')
    two.count('client_unknown')
    two.count('assertion_missing')
    await Promise.all([one.stop(), two.stop()])
    expect(await counted()).toMatchObject({ client_unknown: 6, assertion_missing: 1 })
  })

  test('what could not be written is not lost', async () => {
    let isDown = true
    const faults: unknown[] = []
    const tally = strangerTally(
      (...args) => (isDown ? Promise.reject(new Error('down')) : database.query(...args)),
      (error) => faults.push(error),
    )
    tally.count('proof_missing')
    tally.count('proof_missing')
    tally.count('proof_stale')
    await tally.stop()
    expect(faults).toEqual([new Error('down')])
    isDown = false
    tally.count('proof_missing')
    await tally.stop()
    expect(await counted()).toMatchObject({ proof_missing: 3, proof_stale: 1 })
  })
})

describe('pruning', () => {
  const old = (count: number) =>
    query(
      `INSERT INTO replay_mark (key, request_id, expires_at)
       SELECT decode(md5(random()::text || i), 'hex'), gen_random_uuid(), now() - interval '1 hour' FROM generate_series(1, $1::int) i`,
      [count],
    )
  const oldMarks = async () => {
    const [row] = await query<{ n: number }>(
      `SELECT count(*)::int AS n FROM replay_mark WHERE expires_at < now() - interval '5 minutes'`,
    )
    return row?.n
  }

  test('goes on until nothing is left, and ends between two batches when it is told to', async () => {
    await old(5_001)
    let batches = 0
    await prune(query, unexpected, () => ++batches <= 1)
    expect(await oldMarks()).toBe(3_001)
    await prune(query)
    expect(await oldMarks()).toBe(0)
  })

  test('a table that cannot be pruned keeps none of the others from it', async () => {
    await old(1)
    await query(`INSERT INTO token_use (jti, consumed_by, consumed_at, forget_at) VALUES ('prune', 'a', now(), now())`)
    const [locked, faults] = [new Error('locked'), [] as unknown[]]
    const failing: Database['query'] = (sql, ...rest) =>
      sql.includes('FROM replay_mark') ? Promise.reject(locked) : query(sql, ...rest)
    await prune(failing, (error) => faults.push(error))
    expect(faults).toEqual([locked])
    expect([await oldMarks(), await query(`SELECT 1 FROM token_use WHERE jti = 'prune'`)]).toEqual([1, []])
    await expect(prune(failing)).rejects.toBe(locked)
    await prune(query)
  })

  test('a database that is away is not asked for the next table', async () => {
    let asked = 0
    const lost = Object.assign(new Error('Connection terminated'), { code: '57P01' })
    const away: Database['query'] = () => {
      asked += 1
      return Promise.reject(lost)
    }
    const faults: unknown[] = []
    await prune(away, (error) => faults.push(error))
    expect([asked, faults]).toEqual([1, [lost]])
  })

  test('removes what can no longer be presented, and nothing that can', async () => {
    const now = Math.floor(Date.now() / 1_000)
    const marks = { gone: { ...newMark(), until: now - 120 }, late: { ...newMark(), until: now - 5 }, live: newMark() }
    await groupCommit(query, 0, isDatabaseUnavailable).commit({
      attemptId: randomUUID(),
      marks: Object.values(marks),
      decision: 'none',
    })
    await query(
      `INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ('prune-gone', now() - interval '2 hours', 'a'),
       ('prune-late', now() - interval '10 minutes', 'a'), ('prune-live', now() + interval '1 minute', 'a')`,
    )
    await query(
      `INSERT INTO idempotency_key (client, key, request_hash, created_at) VALUES
       ('prune', 'gone', '', now() - interval '25 hours'), ('prune', 'live', '', now() - interval '23 hours')`,
    )
    const { agent, key } = await seed(query)
    await query(
      `INSERT INTO key (kid, owner_id, jwk, vouched_by, expires_at) VALUES
       ('prune-gone', $1, '{}', $2, now() - interval '31 days'), ('prune-late', $1, '{}', $2, now() - interval '29 days'),
       ('prune-never', $1, '{}', NULL, now() - interval '99 days')`,
      [agent, key.jkt],
    )
    await prune(query)
    expect(await query(`SELECT kid FROM key WHERE kid LIKE 'prune-%' ORDER BY kid`)).toEqual([
      { kid: 'prune-late' },
      { kid: 'prune-never' },
    ])
    // A registered key is never forgotten, by whatever path.
    await expect(query(`DELETE FROM key WHERE kid = 'prune-never'`)).rejects.toThrow()
    const left = await query<{ key: string }>(
      `SELECT encode(key, 'hex') AS key FROM replay_mark WHERE encode(key, 'hex') = ANY($1)`,
      [Object.values(marks).map(({ key }) => key)],
    )
    expect(new Set(left.map(({ key }) => key))).toEqual(new Set([marks.late.key, marks.live.key]))
    expect(await query(`SELECT jti FROM revoked_token WHERE jti LIKE 'prune-%' ORDER BY jti`)).toEqual([
      { jti: 'prune-late' },
      { jti: 'prune-live' },
    ])
    expect(await query(`SELECT key FROM idempotency_key WHERE client = 'prune'`)).toEqual([{ key: 'live' }])
  })
})
