import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, send } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { administer } from './answers.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

const BUILT_IN = ['email_send', 'http_request', 'mcp_tool_call', 'payment_initiation', 'sql_statement']
const ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA']
const ORIGIN: [string, string] = ['Origin', 'https://app.example']
const get = (path: string) => send(`${server.issuer}${path}`, { headers: [ORIGIN] })

describe('metadata', () => {
  test('says what works and nothing else (RFC 8414 §2)', async () => {
    const { status, headers, body } = await get('/.well-known/oauth-authorization-server')
    expect([status, headers['content-type']]).toEqual([200, expect.stringMatching(/^application\/json(;|$)/)])
    expect(body).toStrictEqual({
      issuer: server.issuer,
      token_endpoint: `${server.issuer}/token`,
      introspection_endpoint: `${server.issuer}/introspect`,
      introspection_signing_alg_values_supported: ['ES256'],
      receipts_endpoint: `${server.issuer}/receipts`,
      revocation_feed_endpoint: `${server.issuer}/revocations`,
      revocation_endpoint: `${server.issuer}/revoke`,
      jwks_uri: `${server.issuer}/jwks`,
      grant_types_supported: [
        'client_credentials',
        'urn:ietf:params:oauth:grant-type:token-exchange',
        'authorization_code',
        'urn:ietf:params:oauth:grant-type:device_code',
        'urn:openid:params:grant-type:ciba',
      ],
      authorization_endpoint: `${server.issuer}/authorize`,
      pushed_authorization_request_endpoint: `${server.issuer}/par`,
      request_uri_parameter_supported: false,
      authorization_response_iss_parameter_supported: true,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      code_challenge_methods_supported: ['S256'],
      device_authorization_endpoint: `${server.issuer}/device_authorization`,
      backchannel_authentication_endpoint: `${server.issuer}/backchannel`,
      backchannel_token_delivery_modes_supported: ['poll', 'ping'],
      scopes_supported: ['openid'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      token_endpoint_auth_methods_supported: ['private_key_jwt', 'attest_jwt_client_auth_dpop'],
      token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
      introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      revocation_endpoint_auth_methods_supported: ['private_key_jwt', 'attest_jwt_client_auth_dpop'],
      revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      client_attestation_signing_alg_values_supported: ['ES256'],
      attestation_endpoint: `${server.issuer}/attestation`,
      dpop_signing_alg_values_supported: ALGORITHMS,
      authorization_details_types_supported: BUILT_IN,
    })
    expect((await get('/.well-known/openid-configuration')).body).toEqual(body)
  })

  test('a foreign Host is not believed', async () => {
    const { body } = await send(`${server.issuer}/.well-known/oauth-authorization-server`, {
      headers: [
        ['Host', 'evil.example'],
        ['X-Forwarded-Host', 'evil.example'],
        ['X-Forwarded-Proto', 'https'],
      ],
    })
    expect([body.issuer, body.token_endpoint]).toEqual([server.issuer, `${server.issuer}/token`])
  })

  test('a new type shows within a second, and a suspended one goes', async () => {
    const type = 'note_write'
    const schema = { type: 'object', properties: {}, additionalProperties: false }
    await administer(world, 'POST', '/admin/action-types', {
      type,
      title: 'Note',
      schema,
      template: 'Write',
      risk: 'write',
    })
    expect(await typesWithinASecond((types) => types.includes(type))).toContain(type)
    await administer(world, 'POST', `/admin/action-types/${type}/suspend`, { reason: 'odd' })
    expect(await typesWithinASecond((types) => !types.includes(type))).toEqual(BUILT_IN)
  })
})

describe('keys and action types', () => {
  test('the keys are public halves, each with kid, use and alg (RFC 7517 §4)', async () => {
    const { status, headers, body } = await get('/jwks')
    expect([status, headers['content-type']]).toEqual([200, 'application/jwk-set+json'])
    for (const key of body.keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
      expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' })
    }
    expect(body.keys.length).toBeGreaterThan(0)
  })

  test.each(BUILT_IN)('%s: title, schema, digestible members, risk, single use', async (type) => {
    const { status, headers, body } = await get(`/action-types/${type}`)
    expect(status).toBe(200)
    expect(headers['cache-control']).toMatch(/max-age|no-cache/)
    expect(body).toMatchObject({
      type,
      title: expect.any(String),
      schema: { type: 'object' },
      digestible: expect.any(Object),
      risk: expect.stringMatching(/^(read|write|destructive)$/),
      single_use: true,
    })
  })

  test('one that is not there: 404', async () => {
    for (const type of ['rm_rf', 'constructor', '__proto__', '..%2f..%2fetc']) {
      expect((await get(`/action-types/${type}`)).status, type).toBe(404)
    }
  })
})

describe('scripts of other origins', () => {
  test.each([
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/jwks',
    '/action-types',
    '/action-types/email_send',
  ])('may read %s', async (path) => {
    const { status, headers } = await get(path)
    expect([status, headers['access-control-allow-origin']]).toEqual([200, '*'])
    expect(headers).not.toHaveProperty('access-control-allow-credentials')
  })

  test.each([
    ['POST', '/token'],
    ['POST', '/introspect'],
    ['POST', '/revoke'],
    ['GET', '/admin/agents'],
    ['POST', '/admin/agents'],
    ['GET', '/healthz'],
    ['GET', '/readyz'],
    ['GET', '/nothing'],
    ['OPTIONS', '/token'],
    ['OPTIONS', '/admin/agents'],
  ])('may not read %s %s', async (method, path) => {
    const { headers } = await send(`${server.issuer}${path}`, {
      method,
      headers: [ORIGIN, ['Access-Control-Request-Method', 'POST'], ['Access-Control-Request-Headers', 'dpop']],
    })
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
  })
})

test('nor may they read what either grant answers, a token or a refusal', async () => {
  const headers = [ORIGIN]
  const answers = [
    await clientToken(server.issuer, world.agent, { headers }),
    await clientToken(server.issuer, world.agent),
    await clientToken(server.issuer, world.agent, { proofs: [], headers }),
    await world.exchange({ headers }),
    await world.exchange({ proofs: [], headers }),
  ]
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 200, 400])
  for (const answer of answers) {
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))).toEqual([])
  }
})

/** The types that metadata names, as soon as they are as wanted, or as they are after a second. */
async function typesWithinASecond(isThere: (types: readonly string[]) => boolean): Promise<readonly string[]> {
  const until = Date.now() + 1_000
  for (;;) {
    const { body } = await get('/.well-known/oauth-authorization-server')
    const types: readonly string[] = body.authorization_details_types_supported
    if (isThere(types) || Date.now() > until) return types
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
