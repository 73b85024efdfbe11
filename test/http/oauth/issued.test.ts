import { createHash } from 'node:crypto'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, introspect, newClient, seconds, send, type TestClient } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { SAMPLES, sample } from './actions.ts'
import { administer, timestamp } from './answers.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

const CASES = (['ES256', 'Ed25519', 'EdDSA'] as const).flatMap((alg) =>
  Object.keys(SAMPLES).map((type) => ({ alg, type })),
)

describe('an action token is exactly what wire.md §4 says', () => {
  test.each(CASES)('$type for an agent with an $alg key', async ({ alg, type }) => {
    const { bound, action } = sample(type)
    const world = await createWorld(server, { alg, bounds: [bound], action })
    const before = seconds()
    const answer = await world.exchange()
    const after = seconds()
    expect(answer.status, answer.text).toBe(200)
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': expect.stringMatching(/^application\/json(;|$)/),
      'x-request-id': expect.stringMatching(/^[A-Za-z0-9._-]{1,64}$/),
    })
    const details = { type, locations: [world.identifier], ...action }
    // (RFC 8693 §2.2.1, RFC 9449 §5, RFC 9396 §7)
    expect(answer.body).toStrictEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'DPoP',
      expires_in: 60,
      authorization_details: [details],
    })

    const { body: keys } = await send(`${server.issuer}/jwks`)
    const token = answer.body.access_token
    expect(decodeProtectedHeader(token)).toStrictEqual({ typ: 'at+jwt', alg: 'ES256', kid: keys.keys[0].kid })
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), { algorithms: ['ES256'], typ: 'at+jwt' })
    expect(payload).toStrictEqual({
      iss: server.issuer,
      aud: world.identifier,
      sub: world.principal,
      client_id: world.agent.id,
      act: { iss: server.issuer, sub: world.agent.id, sub_profile: 'ai_agent' },
      cnf: { jkt: world.agent.key.jkt },
      authorization_details: [details],
      delegation_id: world.delegation.id,
      txn: expect.stringMatching(/^[\w-]{16,}$/),
      jti: expect.stringMatching(/^[\w-]{16,}$/),
      iat: expect.any(Number),
      exp: expect.any(Number),
    })
    expect(payload.iat).toBeGreaterThanOrEqual(before)
    expect(payload.iat).toBeLessThanOrEqual(after)
    expect(payload.exp).toBe((payload.iat ?? 0) + 60)
  })

  test('every token has ids of its own, and so has every answer', async () => {
    const world = await createWorld(server)
    const answers = await Promise.all([world.exchange(), world.exchange(), world.exchange()])
    const claims = answers.map(({ body }) => claimsOf(body.access_token))
    for (const name of ['jti', 'txn']) expect(new Set(claims.map((each) => each[name])).size).toBe(3)
    expect(new Set(answers.map(({ headers }) => headers['x-request-id'])).size).toBe(3)
  })
})

describe('the ways to ask for the same', () => {
  let world: World
  beforeAll(async () => {
    world = await createWorld(server)
  })
  const withAction = (change: object) => world.exchange({}, { action: { ...world.action, ...change } })

  test('locations that are exactly the resource', async () => {
    const answer = await withAction({ locations: [world.identifier] })
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body.authorization_details[0].locations).toEqual([world.identifier])
  })

  test.each([
    ['an audience that is the resource', () => ({ audience: world.identifier })],
    [
      'the access token type asked for',
      () => ({ requested_token_type: 'urn:ietf:params:oauth:token-type:access_token' }),
    ],
    ['parameters nobody knows (RFC 6749 §3.2)', () => ({ colour: 'blue', 'x y': '1' })],
    ['no client_id: the assertion says it', () => ({ client_id: undefined })],
    [
      'parameters of later sections left empty (RFC 6749 §3.1)',
      () => ({ turn: '', batch: '', actor_token: '', scope: '' }),
    ],
  ])('%s', async (_name, form) => {
    const answer = await world.exchange({ form: form() })
    expect(answer.status, answer.text).toBe(200)
  })

  test.each([
    ['no kid', { kid: undefined }],
    ['no typ', { typ: undefined }],
    ['the typ of its own', { typ: 'client-authentication+jwt' }],
    ['headers nobody looks at', { jku: 'https://evil.example/jwks', x5u: 'https://evil.example/cert', cty: 'x' }],
  ])('an assertion with %s', async (_name, assertionHeader) => {
    const answer = await world.exchange({ assertionHeader })
    expect(answer.status, answer.text).toBe(200)
  })

  test('a form that says its charset, sent in chunks', async () => {
    const answer = await world.exchange({
      headers: [
        ['Content-Type', 'application/x-www-form-urlencoded; charset=UTF-8'],
        ['Transfer-Encoding', 'chunked'],
      ],
    })
    expect(answer.status, answer.text).toBe(200)
  })

  test('a harmless request id is kept, another is replaced', async () => {
    const kept = await world.exchange({ headers: [['X-Request-Id', 'turn-42.call_3']] })
    expect(kept.headers['x-request-id']).toBe('turn-42.call_3')
    for (const id of ['a b', 'x'.repeat(65), 'a/b', 'ä']) {
      const replaced = await world.exchange({ headers: [['X-Request-Id', Buffer.from(id).toString('latin1')]] })
      expect(replaced.headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]{1,64}$/)
      expect(replaced.headers['x-request-id']).not.toBe(id)
    }
  })

  test('a Host that is not ours changes nothing', async () => {
    const answer = await world.exchange({
      headers: [
        ['Host', 'evil.example'],
        ['X-Forwarded-Host', 'evil.example'],
      ],
    })
    expect(answer.status, answer.text).toBe(200)
    expect(claimsOf(answer.body.access_token).iss).toBe(server.issuer)
  })
})

