import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { administer, issued } from '../http/oauth/answers.ts'
import { exchange, introspect, newClient, type TestClient } from '../support/clients.ts'
import { type FeedReader, readFeed } from '../support/feed.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'

/** Trap 13 on the feed: whoever verifies offline must be told of all that introspection calls inactive. */

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
const open: FeedReader[] = []
afterEach(() => {
  for (const feed of open.splice(0)) feed.close()
})
afterAll(() => server.close())

async function caughtUp(by: TestClient, lastEventId?: string): Promise<FeedReader> {
  const feed = await readFeed(server.issuer, by, lastEventId === undefined ? {} : { lastEventId })
  open.push(feed)
  await feed.until(({ type }) => type.endsWith('/verification'))
  return feed
}
const retire = (kid: string) => administer(world, 'DELETE', `/admin/agents/${world.agent.id}/keys/${kid}`, {})
async function addKey(): Promise<TestClient> {
  const client = newClient(world.agent.id)
  await administer(world, 'POST', `/admin/agents/${world.agent.id}/keys`, { jwk: client.key.jwk })
  return client
}

test('a token whose request was signed with a key that is retired, though it is bound to another', async () => {
  const second = await addKey()
  const wish = [server.issuer, second, world.wish] as const
  const token = await issued(exchange(...wish, { proofKey: world.agent.key }))
  const other = await issued(world.exchange())
  const feed = await caughtUp(world.resource)
  await retire(second.key.jkt)
  expect((await introspect(server.issuer, world.resource, token)).body).toEqual({ active: false })
  await feed.until(({ claims }) => claims.sub_id?.jti === claimsOf(token).jti)
  expect(feed.events.some(({ claims }) => claims.sub_id?.jti === claimsOf(other).jti)).toBe(false)
  expect((await introspect(server.issuer, world.resource, other)).body.active).toBe(true)
})

test('a token that was exchanged from one whose key is retired', async () => {
  const third = await addKey()
  const ledger = newClient(`${world.resource.id}-ledger`)
  const identifier = `https://${ledger.id}.example`
  await administer(world, 'POST', '/admin/resources', { id: ledger.id, identifier, keys: [{ jwk: ledger.key.jwk }] })
  await administer(world, 'POST', `/admin/resources/${world.resource.id}/downstream`, {
    from: { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } },
    to_resource: identifier,
    authorization_details: [{ type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }],
  })
  const subjectToken = await issued(exchange(server.issuer, third, world.wish))
  const wish = { subjectToken, resource: identifier, action: world.action }
  const token = await issued(exchange(server.issuer, world.resource, wish))
  const feed = await caughtUp(ledger)
  await retire(third.key.jkt)
  expect((await introspect(server.issuer, ledger, token)).body).toEqual({ active: false })
  await feed.until(({ claims }) => claims.sub_id?.jti === claimsOf(token).jti)
})

test('who lost the connection in the middle of what is in force is told all of it again', async () => {
  const own = await createWorld(server)
  await administer(own, 'POST', `/admin/agents/${own.agent.id}/suspend`, {})
  const first = await caughtUp(world.resource)
  const stop = first.events.find(({ claims }) => claims.sub_id?.sub === own.agent.id)
  // Cut before this line, it has the one before as its last.
  const last = first.events[first.events.findIndex(({ id }) => id === stop?.id)]
  const second = await caughtUp(world.resource, last?.id)
  expect(second.events.some(({ claims }) => claims.sub_id?.sub === own.agent.id)).toBe(true)
})

test('connections of one resource server are told the same: one signature, however many follow', async () => {
  const own = await createWorld(server)
  const [one, other] = [await caughtUp(world.resource), await caughtUp(world.resource)]
  await administer(own, 'POST', `/admin/agents/${own.agent.id}/suspend`, {})
  const isIt = ({ claims }: { readonly claims: { readonly sub_id?: Record<string, unknown> } }) =>
    claims.sub_id?.sub === own.agent.id
  expect((await one.until(isIt)).set).toBe((await other.until(isIt)).set)
})
