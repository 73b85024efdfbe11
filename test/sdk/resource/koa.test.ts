import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { sha256Base64url } from '../../../src/core/hash.ts'
import { createMemoryReplayStore, createResourceServer } from '../../../src/sdk/resource/index.ts'
import { makeKey, proof } from '../../wire/signing.ts'
import { startIssuer, type TestIssuer } from './issuer.ts'
import { type Answer, call, credentials, EMAIL, EXTERNAL, startResource, type TestResource } from './koa-app.ts'

const BODY = JSON.stringify(EMAIL)
let issuer: TestIssuer
let resource: TestResource
beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(() => issuer.close())
beforeEach(async () => {
  resource = await startResource(issuer)
  return resource.close
})

type Change = Parameters<typeof credentials>[2]
const sendWith = (change: Change = {}) =>
  call(resource, { body: BODY, headers: credentials(issuer, resource, change).headers })
const errorIn = ({ status, headers }: Answer) => {
  const [, error] = /error="([a-z_]+)"/.exec(String(headers['www-authenticate'])) ?? []
  return `${status} ${error ?? ''}`.trim()
}

/** Refused as said, the route did not run, and the refusal is well-formed. */
function expectRefused(answer: Answer, expected: string): void {
  expect(errorIn(answer)).toBe(expected)
  expect(resource.executed.count).toBe(0)
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['www-authenticate']).toMatch(
    /^DPoP .*resource_metadata="https:\/\/mail\.example\/\.well-known\/oauth-protected-resource", algs="ES256 Ed25519 EdDSA"$/,
  )
  expect(Object.keys(answer.body)).toEqual(['error', 'error_description'])
}

