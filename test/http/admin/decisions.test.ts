import { afterAll, beforeAll, expect, test } from 'vitest'
import { adminApi } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

const attempt = (action: object, change: object = {}) =>
  world.api.call('POST', '/admin/decisions', {
    agent: world.agent.id,
    resource: world.identifier,
    authorization_details: [action],
    ...change,
  })

test('an action that the delegation allows -> permit, with the delegation and the sentence', async () => {
  const { status, body } = await attempt(world.action)
  expect([status, body]).toEqual([
    200,
    {
      decision: 'permit',
      delegation: world.delegation.id,
      because: [0],
      sentence: expect.stringContaining('bob@example.com'),
    },
  ])
})

test('an action outside the bounds -> forbid, with the first member that does not fit, as the exchange says it', async () => {
  const action = { ...world.action, to: ['bob@example.com', 'eve@evil.example'] }
  const { body } = await attempt(action)
  expect(body).toMatchObject({ decision: 'forbid', refusal: 'action_not_permitted', member: 'to[1]' })
  expect((await world.exchange({}, { action })).body.error).toBe('access_denied')
})

test.each([
  { what: 'an unknown member', action: { bcc: ['x@example.com'] }, refusal: 'action_member_invalid' },
  { what: 'another type', action: { type: 'nothing' }, refusal: 'action_type_unknown' },
])('$what -> forbid $refusal', async ({ action, refusal }) => {
  expect((await attempt({ ...world.action, ...action })).body).toMatchObject({ decision: 'forbid', refusal })
})

test('of several delegations one that allows it is enough', async () => {
  const answer = await world.api.call('POST', '/admin/delegations', {
    principal: world.principal,
    agent: world.agent.id,
    resource: world.identifier,
    authorization_details: [
      { type: 'email_send', to: ['eve@evil.example'], subject: { $any: true }, body: { $any: true } },
    ],
  })
  const { body } = await attempt({ ...world.action, to: ['eve@evil.example'] })
  expect(body).toMatchObject({ decision: 'permit', delegation: answer.body.id })
  const first = await attempt({ ...world.action, to: ['eve@evil.example'] }, { delegation: world.delegation.id })
  expect(first.body.decision).toBe('forbid')
  await world.api.call('DELETE', `/admin/delegations/${answer.body.id}`)
})

test('nothing is issued or recorded by it, and the scope that reads is enough', async () => {
  const count = async () =>
    (await world.api.call('GET', `/admin/records?agent=${world.agent.id}&limit=200`)).body.items.length
  const before = await count()
  const reader = await adminApi(server.issuer, server.admin, 'admin:read')
  const { status } = await reader.call('POST', '/admin/decisions', {
    agent: world.agent.id,
    resource: world.identifier,
    authorization_details: [world.action],
  })
  expect(status).toBe(200)
  expect(await count()).toBe(before)
})

test('an unknown agent, another agent’s delegation, two actions -> 422', async () => {
  const other = await createWorld(server)
  expect((await attempt(world.action, { agent: 'nobody' })).status).toBe(422)
  expect((await attempt(world.action, { delegation: other.delegation.id })).status).toBe(422)
  expect((await attempt(world.action, { authorization_details: [world.action, world.action] })).status).toBe(422)
})

test('while everything is stopped -> forbid, as the exchange says it', async () => {
  await world.api.call('POST', '/admin/stop', { reason: 'test' })
  const { body } = await attempt(world.action)
  const answer = await world.exchange()
  await world.api.call('DELETE', '/admin/stop', {})
  expect(body).toEqual({ decision: 'forbid', refusal: 'stopped', detail: answer.body.error_description })
  expect((await attempt(world.action)).body.decision).toBe('permit')
})

test('an action that somebody is asked for -> require_approval, by whom, and one that asks nobody is better', async () => {
  const { type } = world.action
  const to = (address: string) => ({ ...world.action, to: [address] })
  const grant = async (approval: unknown) => {
    const bounds = [{ type, to: ['cem@example.org'], subject: { $any: true }, body: { $any: true } }]
    const answer = await world.api.call('POST', '/admin/delegations', {
      ...{ principal: world.principal, agent: world.agent.id, resource: world.identifier },
      ...{ authorization_details: bounds, approval },
    })
    expect(answer.status, answer.text).toBe(201)
    return answer.body.id
  }
  const asking = await grant('each')
  expect((await attempt(to('cem@example.org'))).body).toEqual({
    ...{ decision: 'require_approval', delegation: asking, because: [0], sentence: expect.any(String) },
    approval: [{ approvers: [world.principal], threshold: 1 }],
  })
  // What is forbidden is forbidden, and asking for it changes nothing.
  expect((await attempt(to('eve@evil.example'))).body.decision).toBe('forbid')
  const outside = await grant({
    mode: 'outside',
    outside: [{ type, to: ['cem@example.org'], subject: 'Hi', body: 'Hi' }],
  })
  expect((await attempt({ type, to: ['cem@example.org'], subject: 'Hi', body: 'Hi' })).body).toMatchObject({
    ...{ decision: 'permit', delegation: outside },
  })
  expect((await attempt(to('cem@example.org'), { delegation: outside })).body.decision).toBe('require_approval')
  const free = await grant('none')
  expect((await attempt(to('cem@example.org'))).body).toMatchObject({ decision: 'permit', delegation: free })
})
