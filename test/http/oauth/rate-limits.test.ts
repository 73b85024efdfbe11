import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  assertion,
  clientToken,
  exchange,
  exchangeRequest,
  introspect,
  newClient,
  revoke,
  send,
} from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { expectRefused } from './answers.ts'

/** Seconds that the server's own clock is ahead: how a bucket is filled again without waiting. */
let ahead = 0
let server: TestServer
let world: World
let other: World
beforeAll(async () => {
  server = await startTestServer(
    { clientRequests: { perSecond: 0.1, burst: 4 }, failedAuthentications: { perSecond: 0.1, burst: 3 } },
    { clock: () => new Date(Date.now() + ahead * 1_000) },
  )
  world = await createWorld(server)
  other = await createWorld(server)
})
afterAll(() => server.close())

// One story, in order: each step begins where the one before has left the buckets.
describe.sequential('too many requests: 429 slow_down with Retry-After', () => {
  test('a client gets its burst and no more; another client is not bothered', async () => {
    for (let request = 0; request < 4; request++) expect((await world.exchange()).status).toBe(200)
    expectRefused(await world.exchange(), 429, 'slow_down')
    expectRefused(await clientToken(server.issuer, world.agent), 429, 'slow_down')
    expectRefused(await revoke(server.issuer, world.agent, 'x'), 429, 'slow_down')
    expect((await other.exchange()).status).toBe(200)
    expect((await introspect(server.issuer, world.resource, 'x')).status).toBe(200)
  })

  test('whoever was told to wait may come again after a while', async () => {
    ahead = 11
    expect((await world.exchange()).status).toBe(200)
    expectRefused(await world.exchange(), 429, 'slow_down')
  })

  test('a request that was turned away for its number has not used up what it presented', async () => {
    const client_assertion = assertion(world.agent, server.issuer)
    expectRefused(await world.exchange({ form: { client_assertion } }), 429, 'slow_down')
    ahead = 22
    expect((await world.exchange({ form: { client_assertion } })).status).toBe(200)
  })

  test('who fails to authenticate too often is told to slow down, at any endpoint', async () => {
    const stranger = newClient('nobody')
    for (let request = 0; request < 3; request++) {
      expectRefused(await exchange(server.issuer, stranger, world.wish), 401, 'invalid_client')
    }
    expectRefused(await exchange(server.issuer, stranger, world.wish), 429, 'slow_down')
    expectRefused(await introspect(server.issuer, stranger, 'x'), 429, 'slow_down')
    expectRefused(await revoke(server.issuer, stranger, 'x'), 429, 'slow_down')
  })

  test('who does not fail is served meanwhile, from the same address, the administrator too', async () => {
    expect((await other.exchange()).status).toBe(200)
    expect((await other.api.call('GET', '/admin/agents')).status).toBe(200)
  })

  test('whoever replays what he caught uses up nothing of the client’s share', async () => {
    const victim = await createWorld(server)
    const { url, ...caught } = exchangeRequest(server.issuer, victim.agent, victim.wish)
    expect((await send(url, caught)).status).toBe(200)
    for (let replay = 0; replay < 10; replay++) expect([401, 429]).toContain((await send(url, caught)).status)
    for (let request = 0; request < 3; request++) expect((await victim.exchange()).status).toBe(200)
    expectRefused(await victim.exchange(), 429, 'slow_down')
  })

  test('requests with a good assertion and a bad proof are limited as well, apart from the good ones', async () => {
    const careless = await createWorld(server)
    for (let request = 0; request < 4; request++) {
      expectRefused(await careless.exchange({ proofs: [] }), 400, 'invalid_dpop_proof')
    }
    expectRefused(await careless.exchange({ proofs: [] }), 429, 'slow_down')
    expect((await careless.exchange()).status).toBe(200)
  })

  test('what is public is still served', async () => {
    for (const path of ['/jwks', '/.well-known/oauth-authorization-server', '/healthz']) {
      expect((await send(`${server.issuer}${path}`)).status).toBe(200)
    }
  })
})
