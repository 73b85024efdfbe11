import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isRefusal } from '../../../src/core/refusal.ts'
import { type AdminServer, newJwk, startAdminServer } from './admin-server.ts'

let server: AdminServer
const bound = { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }
const base = { principal: 'alice', agent: 'planner', resource: 'https://mail.example', authorization_details: [bound] }
const grant = (changes: object = {}, target = server) =>
  target.call('/admin/delegations', { body: { ...base, ...changes } })
const SECONDS_A_DAY = 86_400

async function seed(target: AdminServer): Promise<void> {
  for (const [path, body] of [
    ['agents', { id: 'planner', keys: [{ jwk: newJwk() }] }],
    ['agents', { id: 'stopped' }],
    ['principals', { id: 'alice' }],
    ['principals', { id: 'acme', kind: 'organization' }],
    ['principals', { id: 'halted' }],
    ['resources', { id: 'mail', identifier: 'https://mail.example' }],
    ['resources', { id: 'bank', identifier: 'https://bank.example' }],
    ['resources', { id: 'closed', identifier: 'https://closed.example' }],
  ] as const) {
    expect((await target.call(`/admin/${path}`, { body })).status).toBe(201)
  }
  for (const path of ['agents/stopped', 'principals/halted', 'resources/closed']) {
    await target.call(`/admin/${path}/suspend`, { method: 'POST' })
  }
}

