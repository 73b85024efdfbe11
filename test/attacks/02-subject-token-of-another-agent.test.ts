import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused } from '../http/oauth/answers.ts'
import { exchange, newClient, seconds } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { jwt } from '../wire/signing.ts'

let server: TestServer
let alice: World
let mallory: World
beforeAll(async () => {
  server = await startTestServer()
  alice = await createWorld(server)
  mallory = await createWorld(server)
})
afterAll(() => server.close())

describe('a subject token in the hands of an agent that it does not name', () => {
  test('is good for nothing at the place it was for, nor at its own', async () => {
    for (const resource of [alice.identifier, mallory.identifier]) {
      const stolen = await mallory.exchange({}, { subjectToken: alice.wish.subjectToken, resource })
      expectRefused(stolen, 400, 'invalid_grant')
    }
  })

  test('is good for nothing for an agent that the same principal trusts at the same place', async () => {
    const { body } = await alice.api.call('POST', '/admin/delegations', {
      principal: alice.principal,
      agent: mallory.agent.id,
      resource: alice.identifier,
      authorization_details: [{ type: 'email_send', to: ['eve@evil.example'], subject: 'x', body: 'y' }],
    })
    expect(body.subject_token).toBeTypeOf('string')
    expectRefused(await exchange(server.issuer, mallory.agent, alice.wish), 400, 'invalid_grant')
    // And its own says no more than it did.
    const own = await mallory.exchange({}, { ...alice.wish, subjectToken: body.subject_token })
    expectRefused(own, 400, 'access_denied')
  })

  test('is good for nothing when the thief says the name of the agent', async () => {
    const posing = { ...mallory.agent, id: alice.agent.id }
    expectRefused(await exchange(server.issuer, posing, alice.wish), 401, 'invalid_client')
    const withClientId = await mallory.exchange({ form: { client_id: alice.agent.id } }, alice.wish)
    expectRefused(withClientId, 401, 'invalid_client')
  })

  test('the key of the agent in the proof alone, or in the assertion alone, is not enough', async () => {
    expectRefused(await mallory.exchange({ proofKey: alice.agent.key }, alice.wish), 400, 'invalid_dpop_proof')
    expectRefused(await alice.exchange({ proofKey: mallory.agent.key }), 400, 'invalid_dpop_proof')
  })

  test('a token that the thief made names whom he likes and is signed by nobody', async () => {
    const now = seconds()
    const claims = {
      ...claimsOf(alice.wish.subjectToken),
      client_id: mallory.agent.id,
      may_act: { sub: mallory.agent.id },
      iat: now,
      exp: now + 600,
    }
    for (const key of [mallory.agent.key, newClient('x').key]) {
      const subject_token = jwt(key, { typ: 'at+jwt', kid: key.jkt }, claims)
      expectRefused(await mallory.exchange({ form: { subject_token } }, alice.wish), 400, 'invalid_grant')
    }
  })
})
