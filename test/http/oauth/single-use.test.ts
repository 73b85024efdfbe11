import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, introspect, newClient, oauthRequest, send, type TestClient } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { administer, expectRefused, issued } from './answers.ts'

let server: TestServer
let world: World
let other: World
/** Seconds that the server's own clock is ahead. */
const ahead = 0
beforeAll(async () => {
  server = await startTestServer({}, { clock: () => new Date(Date.now() + ahead * 1_000) })
  world = await createWorld(server)
  other = await createWorld(server)
})
afterAll(() => server.close())

const consume = (token: string, id?: string, by: TestClient = world.resource) =>
  introspect(server.issuer, by, token, { form: { consume: 'true', consume_id: id } })
const receipt = (form: Record<string, string | undefined>, by: TestClient = world.resource) => {
  const { url, ...request } = oauthRequest(server.issuer, '/receipts', by, form, {}, false)
  return send(url, request)
}
const newToken = async () => {
  const token = await issued(world.exchange())
  return { token, jti: claimsOf(token).jti as string }
}

describe('consume', () => {
  test('gives the first one everything, and after it nobody anything', async () => {
    const { token } = await newToken()
    expect((await consume(token, 'call-1')).body).toStrictEqual({
      ...claimsOf(token),
      ...{ active: true, token_type: 'DPoP' },
    })
    for (const asked of [
      await consume(token, 'call-2'),
      await consume(token),
      await introspect(server.issuer, world.resource, token),
    ]) {
      expect([asked.status, asked.body]).toStrictEqual([200, { active: false }])
    }
  })

  test('is asked again with the same id, after a lost answer: what happened, and when', async () => {
    const { token, jti } = await newToken()
    const before = Date.now() / 1_000
    await consume(token, 'call-1')
    const again = (await consume(token, 'call-1')).body
    expect(again).toStrictEqual({ active: false, consumed: { at: expect.any(Number), receipt: null } })
    expect(Math.abs(again.consumed.at - before)).toBeLessThan(5)
    expect((await receipt({ jti, outcome: 'failed', detail: 'mailbox full' })).status).toBe(201)
    expect((await consume(token, 'call-1')).body.consumed).toStrictEqual({
      at: again.consumed.at,
      receipt: { outcome: 'failed', detail: 'mailbox full', at: expect.any(Number) },
    })
  })

  test('without an id: at most once, and nobody is told more', async () => {
    const { token } = await newToken()
    expect((await consume(token)).body.active).toBe(true)
    expect((await consume(token)).body).toStrictEqual({ active: false })
  })

  test('by another resource server, or by the agent, uses nothing up', async () => {
    const { token } = await newToken()
    expect((await consume(token, 'x', other.resource)).body).toStrictEqual({ active: false })
    expect((await consume(token, 'x', world.agent)).body).toStrictEqual({ active: false })
    expect((await consume(token, 'x')).body.active).toBe(true)
  })

  test.each<[string, (jti: string) => Promise<unknown>]>([
    ['a revoked token', (jti) => administer(world, 'POST', `/admin/tokens/${jti}/revoke`, {})],
    ['a token with a receipt', (jti) => receipt({ jti, outcome: 'refused' })],
  ])('of %s gives nothing', async (_name, end) => {
    const { token, jti } = await newToken()
    await end(jti)
    expect((await consume(token, 'x')).body).toStrictEqual({ active: false })
  })

  test('of a token of a suspended agent gives nothing, and uses nothing up', async () => {
    const { token } = await newToken()
    await administer(world, 'POST', `/admin/agents/${world.agent.id}/suspend`, {})
    expect((await consume(token, 'x')).body).toStrictEqual({ active: false })
    await administer(world, 'POST', `/admin/agents/${world.agent.id}/resume`, {})
    expect((await consume(token, 'x')).body.active).toBe(true)
  })

  test('with digests in the token tells the values to the one who uses it', async () => {
    const discreet = await createWorld(server, { resource: { token_content: 'digest' } })
    const token = await issued(discreet.exchange())
    expect(claimsOf(token).authorization_details[0].body).toHaveProperty('s256')
    const { body } = await consume(token, 'x', discreet.resource)
    expect(body.authorization_details[0].body).toBe(discreet.action.body)
  })
})

