import { afterAll, beforeAll, expect, test } from 'vitest'
import { administer, expectRefused } from '../http/oauth/answers.ts'
import { newClient } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld } from '../support/world.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

test('a subject token is bound to no key: its agent uses it with any of its own, and with no other', async () => {
  const world = await createWorld(server)
  expect(claimsOf(world.wish.subjectToken)).not.toHaveProperty('cnf')
  const keys = (['ES256', 'Ed25519', 'EdDSA'] as const).map((alg) => newClient(world.agent.id, alg).key)
  for (const { jwk } of keys) await administer(world, 'POST', `/admin/agents/${world.agent.id}/keys`, { jwk })

  for (const key of [world.agent.key, ...keys]) {
    const answer = await world.exchange({ proofKey: key })
    expect(answer.status, answer.text).toBe(200)
    expect(claimsOf(answer.body.access_token).cnf).toEqual({ jkt: key.jkt })
  }
  expectRefused(await world.exchange({ proofKey: newClient('x').key }), 400, 'invalid_dpop_proof')
  expectRefused(await world.exchange({ proofKey: world.resource.key }), 400, 'invalid_dpop_proof')
})