describe('lifetime', () => {
  test.each([1, 5, 120, 300])('a resource that says %i seconds gets them', async (token_lifetime_seconds) => {
    const world = await createWorld(server, { resource: { token_lifetime_seconds } })
    const { body } = await world.exchange()
    const { iat, exp } = claimsOf(body.access_token)
    expect([body.expires_in, exp - iat]).toEqual([token_lifetime_seconds, token_lifetime_seconds])
  })

  test('never past the delegation', async () => {
    const expires_at = seconds() + 40
    const world = await createWorld(server, { delegation: { expires_at: timestamp(expires_at) } })
    const { body } = await world.exchange()
    const { iat, exp } = claimsOf(body.access_token)
    expect(exp).toBe(expires_at)
    expect(body.expires_in).toBe(expires_at - iat)
  })
})

describe('a delegation without a resource counts where its bounds say', () => {
  test('at each of their locations, and the token is for the one that was asked for', async () => {
    const first = await createWorld(server)
    const second = await createWorld(server)
    const { body } = await administer(first, 'POST', '/admin/delegations', {
      principal: first.principal,
      agent: first.agent.id,
      authorization_details: [{ ...sample('email_send').bound, locations: [first.identifier, second.identifier] }],
    })
    for (const resource of [first.identifier, second.identifier]) {
      const answer = await first.exchange({}, { subjectToken: body.subject_token, resource })
      expect(answer.status, answer.text).toBe(200)
      expect(claimsOf(answer.body.access_token)).toMatchObject({ aud: resource, delegation_id: body.id })
    }
  })
})

describe('a resource that asks for digests', () => {
  test('the token holds the digest, introspection the value', async () => {
    const world = await createWorld(server, { resource: { token_content: 'digest' } })
    const { status, body, text } = await world.exchange()
    expect(status, text).toBe(200)
    const { authorization_details } = claimsOf(body.access_token)
    const s256 = createHash('sha256').update('Hello').digest('base64url')
    expect(authorization_details).toStrictEqual([
      {
        type: 'email_send',
        locations: [world.identifier],
        to: ['bob@example.com'],
        subject: 'Minutes',
        body: { s256 },
      },
    ])
    const seen = await introspect(server.issuer, world.resource, body.access_token)
    expect(seen.body).toMatchObject({ active: true, authorization_details: [{ body: 'Hello' }] })
  })
})

describe('an agent token', () => {
  test.each(['ES256', 'Ed25519', 'EdDSA'] as const)(
    'for an agent with an %s key, bound to it, without scope',
    async (alg) => {
      const world = await createWorld(server, { alg })
      const { status, body, text } = await clientToken(server.issuer, world.agent)
      expect(status, text).toBe(200)
      expect(body).toStrictEqual({ access_token: expect.any(String), token_type: 'DPoP', expires_in: 300 })
      expect(decodeProtectedHeader(body.access_token)).toMatchObject({ typ: 'at+jwt', alg: 'ES256' })
      const claims = claimsOf(body.access_token)
      expect(claims).toMatchObject({
        iss: server.issuer,
        aud: server.issuer,
        sub: world.agent.id,
        client_id: world.agent.id,
        token_use: 'agent',
        cnf: { jkt: world.agent.key.jkt },
      })
      expect(claims).not.toHaveProperty('scope')
    },
  )

  test('assertion key and DPoP key may differ: the token is bound to the latter', async () => {
    const world = await createWorld(server)
    const second: TestClient = newClient(world.agent.id, 'Ed25519')
    await administer(world, 'POST', `/admin/agents/${world.agent.id}/keys`, { jwk: second.key.jwk, label: 'second' })
    const agent = await clientToken(server.issuer, world.agent, { proofKey: second.key })
    expect(claimsOf(agent.body.access_token).cnf).toEqual({ jkt: second.key.jkt })
    const action = await world.exchange({ proofKey: second.key })
    expect(claimsOf(action.body.access_token).cnf).toEqual({ jkt: second.key.jkt })
  })
})
