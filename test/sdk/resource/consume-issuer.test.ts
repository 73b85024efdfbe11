import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/core/json.ts'
import {
  createMemoryReplayStore,
  createMemoryResultStore,
  createResourceServer,
  executeOnce,
  isRefusal,
  type ResourceServer,
  type ResourceServerOptions,
} from '../../../src/sdk/resource/index.ts'
import { revoke } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { signerOf } from '../../support/signer.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { proof } from '../../wire/signing.ts'

// The whole way, against the issuer itself: what it consumes, what a retry hears, what its account says afterwards.
let issuer: TestServer
let world: World
beforeAll(async () => {
  issuer = await startTestServer()
  world = await createWorld(issuer)
})
afterAll(() => issuer.close())

const make = (options: Partial<ResourceServerOptions> = {}): ResourceServer =>
  createResourceServer({
    issuer: issuer.issuer,
    resource: world.identifier,
    origin: world.identifier,
    replay: createMemoryReplayStore(),
    consume: { clientId: world.resource.id, key: signerOf(world.resource.key) },
    ...options,
  })
const actionOf = ({ action }: World) => action as JsonObject
const newToken = async (): Promise<string> => (await world.exchange()).body.access_token
function requestWith(accessToken: string) {
  const htu = `${world.identifier}/send`
  const dpop = proof(world.agent.key, { method: 'POST', htu, now: new Date(), accessToken })
  return { method: 'POST', url: '/send', rawHeaders: ['Authorization', `DPoP ${accessToken}`, 'DPoP', dpop] }
}
const authorize = (server: ResourceServer, token: string) => server.authorize(requestWith(token), actionOf(world))

test('one use, decided by the issuer: of 20 tries at two processes one is let through', async () => {
  const token = await newToken()
  const servers = [make(), make()]
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, i) => authorize(servers[i % 2] as ResourceServer, token)),
  )
  const refused = outcomes.flatMap((outcome) => (isRefusal(outcome) ? [outcome.code] : []))
  expect(outcomes.length - refused.length).toBe(1)
  expect(new Set(refused)).toEqual(new Set(['call_unfinished']))
})

test('a revoked token, and one of a suspended agent -> token_inactive', async () => {
  const server = make()
  const [token, another] = [await newToken(), await newToken()]
  await revoke(issuer.issuer, world.agent, token)
  expect(await authorize(server, token)).toMatchObject({ code: 'token_inactive' })
  await world.api.call('POST', `/admin/agents/${world.agent.id}/suspend`, { reason: 'test' })
  expect(await authorize(server, another)).toMatchObject({ code: 'token_inactive' })
  await world.api.call('POST', `/admin/agents/${world.agent.id}/resume`, { reason: 'test' })
})

test('a retry gets the kept answer; the receipt ends it, and stands in the account', async () => {
  const server = make({ results: createMemoryResultStore() })
  const token = await newToken()
  let runs = 0
  const run = () =>
    executeOnce(server, { from: requestWith(token), actual: actionOf(world) }, async () => ({ body: `${++runs}` }))
  expect(await run()).toEqual({ answer: { body: '1' }, isKept: false })
  expect(await run()).toMatchObject({ isKept: true })
  const call = { claims: claimsOf(token) }
  expect(await server.receipt(call, { outcome: 'succeeded', detail: 'message 42' })).toBe('recorded')
  expect(await server.receipt(call, { outcome: 'succeeded', detail: 'message 42' })).toBe('recorded')
  expect(await server.receipt(call, { outcome: 'failed' })).toBe('conflict')
  expect(await server.receipt({ claims: { ...call.claims, jti: 'unknown' } }, { outcome: 'failed' })).toBe('unknown')
  expect(await run()).toMatchObject({ isKept: true })
  expect(runs).toBe(1)
  const { body } = await world.api.call('GET', `/admin/records?agent=${world.agent.id}`)
  expect(JSON.stringify(body)).toContain('message 42')
})

test('an issuer that has stopped -> a fault with status 503, and nothing runs', async () => {
  const other = await startTestServer()
  try {
    const elsewhere = await createWorld(other)
    const server = createResourceServer({
      issuer: other.issuer,
      resource: elsewhere.identifier,
      origin: elsewhere.identifier,
      replay: createMemoryReplayStore(),
      consume: { clientId: elsewhere.resource.id, key: signerOf(elsewhere.resource.key) },
    })
    const requests = await Promise.all(
      [1, 2].map(async () => {
        const accessToken: string = (await elsewhere.exchange()).body.access_token
        const htu = `${elsewhere.identifier}/send`
        const dpop = proof(elsewhere.agent.key, { method: 'POST', htu, now: new Date(), accessToken })
        return { method: 'POST', url: '/send', rawHeaders: ['Authorization', `DPoP ${accessToken}`, 'DPoP', dpop] }
      }),
    )
    const [first, second] = requests
    if (first === undefined || second === undefined) throw new Error('two requests')
    expect(isRefusal(await server.authorize(first, actionOf(elsewhere)))).toBe(false)
    await other.stop()
    await expect(server.authorize(second, actionOf(elsewhere))).rejects.toMatchObject({ status: 503 })
  } finally {
    await other.close()
  }
})