describe('receipts', () => {
  test('once: 201; the same again: 200; another: 409', async () => {
    const { jti } = await newToken()
    const said = { jti, outcome: 'succeeded', detail: 'delivered – ✓' }
    const first = await receipt(said)
    expect([first.status, first.body, first.headers['cache-control']]).toEqual([
      201,
      { jti, outcome: 'succeeded' },
      'no-store',
    ])
    expect((await receipt(said)).status).toBe(200)
    expectRefused(await receipt({ jti, outcome: 'succeeded' }), 409, 'invalid_request')
    expectRefused(await receipt({ jti, outcome: 'failed', detail: said.detail }), 409, 'invalid_request')
    expect((await receipt(said)).status).toBe(200)
  })

  test('also consume', async () => {
    const { token, jti } = await newToken()
    await receipt({ jti, outcome: 'succeeded' })
    expect((await introspect(server.issuer, world.resource, token)).body).toStrictEqual({ active: false })
  })

  test('are on record, with what they say of it', async () => {
    const { jti } = await newToken()
    await receipt({ jti, outcome: 'failed', detail: 'mailbox full' })
    const { body } = await world.api.call('GET', `/admin/records?agent=${world.agent.id}`)
    expect(body.items.find(({ kind }: { kind: string }) => kind === 'receipt')).toMatchObject({
      ...{ decision: 'done', client: world.resource.id, principal: world.principal, delegation: world.delegation.id },
      because: { jti, outcome: 'failed', detail: 'mailbox full' },
    })
  })

  test('come as JSON with the same members too', async () => {
    const { jti } = await newToken()
    const { url, body } = oauthRequest(
      server.issuer,
      '/receipts',
      world.resource,
      { jti, outcome: 'succeeded' },
      {},
      false,
    )
    const json = (members: object) =>
      send(url, { method: 'POST', headers: [['Content-Type', 'application/json']], body: JSON.stringify(members) })
    const members = Object.fromEntries(new URLSearchParams(body as string))
    expect((await json(members)).status).toBe(201)
    expectRefused(await json(members), 401, 'invalid_client')
    expectRefused(await json({ ...members, outcome: 5 }), 400, 'invalid_request')
    expectRefused(await json([members]), 400, 'invalid_request')
    const twice = JSON.stringify(members).replace('{', `{"jti":"x",`)
    const sent = await send(url, { method: 'POST', headers: [['Content-Type', 'application/json']], body: twice })
    expectRefused(sent, 400, 'invalid_request')
  })

  test.each<[string, (jti: string) => Promise<Answer>]>([
    ['of an unknown token', () => receipt({ jti: 'nothing', outcome: 'succeeded' })],
    ['of another resource server’s token', (jti) => receipt({ jti, outcome: 'succeeded' }, other.resource)],
    ['by the agent', (jti) => receipt({ jti, outcome: 'succeeded' }, world.agent)],
    ['by an administrator', (jti) => receipt({ jti, outcome: 'succeeded' }, server.admin)],
  ])('%s: 404', async (_name, send) => {
    const { token, jti } = await newToken()
    expectRefused(await send(jti), 404, 'invalid_request')
    expect((await introspect(server.issuer, world.resource, token)).body.active).toBe(true)
  })

  test.each<[string, Record<string, string | undefined>]>([
    ['no jti', { outcome: 'succeeded' }],
    ['a jti of 256 characters', { jti: 'x'.repeat(256), outcome: 'succeeded' }],
    ['no outcome', { jti: 'x' }],
    ['an unknown outcome', { jti: 'x', outcome: 'done' }],
    ['a detail of 1,001 characters', { jti: 'x', outcome: 'failed', detail: 'd'.repeat(1_001) }],
    ['a detail with a control character', { jti: 'x', outcome: 'failed', detail: 'a\u001b[2J' }],
  ])('%s: 400', async (_name, form) => {
    expectRefused(await receipt(form), 400, 'invalid_request')
  })

  test('by a stranger: 401', async () => {
    expectRefused(await receipt({ jti: 'x', outcome: 'failed' }, newClient('nobody')), 401, 'invalid_client')
  })
})

describe('an answer as a JWT (RFC 9701)', () => {
  const ask = (token: string, by = world.resource, accept = 'application/token-introspection+jwt') =>
    introspect(server.issuer, by, token, { headers: [['Accept', accept]] })

  test.each([true, false])('active: %s', async (isActive) => {
    const { token, jti } = await newToken()
    if (!isActive) await administer(world, 'POST', `/admin/tokens/${jti}/revoke`, {})
    const answer = await ask(token)
    expect([answer.status, answer.headers['content-type'], answer.headers['cache-control']]).toEqual([
      200,
      'application/token-introspection+jwt',
      'no-store',
    ])
    const { body: keys } = await send(`${server.issuer}/jwks`)
    expect(decodeProtectedHeader(answer.text)).toMatchObject({ typ: 'token-introspection+jwt', alg: 'ES256' })
    const { payload } = await jwtVerify(answer.text, createLocalJWKSet(keys), { typ: 'token-introspection+jwt' })
    expect(payload).toStrictEqual({
      ...{ iss: server.issuer, aud: [world.resource.id, world.identifier], iat: expect.any(Number) },
      token_introspection: isActive ? { ...claimsOf(token), active: true, token_type: 'DPoP' } : { active: false },
    })
    // It is no token of any use (RFC 9701 §8.1).
    expect((await ask(answer.text)).text).not.toContain('"active":true')
  })

  test.each(['application/json', '*/*', 'application/token-introspection+jwtx'])(
    'not for Accept: %s',
    async (accept) => {
      const { token } = await newToken()
      expect((await ask(token, world.resource, accept)).body.active).toBe(true)
    },
  )

  test('is advertised with the algorithm that signs it', async () => {
    const { body } = await send(`${server.issuer}/.well-known/oauth-authorization-server`)
    expect(body.introspection_signing_alg_values_supported).toEqual(['ES256'])
    expect(body.receipts_endpoint).toBe(`${server.issuer}/receipts`)
  })
})

describe('a receipt that comes late', () => {
  test('is taken for 24 hours after the token expired, by the clock of the database', async () => {
    const brief = await createWorld(server, { resource: { token_lifetime_seconds: 1 } })
    const token = await issued(brief.exchange())
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const { jti } = claimsOf(token)
    expect((await receipt({ jti, outcome: 'succeeded' }, brief.resource)).status).toBe(201)
  })
})