describe('a protected route', () => {
  test('the authorized call runs, once, and the route knows for whom', async () => {
    const { headers } = credentials(issuer, resource)
    expect(await call(resource, { body: BODY, headers })).toMatchObject({
      status: 200,
      body: { principal: 'alice', agent: 'planner', type: 'email_send' },
    })
    expect(errorIn(await call(resource, { body: BODY, headers }))).toBe('401 invalid_token')
    expect(resource.executed.count).toBe(1)
  })

  test('scheme in any case (RFC 9110 §11.1), query not part of htu (RFC 9449 §4.3)', async () => {
    const { token, dpop } = credentials(issuer, resource)
    const headers = ['authorization', `dpop ${token}`, 'dpop', dpop]
    expect((await call(resource, { path: '/send?trace=1', body: BODY, headers })).status).toBe(200)
  })

  test('no credentials -> 401, a challenge without an error (RFC 6750 §3.1)', async () => {
    expectRefused(await call(resource, { body: BODY }), '401')
  })

  test.each([
    { name: 'expired', claims: { iat: 1_799_999_900, exp: 1_799_999_995 } },
    { name: 'issued in the future', claims: { iat: 1_800_000_006 } },
    { name: 'not valid yet', claims: { nbf: 1_800_000_006 } },
    { name: 'another issuer', claims: { iss: 'https://evil.example' } },
    { name: 'another resource', claims: { aud: 'https://files.example' } },
    { name: 'this resource among several', claims: { aud: [EXTERNAL, 'https://files.example'] } },
    { name: 'an agent token', claims: { token_use: 'agent' } },
    { name: 'not bound to a key', claims: { cnf: undefined } },
    { name: 'no action', claims: { authorization_details: undefined } },
    { name: 'two actions', claims: { authorization_details: [{ type: 'email_send' }, { type: 'email_send' }] } },
    { name: 'no jti', claims: { jti: undefined } },
    { name: 'typ JWT', header: { typ: 'JWT' } },
    { name: 'unknown kid', header: { kid: 'x' } },
    { name: 'crit', header: { crit: ['x'] } },
  ])('token: $name -> 401 invalid_token', async ({ name: _, ...change }) => {
    expectRefused(await sendWith(change), '401 invalid_token')
  })

  test.each([
    { name: 'exp 6 seconds ago', exp: -6, status: 401 },
    { name: 'exp 5 seconds ago', exp: -5, status: 401 },
    { name: 'exp 4 seconds ago', exp: -4, status: 200 },
    { name: 'exp now', exp: 0, status: 200 },
    { name: 'exp in 1 second', exp: 1, status: 200 },
  ])('$name, with 5 seconds of skew -> $status', async ({ exp, status }) => {
    const now = resource.clock.seconds
    expect((await sendWith({ claims: { iat: now - 60, exp: now + exp } })).status).toBe(status)
  })

  test('signed by a stranger under a known kid -> 401 invalid_token', async () => {
    const stranger = { url: issuer.url, key: { ...makeKey('ES256'), jkt: issuer.key.jkt } }
    const { headers } = credentials(stranger, resource)
    expectRefused(await call(resource, { body: BODY, headers }), '401 invalid_token')
  })

  test.each([
    { name: 'Bearer', headers: (token: string, dpop: string) => ['Authorization', `Bearer ${token}`, 'DPoP', dpop] },
    { name: 'Basic', headers: (_: string, dpop: string) => ['Authorization', 'Basic YTpi', 'DPoP', dpop] },
    { name: 'no token', headers: (_: string, dpop: string) => ['Authorization', 'DPoP', 'DPoP', dpop] },
    {
      name: 'two tokens in one header',
      headers: (token: string, dpop: string) => ['Authorization', `DPoP ${token}, DPoP ${token}`, 'DPoP', dpop],
    },
    {
      name: 'two Authorization headers',
      headers: (token: string, dpop: string) => [
        'Authorization',
        `DPoP ${token}`,
        'authorization',
        `DPoP ${token}`,
        'DPoP',
        dpop,
      ],
    },
    {
      name: 'DPoP and Bearer side by side',
      headers: (token: string, dpop: string) => [
        'Authorization',
        `DPoP ${token}`,
        'Authorization',
        `Bearer ${token}`,
        'DPoP',
        dpop,
      ],
    },
  ])('Authorization: $name -> 401 invalid_token', async ({ headers }) => {
    const { token, dpop } = credentials(issuer, resource)
    expectRefused(await call(resource, { body: BODY, headers: headers(token, dpop) }), '401 invalid_token')
  })

  test('a token in the query is not looked at (RFC 9449 §7.1)', async () => {
    const { token, dpop } = credentials(issuer, resource)
    expectRefused(
      await call(resource, { path: `/send?access_token=${token}`, body: BODY, headers: ['DPoP', dpop] }),
      '401',
    )
  })

  test.each([
    { name: 'typ JWT', proofHeader: { typ: 'JWT' } },
    { name: 'another method', proofClaims: { htm: 'GET' } },
    { name: 'another path', proofClaims: { htu: `${EXTERNAL}/other` } },
    { name: 'the address the server listens at', proofClaims: { htu: 'http://127.0.0.1/send' } },
    { name: 'too old', proofClaims: { iat: 1_800_000_000 - 301 } },
    { name: 'too far ahead', proofClaims: { iat: 1_800_000_000 + 301 } },
    { name: 'no ath', proofClaims: { ath: undefined } },
    { name: 'ath of another token', proofClaims: { ath: sha256Base64url('other') } },
    { name: 'no jti', proofClaims: { jti: undefined } },
  ])('proof: $name -> 401 invalid_dpop_proof', async ({ name: _, ...change }) => {
    expectRefused(await sendWith(change), '401 invalid_dpop_proof')
  })

  test('proof: none, two, or by a key that the token is not bound to -> 401 invalid_dpop_proof', async () => {
    const { token, dpop } = credentials(issuer, resource)
    const authorization = ['Authorization', `DPoP ${token}`]
    const now = new Date(resource.clock.seconds * 1000)
    const other = proof(resource.agent, { method: 'POST', htu: `${EXTERNAL}/send`, now, accessToken: token })
    const thief = proof(makeKey('ES256'), { method: 'POST', htu: `${EXTERNAL}/send`, now, accessToken: token })
    for (const proofs of [[], ['DPoP', dpop, 'dpop', other], ['DPoP', dpop, 'DPoP', dpop], ['DPoP', thief]]) {
      expectRefused(
        await call(resource, { body: BODY, headers: [...authorization, ...proofs] }),
        '401 invalid_dpop_proof',
      )
    }
    // None of them burned anything.
    expect((await call(resource, { body: BODY, headers: [...authorization, 'DPoP', dpop] })).status).toBe(200)
  })

  test('another action -> 403 with the member that differs, and nothing burned', async () => {
    const { headers } = credentials(issuer, resource)
    const answer = await call(resource, { body: JSON.stringify({ ...EMAIL, to: ['eve@example.com'] }), headers })
    expectRefused(answer, '403 insufficient_authorization_details')
    expect(answer.body.error_description).toBe('the access token is for another action: to[0]')
    expect((await call(resource, { body: BODY, headers })).status).toBe(200)
  })

  test('a digest in the request in place of the authorized text -> 403', async () => {
    const { headers } = credentials(issuer, resource)
    const body = JSON.stringify({ ...EMAIL, body: { s256: sha256Base64url(EMAIL.body) } })
    expectRefused(await call(resource, { body, headers }), '403 insufficient_authorization_details')
  })

  test('a token with digests is for the text they are of', async () => {
    const action = { type: 'email_send', ...EMAIL, body: { s256: sha256Base64url(EMAIL.body) } }
    expect((await sendWith({ action })).status).toBe(200)
  })

  test('one proof with another token, one token with another proof -> the second is refused', async () => {
    const [first, jti] = [credentials(issuer, resource), 'the-proof']
    await call(resource, { body: BODY, headers: first.headers })
    const now = new Date(resource.clock.seconds * 1000)
    const again = proof(resource.agent, { method: 'POST', htu: `${EXTERNAL}/send`, now, accessToken: first.token })
    const headers = ['Authorization', `DPoP ${first.token}`, 'DPoP', again]
    expect(errorIn(await call(resource, { body: BODY, headers }))).toBe('401 invalid_token')
    expect((await sendWith({ proofClaims: { jti } })).status).toBe(200)
    expect(errorIn(await sendWith({ proofClaims: { jti } }))).toBe('401 invalid_dpop_proof')
  })

  test('the same jti by another key is another proof', async () => {
    expect((await sendWith({ proofClaims: { jti: 'j' } })).status).toBe(200)
    const other = { ...resource, agent: makeKey('ES256') }
    const { headers } = credentials(issuer, other, { proofClaims: { jti: 'j' } })
    expect((await call(resource, { body: BODY, headers })).status).toBe(200)
  })

  test('8 parallel copies of one request -> exactly one executes', async () => {
    const { headers } = credentials(issuer, resource)
    const answers = await Promise.all(Array.from({ length: 8 }, () => call(resource, { body: BODY, headers })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401, 401, 401, 401])
    expect(resource.executed.count).toBe(1)
  })

  test('Host and X-Forwarded-* say nothing about htu', async () => {
    const forged = (htu: string) => credentials(issuer, resource, { proofClaims: { htu } }).headers
    const lies = ['Host', 'evil.example', 'X-Forwarded-Host', 'evil.example', 'X-Forwarded-Proto', 'https']
    expectRefused(
      await call(resource, { body: BODY, headers: [...lies, ...forged('https://evil.example/send')] }),
      '401 invalid_dpop_proof',
    )
    expect(
      (await call(resource, { body: BODY, headers: [...lies, ...credentials(issuer, resource).headers] })).status,
    ).toBe(200)
  })

  test('an absolute or authority-like request target -> 401 invalid_dpop_proof', async () => {
    for (const path of ['http://evil.example/send', 'https://mail.example/send']) {
      const { headers } = credentials(issuer, resource, { proofClaims: { htu: path } })
      expectRefused(await call(resource, { path, body: BODY, headers }), '401 invalid_dpop_proof')
    }
  })

  test('a full replay store -> 503 with Retry-After, and room again later', async () => {
    const clock = { seconds: 1_800_000_000 }
    const full = await startResource(issuer, { clock, replay: createMemoryReplayStore({ maxEntries: 3 }) })
    const send = () => call(full, { body: BODY, headers: credentials(issuer, full).headers })
    expect((await send()).status).toBe(200)
    const answer = await send()
    expect([answer.status, answer.headers['retry-after'], answer.body.error]).toEqual([
      503,
      '5',
      'temporarily_unavailable',
    ])
    expect(answer.headers['www-authenticate']).toBeUndefined()
    clock.seconds += 331
    expect((await send()).status).toBe(200)
    expect(full.executed.count).toBe(2)
    await full.close()
  })

  test('a replay store that cannot be reached -> 500, nothing executes', async () => {
    const broken = await startResource(issuer, {
      replay: {
        mark: () => {
          throw new Error('the store is down')
        },
      },
    })
    const answer = await call(broken, { body: BODY, headers: credentials(issuer, broken).headers })
    expect([answer.status, broken.executed.count]).toEqual([500, 0])
    expect(JSON.stringify(answer.body)).not.toContain('store is down')
    await broken.close()
  })

  test('a replay store that answers what nobody asked for -> refused', async () => {
    for (const answered of [true, undefined, null, {}, 'yes']) {
      const odd = await startResource(issuer, { replay: { mark: () => answered as 'full' } })
      const { status } = await call(odd, { body: BODY, headers: credentials(issuer, odd).headers })
      expect([status >= 400, odd.executed.count]).toEqual([true, 0])
      await odd.close()
    }
  })

  test('a body that the action cannot be built from -> no execution, nothing burned', async () => {
    const { headers } = credentials(issuer, resource)
    expect((await call(resource, { body: '{', headers })).status).toBe(500)
    expect((await call(resource, { body: BODY, headers })).status).toBe(200)
  })

  test('a route that forgot its protection fails instead of acting for nobody', async () => {
    expect((await call(resource, { path: '/forgotten', headers: credentials(issuer, resource).headers })).status).toBe(
      500,
    )
  })
})