beforeAll(async () => {
  server = await startAdminServer()
  await seed(server)
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

describe('granting', () => {
  test('a delegation with its subject token, who granted it, and a record', async () => {
    const made = await grant({ purpose: 'minutes of the meeting' })
    expect(made.status, made.text).toBe(201)
    const { id, subject_token: token } = made.body
    expect(id).toMatch(/^dlg_[0-9a-f-]{36}$/)
    expect(made.headers.location).toBe(`/admin/delegations/${id}`)
    expect(made.body).toMatchObject({
      ...base,
      granted_by: 'admin:the-all-one',
      status: 'active',
      purpose: 'minutes of the meeting',
    })
    const subject = await server.subjectTokens.verify(token, new Date())
    expect(isRefusal(subject)).toBe(false)
    expect(subject).toMatchObject({ delegationId: id, principalId: 'alice', agentId: 'planner' })
    const [record] = (await server.call(`/admin/records?delegation=${id}`)).body.items
    expect(record).toMatchObject({
      kind: 'admin',
      decision: 'done',
      client: 'the-all-one',
      agent: 'planner',
      principal: 'alice',
      resource: 'https://mail.example',
      because: { operation: 'delegation.grant', target: id },
    })
    const [row] = await server.database.query('SELECT lineage FROM delegation WHERE id = $1', [id])
    expect(row).toEqual({ lineage: [id] })
  })

  test.each<[string, unknown, object]>([
    ['nothing said', undefined, { mode: 'none' }],
    ['a bare mode', 'each', { mode: 'each' }],
    ['nobody, said', { mode: 'none' }, { mode: 'none' }],
    [
      'all of it',
      { mode: 'outside', outside: [bound], approvers: ['acme', 'alice'], threshold: 2 },
      { mode: 'outside', outside: [bound], approvers: ['acme', 'alice'], threshold: 2 },
    ],
  ])('with an approval rule, shown as it was meant: %s', async (_, approval, shown) => {
    const made = await grant({ approval })
    expect(made.status, made.text).toBe(201)
    expect(made.body.approval).toEqual(shown)
    expect((await server.call(`/admin/delegations/${made.body.id}`)).body.approval).toEqual(shown)
    expect((await server.call('/admin/delegations?limit=1')).body.items[0].approval).toEqual(shown)
  })

  test('by default it lasts as long as the server allows', async () => {
    const { body } = await grant()
    const seconds = body.expires_at - body.created_at
    expect(seconds).toBe(90 * SECONDS_A_DAY)
  })

  const inSeconds = (seconds: number) => Math.round(Date.now() / 1_000) + seconds
  test.each([
    { name: 'expires in the past', changes: () => ({ expires_at: inSeconds(-1) }), member: 'expires_at' },
    {
      name: 'beyond the maximum',
      changes: () => ({ expires_at: inSeconds(90 * SECONDS_A_DAY + 60) }),
      member: 'expires_at',
    },
    {
      name: 'begins when it ends',
      changes: () => ({ not_before: inSeconds(100), expires_at: inSeconds(99) }),
      member: 'not_before',
    },
    { name: 'a time as text', changes: () => ({ expires_at: '2099-01-01T00:00:00Z' }), member: 'expires_at' },
    { name: 'an unknown principal', changes: () => ({ principal: 'nobody' }), member: 'principal' },
    { name: 'a suspended principal', changes: () => ({ principal: 'halted' }), member: 'principal' },
    { name: 'an agent as principal', changes: () => ({ principal: 'planner' }), member: 'principal' },
    { name: 'an unknown agent', changes: () => ({ agent: 'nobody' }), member: 'agent' },
    { name: 'a suspended agent', changes: () => ({ agent: 'stopped' }), member: 'agent' },
    { name: 'an unknown resource', changes: () => ({ resource: 'https://nowhere.example' }), member: 'resource' },
    { name: 'a suspended resource', changes: () => ({ resource: 'https://closed.example' }), member: 'resource' },
    { name: 'a resource by its id', changes: () => ({ resource: 'mail' }), member: 'resource' },
    {
      name: 'a resource that differs by a slash',
      changes: () => ({ resource: 'https://mail.example/' }),
      member: 'resource',
    },
    { name: 'no bounds', changes: () => ({ authorization_details: [] }), member: 'authorization_details' },
    {
      name: '33 bounds',
      changes: () => ({ authorization_details: Array(33).fill(bound) }),
      member: 'authorization_details',
    },
    {
      name: 'bounds that are no list',
      changes: () => ({ authorization_details: bound }),
      member: 'authorization_details',
    },
    {
      name: 'a bound that is no object',
      changes: () => ({ authorization_details: ['email_send'] }),
      member: 'authorization_details[0].type',
    },
    {
      name: 'an unknown type',
      changes: () => ({ authorization_details: [bound, { type: 'nope' }] }),
      member: 'authorization_details[1].type',
    },
    {
      name: 'an unknown operator',
      changes: () => ({ authorization_details: [{ ...bound, to: { $regex: '.' } }] }),
      member: 'authorization_details[0].to',
    },
    {
      name: 'an unknown member',
      changes: () => ({ authorization_details: [{ ...bound, bcc: { $any: true } }] }),
      member: 'authorization_details[0].bcc',
    },
    {
      name: 'another location',
      changes: () => ({ authorization_details: [{ ...bound, locations: ['https://bank.example'] }] }),
      member: 'authorization_details[0].locations',
    },
    { name: 'a purpose that is too long', changes: () => ({ purpose: 'x'.repeat(501) }), member: 'purpose' },
    { name: 'an unknown mode', changes: () => ({ approval: 'sometimes' }), member: 'approval.mode' },
    { name: 'outside of nothing', changes: () => ({ approval: 'outside' }), member: 'approval.outside' },
    {
      name: 'outside of what is no bound',
      changes: () => ({ approval: { mode: 'outside', outside: [bound, { ...bound, to: { $regex: '.' } }] } }),
      member: 'approval.outside[1].to',
    },
    {
      name: 'outside of an unknown type',
      changes: () => ({ approval: { mode: 'outside', outside: [{ type: 'nope' }] } }),
      member: 'approval.outside[0].type',
    },
    {
      name: 'outside at another place',
      changes: () => ({ approval: { mode: 'outside', outside: [{ ...bound, locations: ['https://bank.example'] }] } }),
      member: 'approval.outside[0].locations',
    },
    {
      name: 'an approver who is nobody',
      changes: () => ({ approval: { mode: 'each', approvers: ['nobody-at-all'] } }),
      member: 'approval.approvers[0]',
    },
    {
      name: 'an approver who is an agent',
      changes: () => ({ approval: { mode: 'each', approvers: ['planner'] } }),
      member: 'approval.approvers[0]',
    },
    {
      name: 'an approver who is suspended',
      changes: () => ({ approval: { mode: 'each', approvers: ['alice', 'halted'] } }),
      member: 'approval.approvers[1]',
    },
    {
      name: 'more yeses than there are approvers',
      changes: () => ({ approval: { mode: 'each', threshold: 2 } }),
      member: 'approval.threshold',
    },
    {
      name: 'an unknown member of the rule',
      changes: () => ({ approval: { mode: 'each', always: true } }),
      member: 'approval.always',
    },
    { name: 'an id of one’s own', changes: () => ({ id: 'dlg_x' }), member: 'id' },
  ])('$name -> 422 that names $member', async ({ changes, member }) => {
    const refused = await grant(changes())
    expect(refused.status, refused.text).toBe(422)
    expect(refused.body.errors.map((error: { member: string }) => error.member)).toContain(member)
  })

  test('without resource every bound names its places, all registered and active', async () => {
    const at = (...locations: string[][]) =>
      grant({ resource: undefined, authorization_details: locations.map((l) => ({ ...bound, locations: l })) })
    const made = await at(['https://mail.example'], ['https://bank.example', 'https://mail.example'])
    expect(made.status, made.text).toBe(201)
    expect(made.body).not.toHaveProperty('resource')
    expect((await grant({ resource: undefined })).status).toBe(422)
    expect((await at([])).status).toBe(422)
    expect((await at(['https://mail.example'], ['https://nowhere.example'])).status).toBe(422)
    expect((await at(['https://closed.example'])).status).toBe(422)
  })

  test('one that begins later has its subject token already', async () => {
    const made = await grant({ not_before: inSeconds(3_600) })
    expect(made.body.subject_token).toEqual(expect.any(String))
  })
})

describe('revoking', () => {
  test('ends it once, and twice is the same; the token is shown no more', async () => {
    const { id } = (await grant()).body
    const path = `/admin/delegations/${id}`
    expect((await server.call(path)).body.subject_token).toEqual(expect.any(String))
    const revoked = await server.call(path, { method: 'DELETE', body: { reason: 'over' } })
    expect(revoked.status).toBe(200)
    expect(revoked.body).toMatchObject({ id, status: 'revoked', reason: 'over' })
    const again = await server.call(path, { method: 'DELETE' })
    expect([again.status, again.body.revoked_at]).toEqual([200, revoked.body.revoked_at])
    expect((await server.call(path)).body).not.toHaveProperty('subject_token')
    const { items } = (await server.call(`/admin/records?delegation=${id}`)).body
    expect(items.map(({ because }: { because: { operation: string } }) => because.operation)).toEqual([
      'delegation.revoke',
      'delegation.grant',
    ])
    expect((await server.call('/admin/delegations/dlg_nobody', { method: 'DELETE' })).status).toBe(404)
  })
  test('an expired one has no subject token', async () => {
    const { id } = (await grant({ expires_at: Math.round(Date.now() / 1_000) + 60 })).body
    server.now.advanceSeconds = 61
    const { body } = await server.call(`/admin/delegations/${id}`)
    server.now.advanceSeconds = 0
    expect(body).not.toHaveProperty('subject_token')
    expect(body.status).toBe('active')
  })
})

test('lists are filtered by agent and principal, newest first, without tokens', async () => {
  const { id } = (await grant({ principal: 'acme' })).body
  const { items } = (await server.call('/admin/delegations?principal=acme&agent=planner')).body
  expect(items.map((item: { id: string }) => item.id)).toEqual([id])
  expect(items[0]).not.toHaveProperty('subject_token')
  const all = (await server.call('/admin/delegations?limit=200')).body.items.map((item: { id: string }) => item.id)
  expect(all[0]).toBe(id)
  expect((await server.call('/admin/delegations?agent=stopped')).body.items).toEqual([])
})

test('a setting forbids administrators to grant for persons', async () => {
  const strict = await startAdminServer({ administratorsGrantForPersons: false })
  await seed(strict)
  expect((await grant({}, strict)).status).toBe(403)
  expect((await grant({ principal: 'acme' }, strict)).status).toBe(201)
  await strict.close()
})
