import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { attested, exchangeAttested } from '../../support/attestation.ts'
import { clientToken, introspect, newClient, send } from '../../support/clients.ts'
import { type FeedEvent, type FeedReader, readFeed } from '../../support/feed.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { makeKey } from '../../wire/signing.ts'
import { administer, issued } from './answers.ts'

const RISC = 'https://schemas.openid.net/secevent/risc/event-type'
const CAEP = 'https://schemas.openid.net/secevent/caep/event-type'
const ALIVE = 'https://schemas.openid.net/secevent/ssf/event-type/verification'
const SNAPSHOT = 'urn:writ:event:snapshot'

let server: TestServer
let world: World
let other: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
  other = await createWorld(server)
})
const open: FeedReader[] = []
afterEach(() => {
  for (const feed of open.splice(0)) feed.close()
})
afterAll(() => server.close())

async function follow(by = world, lastEventId?: string): Promise<FeedReader> {
  const feed = await readFeed(server.issuer, by.resource, lastEventId === undefined ? {} : { lastEventId })
  open.push(feed)
  expect(feed.status).toBe(200)
  return feed
}
const isAlive = ({ type }: FeedEvent) => type === ALIVE
/** A follower that has been told everything until now. */
async function caughtUp(by = world, lastEventId?: string): Promise<FeedReader> {
  const feed = await follow(by, lastEventId)
  await feed.until(isAlive)
  return feed
}
const about = (type: string, subject: string) => (event: FeedEvent) =>
  event.type === type && Object.values(event.claims.sub_id ?? {}).includes(subject)
const agents = (name: string, by = world) => `/admin/agents/${by.agent.id}/${name}`