describe('an http_request route', () => {
  const url = `${EXTERNAL}/raw/a?x=1`
  const post = (body: string, type = 'application/json') => ({
    ...{ type: 'http_request', method: 'POST', url, content_type: type, body_s256: sha256Base64url(body) },
  })
  const run = (
    action: object,
    body: string,
    more: readonly string[] = ['Content-Type', 'application/json'],
    path = '/raw/a?x=1',
  ) => {
    const { headers } = credentials(issuer, resource, { action, path })
    return call(resource, { path, body, headers: [...headers, ...more] })
  }

  test('method, URL with query, content type and body are the action', async () => {
    expect((await run(post('{}'), '{}')).status).toBe(200)
  })

  test('an empty body: with its digest or without', async () => {
    const empty = { type: 'http_request', method: 'POST', url }
    expect((await run(empty, '', [])).status).toBe(200)
    expect((await run({ ...empty, body_s256: '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU' }, '', [])).status).toBe(200)
    expect((await run(empty, 'x', [])).status).toBe(403)
  })

  test.each([
    { name: 'another body', body: '{ }', more: ['Content-Type', 'application/json'] },
    { name: 'another content type', body: '{}', more: ['Content-Type', 'text/plain'] },
    { name: 'no content type', body: '{}', more: [] },
    {
      name: 'two content types',
      body: '{}',
      more: ['Content-Type', 'application/json', 'Content-Type', 'application/json'],
    },
    ...[
      'X-HTTP-Method',
      'X-HTTP-Method-Override',
      'x-http-method-anything',
      'X_HTTP_Method_Override',
      'X-Method-Override',
      'X-Original-URL',
      'X-Rewrite-URL',
    ].map((name) => ({ name, body: '{}', more: ['Content-Type', 'application/json', name, 'DELETE'] })),
  ])('$name -> 403', async ({ body, more }) => {
    expectRefused(await run(post('{}'), body, more), '403 insufficient_authorization_details')
  })

  test.each(['/raw/a?x=2', '/raw/a', '/raw/%61?x=1', '/raw//a?x=1', '/raw/b/../a?x=1', '/raw/a?x=1&y=2'])(
    '%s -> 403',
    async (path) => {
      expectRefused(
        await run(post('{}'), '{}', ['Content-Type', 'application/json'], path),
        '403 insufficient_authorization_details',
      )
    },
  )
})

