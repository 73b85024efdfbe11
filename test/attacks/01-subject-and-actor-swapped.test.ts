import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld } from '../support/world.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

test('the principal is the subject and the agent is the actor, never the other way round (RFC 8693 §4.1)', async () => {
  const world = await createWorld(server)
  const { body } = await world.exchange()
  const { sub, act, client_id } = claimsOf(body.access_token)
  expect({ sub, act, client_id }).toStrictEqual({
    sub: world.principal,
    act: { iss: server.issuer, sub: world.agent.id, sub_profile: 'ai_agent' },
    client_id: world.agent.id,
  })
})

test('no principal has the name of an agent, no agent that of a principal: one namespace', async () => {
  const world = await createWorld(server)
  for (const [path, body] of [
    ['/admin/principals', { id: world.agent.id, kind: 'person', name: 'x' }],
    ['/admin/principals', { id: world.resource.id, kind: 'person', name: 'x' }],
    ['/admin/principals', { id: 'admin', kind: 'person', name: 'x' }],
    ['/admin/agents', { id: world.principal, name: 'x', keys: [] }],
    ['/admin/agents', { id: world.resource.id, name: 'x', keys: [] }],
    ['/admin/resources', { id: world.agent.id, identifier: 'https://x.example', name: 'x', keys: [] }],
  ] as const) {
    const answer = await world.api.call('POST', path, body)
    expect([path, body.id, answer.status], answer.text).toEqual([path, body.id, 409])
  }
})
