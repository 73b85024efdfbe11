import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused, issued } from '../http/oauth/answers.ts'
import { agentToken, given, handOn, newAgent } from '../support/chain.ts'
import { exchange, introspect, newClient, type TestClient } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

/** Trap 4: a chained call asks for more than the caller had. */

const any = { $any: true }
const NARROW = { type: 'email_send', to: ['bob@example.com'], subject: any, body: any }
const WIDE = { type: 'email_send', to: any, subject: any, body: any }

let server: TestServer
let world: World
let relay: { readonly client: TestClient; readonly identifier: string }
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server, { bounds: [NARROW], delegation: { delegable: { max_depth: 2 } } })
  const client = newClient(`${world.resource.id}-relay`)
  const identifier = `https://${client.id}.example`
  const keys = [{ jwk: client.key.jwk }]
  await world.api.call('POST', '/admin/resources', { id: client.id, identifier, keys })
  relay = { client, identifier }
})
afterAll(() => server.close())

const toEve = () => ({ ...world.action, to: ['eve@evil.example'] })
const downstream = (subjectToken: string, action: unknown, by: TestClient = world.resource) =>
  exchange(server.issuer, by, { subjectToken, resource: relay.identifier, action })

describe('a sub-agent', () => {
  test('gets no bounds that its parent lacks, in one hop or by two', async () => {
    const [helper, last] = [await newAgent(world), await newAgent(world)]
    const root = { agent: world.agent, subjectToken: world.delegation.subjectToken }
    const actorToken = await agentToken(server.issuer, helper)
    expectRefused(await handOn(server.issuer, root, { bounds: [WIDE], actorToken }), 400, 'access_denied')
    const child = await given(server.issuer, root, helper, [NARROW], { delegable: '{"max_depth":1}' })
    const next = await agentToken(server.issuer, last)
    expectRefused(await handOn(server.issuer, child, { bounds: [WIDE], actorToken: next }), 400, 'access_denied')
    const wish = { subjectToken: child.subjectToken, resource: world.identifier, action: toEve() }
    expectRefused(await exchange(server.issuer, helper, wish), 400, 'access_denied')
  })
})

describe('a resource server', () => {
  test('has no authority of its own by a token that it was shown', async () => {
    const token = await issued(world.exchange())
    expectRefused(await downstream(token, world.action), 400, 'invalid_target')
  })

  test('gets what a rule names for that very action, by one token once, and not on the words of another', async () => {
    const rule = { from: NARROW, to_resource: relay.identifier, authorization_details: [NARROW] }
    expect((await world.api.call('POST', `/admin/resources/${world.resource.id}/downstream`, rule)).status).toBe(201)
    const token = await issued(world.exchange())
    expectRefused(await downstream(token, toEve()), 400, 'access_denied')
    expectRefused(await downstream(token, world.action, relay.client), 400, 'invalid_grant')
    await issued(downstream(token, world.action))
    expectRefused(await downstream(token, world.action), 400, 'access_denied')
  })

  test('may use the token of a call that it has consumed', async () => {
    const token = await issued(world.exchange())
    const consumed = await introspect(server.issuer, world.resource, token, {
      form: { consume: 'true', consume_id: '1' },
    })
    expect(consumed.body.active).toBe(true)
    await issued(downstream(token, world.action))
  })
})