test.each(['/raw/b/../a', '/raw//a', '/raw/%2e%2e/a', '/raw/a%2fb', '/raw/..;x/a'])(
  'a URL with two readings is refused even where the token has it so: %s',
  async (path) => {
    const action = { type: 'http_request', method: 'POST', url: EXTERNAL + path }
    const { headers } = credentials(issuer, resource, { action, path })
    expectRefused(await call(resource, { path, headers }), '403 insufficient_authorization_details')
  },
)

describe('protected resource metadata (RFC 9728)', () => {
  test('says where to get which tokens', async () => {
    const answer = await call(resource, { method: 'GET', path: '/.well-known/oauth-protected-resource' })
    expect(answer.body).toEqual({
      resource: 'https://mail.example',
      authorization_servers: [issuer.url],
      bearer_methods_supported: [],
      dpop_signing_alg_values_supported: ['ES256', 'Ed25519', 'EdDSA'],
      dpop_bound_access_tokens_required: true,
    })
    expect(answer.headers['access-control-allow-origin']).toBe('*')
  })

  test('an identifier with a path has its document behind the well-known part, one of another origin has none (§3.1)', () => {
    const make = (identifier: string) =>
      createResourceServer({
        issuer: issuer.url,
        resource: identifier,
        origin: EXTERNAL,
        replay: createMemoryReplayStore(),
        advertisedTypes: ['email_send'],
      })
    const withPath = make('https://mail.example/v1')
    expect(withPath.metadataPath).toBe('/.well-known/oauth-protected-resource/v1')
    expect(withPath.protectedResourceMetadata.authorization_details_types_supported).toEqual(['email_send'])
    expect(make('urn:example:mail').metadataPath).toBeUndefined()
    expect(make('https://other.example/').metadataPath).toBeUndefined()
  })
})