describe('a follower is told', () => {
  test('first what is in force, then that this is all, each as a signed event for it alone', async () => {
    const feed = await caughtUp()
    expect(feed.headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    expect(feed.events[0]).toMatchObject({ type: SNAPSHOT, body: { count: expect.any(Number) } })
    const { body: keys } = await send(`${server.issuer}/jwks`)
    for (const { set } of feed.events) {
      expect(decodeProtectedHeader(set)).toMatchObject({ typ: 'secevent+jwt', alg: 'ES256' })
      const { payload } = await jwtVerify(set, createLocalJWKSet(keys), { typ: 'secevent+jwt' })
      expect(payload).toMatchObject({ iss: server.issuer, aud: world.identifier, jti: expect.any(String) })
      expect(payload).not.toHaveProperty('exp')
      expect(payload).not.toHaveProperty('sub')
    }
  })

  test('that it is alive, again and again', async () => {
    const feed = await caughtUp()
    const before = feed.events.length
    await new Promise((resolve) => setTimeout(resolve, 4_500))
    const more = feed.events.slice(before)
    expect(more.length).toBeGreaterThanOrEqual(2)
    expect(more.every(isAlive)).toBe(true)
  })

  test('of an agent that is suspended, resumed, retired', async () => {
    const own = await createWorld(server)
    const feed = await caughtUp()
    await administer(own, 'POST', agents('suspend', own), {})
    const { claims, body } = await feed.until(about(`${RISC}/account-disabled`, own.agent.id))
    expect(claims.sub_id).toEqual({ format: 'iss_sub', iss: server.issuer, sub: own.agent.id })
    expect(body).toEqual({ event_timestamp: expect.any(Number) })
    await administer(own, 'POST', agents('resume', own), {})
    await feed.until(about(`${RISC}/account-enabled`, own.agent.id))
    const seen = feed.events.length
    await administer(own, 'POST', agents('retire', own), {})
    await feed.until(
      (event) => feed.events.indexOf(event) >= seen && about(`${RISC}/account-disabled`, own.agent.id)(event),
    )
  })

  test.each<[string, string, (own: World) => readonly [string, string, string], string]>([
    [
      'a principal',
      `${RISC}/account-disabled`,
      (o) => ['POST', `/admin/principals/${o.principal}/suspend`, o.principal],
      '',
    ],
    [
      'another resource',
      `${RISC}/account-disabled`,
      (o) => ['POST', `/admin/resources/${o.resource.id}/suspend`, o.resource.id],
      '',
    ],
    [
      'a delegation',
      'urn:writ:event:delegation-revoked',
      (o) => ['DELETE', `/admin/delegations/${o.delegation.id}`, o.delegation.id],
      '',
    ],
    [
      'a key',
      `${CAEP}/credential-change`,
      (o) => ['DELETE', `/admin/agents/${o.agent.id}/keys/${o.agent.key.jkt}`, o.agent.key.jkt],
      '',
    ],
  ])('of %s', async (_name, type, of) => {
    const own = await createWorld(server)
    const feed = await caughtUp()
    const [method, path, subject] = of(own)
    await administer(own, method, path, {})
    await feed.until(about(type, subject))
  })

  test('of an instance of an agent, and of one that ends with the key that vouched for it', async () => {
    const own = await createWorld(server)
    const [one, two] = [
      await attested(server.issuer, own.agent, makeKey()),
      await attested(server.issuer, own.agent, makeKey()),
    ]
    const token = await issued(exchangeAttested(server.issuer, two, own.wish))
    const feed = await caughtUp(own)
    await administer(own, 'DELETE', `/admin/agents/${own.agent.id}/instances/${one.key.jkt}`, {})
    await feed.until(about(`${CAEP}/credential-change`, one.key.jkt))
    expect(feed.events.some(about(`${CAEP}/credential-change`, two.key.jkt))).toBe(false)
    await administer(own, 'DELETE', `/admin/agents/${own.agent.id}/keys/${own.agent.key.jkt}`, {})
    await feed.until(about(`${CAEP}/credential-change`, two.key.jkt))
    await feed.until(about(`${CAEP}/credential-change`, own.agent.key.jkt))
    await feed.until(about(`${CAEP}/session-revoked`, claimsOf(token).jti))
  })

  test('of an action type, and of everything, and that they go on', async () => {
    const feed = await caughtUp()
    await administer(world, 'POST', '/admin/action-types/sql_statement/suspend', {})
    await feed.until(about('urn:writ:event:action-type-suspended', 'sql_statement'))
    await administer(world, 'POST', '/admin/action-types/sql_statement/resume', {})
    await feed.until(about('urn:writ:event:action-type-resumed', 'sql_statement'))
    await administer(world, 'POST', '/admin/stop', {})
    await feed.until(({ type }) => type === 'urn:writ:event:everything-stopped')
    await administer(world, 'DELETE', '/admin/stop', {})
    await feed.until(({ type }) => type === 'urn:writ:event:everything-resumed')
  })

  test('of a token for it, and of no token for another', async () => {
    const [own, foreign] = [await issued(world.exchange()), await issued(other.exchange())]
    const feed = await caughtUp()
    for (const token of [foreign, own]) {
      await administer(world, 'POST', `/admin/tokens/${claimsOf(token).jti}/revoke`, {})
    }
    const told = await feed.until(about(`${CAEP}/session-revoked`, claimsOf(own).jti))
    expect(told.claims.sub_id).toEqual({ format: 'jwt_id', iss: server.issuer, jti: claimsOf(own).jti })
    expect(feed.events.some(about(`${CAEP}/session-revoked`, claimsOf(foreign).jti))).toBe(false)
  })
})

describe('who comes back', () => {
  test('with the last id is told what it missed, and nothing twice', async () => {
    const first = await caughtUp()
    await administer(world, 'POST', agents('suspend'), {})
    const { id } = await first.until(about(`${RISC}/account-disabled`, world.agent.id))
    first.close()
    await administer(world, 'POST', agents('resume'), {})
    const second = await caughtUp(world, id)
    const told = second.events.filter(({ type }) => type !== ALIVE)
    expect(told.map(({ type }) => type)).toEqual([`${RISC}/account-enabled`])
  })

  test('with an alive line as the last one goes on there', async () => {
    const first = await caughtUp()
    const { id } = await first.until(isAlive)
    first.close()
    const second = await caughtUp(world, id)
    expect(second.events.map(({ type }) => type)).toEqual([ALIVE])
  })

  test.each(['nonsense', '0.999999999', '17.1', '0.-1', '9'.repeat(40)])(
    'with an id that is not known (%s) is told everything',
    async (id) => {
      expect((await caughtUp(world, id)).events[0]?.type).toBe(SNAPSHOT)
    },
  )

  test('is told what is in force, and not what was lifted', async () => {
    const own = await createWorld(server)
    await administer(own, 'POST', agents('suspend', own), {})
    const during = await caughtUp()
    expect(during.events.some(about(`${RISC}/account-disabled`, own.agent.id))).toBe(true)
    const [snapshot] = during.events
    expect(snapshot?.body.count).toBe(during.events.filter(({ type }) => type !== ALIVE && type !== SNAPSHOT).length)
    await administer(own, 'POST', agents('resume', own), {})
    const after = await caughtUp()
    expect(after.events.some(({ claims }) => claims.sub_id?.sub === own.agent.id)).toBe(false)
  })
})

describe('the feed is refused', () => {
  const ask = (headers: readonly (readonly [string, string])[]) => send(`${server.issuer}/revocations`, { headers })
  test('without a token: 401 and how to come by one', async () => {
    const answer = await ask([])
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, expect.stringMatching(/^DPoP /)])
  })
  test('with an agent’s, an administrator’s or an action token: 401', async () => {
    const agentToken = (await clientToken(server.issuer, world.agent)).body.access_token
    for (const [client, token] of [
      [world.agent, agentToken],
      [server.admin, world.api.token],
      [world.agent, await issued(world.exchange())],
    ] as const) {
      const feed = await readFeed(server.issuer, client, { token })
      feed.close()
      expect(feed.status).toBe(401)
    }
  })
  test('with a resource server’s token and another key: 401', async () => {
    const token = (await clientToken(server.issuer, world.resource)).body.access_token
    const feed = await readFeed(server.issuer, newClient(world.resource.id), { token })
    feed.close()
    expect(feed.status).toBe(401)
  })
  test('its token is good for nothing else', async () => {
    const token = (await clientToken(server.issuer, world.resource)).body.access_token
    expect(claimsOf(token)).toMatchObject({ token_use: 'resource', sub: world.resource.id, aud: server.issuer })
    expect((await introspect(server.issuer, world.resource, token)).body).toStrictEqual({ active: false })
    const exchanged = await world.exchange({}, { subjectToken: token })
    expect(exchanged.body.error).toBe('invalid_grant')
    for (const path of ['/delegations', '/admin/agents']) {
      expect((await send(`${server.issuer}${path}`, { headers: [['Authorization', `DPoP ${token}`]] })).status).toBe(
        401,
      )
    }
  })
  test('to a resource server that is stopped while it follows: it is told, and let go', async () => {
    const own = await createWorld(server)
    const feed = await caughtUp(own)
    await administer(world, 'POST', `/admin/resources/${own.resource.id}/suspend`, {})
    await feed.until(about(`${RISC}/account-disabled`, own.resource.id))
    await expect.poll(() => feed.hasEnded(), { timeout: 5_000 }).toBe(true)
    expect((await clientToken(server.issuer, own.resource)).status).toBe(401)
  })
  test('to more than 32 followers of one resource server: 429', async () => {
    const own = await createWorld(server)
    const token = (await clientToken(server.issuer, own.resource)).body.access_token
    const feeds = []
    for (let n = 0; n < 33; n++) feeds.push(await readFeed(server.issuer, own.resource, { token }))
    open.push(...feeds)
    expect(feeds.map(({ status }) => status)).toEqual([...Array(32).fill(200), 429])
    feeds[0]?.close()
    await expect
      .poll(async () => {
        const next = await readFeed(server.issuer, own.resource, { token })
        open.push(next)
        return next.status
      })
      .toBe(200)
  })
})

test('an event is no token at any door', async () => {
  const feed = await caughtUp()
  const set = feed.events[0]?.set ?? ''
  expect((await introspect(server.issuer, world.resource, set)).body).toStrictEqual({ active: false })
  expect((await world.exchange({}, { subjectToken: set })).body.error).toBe('invalid_grant')
  const again = await readFeed(server.issuer, world.resource, { token: set })
  again.close()
  expect(again.status).toBe(401)
})

test('a server that ends lets its followers go', async () => {
  const own = await startTestServer()
  const story = await createWorld(own)
  const feed = await readFeed(own.issuer, story.resource)
  await feed.until(isAlive)
  const start = performance.now()
  await own.close()
  expect(performance.now() - start).toBeLessThan(5_000)
  expect(feed.hasEnded()).toBe(true)
})
