import { createRemoteJWKSet, jwtVerify } from 'jose'
import {
  type Client,
  type ClientAuth,
  DPoP,
  genericTokenEndpointRequest,
  introspectionRequest,
  modifyAssertion,
  PrivateKeyJwt,
  processGenericTokenEndpointResponse,
  processIntrospectionResponse,
  processRevocationResponse,
  revocationRequest,
  validateApplicationLevelSignature,
} from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, FORM, newClient, send, type TestClient, TOKEN_EXCHANGE } from '../support/clients.ts'
import { CIBA, CODE, DEVICE } from '../support/delegating.ts'
import { readFeed } from '../support/feed.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { proof, type TestKey } from '../wire/signing.ts'
import { authorizationServer, INSECURE } from './support/authorization-server.ts'
import { exchangeParameters } from './support/exchange-parameters.ts'
import { keyPair } from './support/key-pair.ts'

let server: TestServer
let document: Record<string, unknown>
let world: World
beforeAll(async () => {
  server = await startTestServer()
  document = { ...(await authorizationServer(server.issuer)) }
  world = await createWorld(server)
})
afterAll(() => server?.close())

const ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA'] as const

/** One action of every type that is built in. Its delegation allows exactly this one. */
const ACTIONS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  http_request: { method: 'GET', url: 'https://api.example/v1/items' },
  mcp_tool_call: { tool: 'search', arguments: { query: 'minutes' } },
  sql_statement: { database: 'crm', operation: 'select', statement: 'SELECT 1', tables: [] },
  payment_initiation: {
    instructedAmount: { currency: 'EUR', amount: '123.50' },
    creditorName: 'Merchant A',
    creditorAccount: { iban: 'DE02100100109307118603' },
  },
  email_send: { to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' },
}

/** oauth4webapi's assertions and proofs under one name of their algorithm: of Ed25519 it knows only that name by itself. */
async function signing(client: TestClient, alg: string) {
  const naming = {
    [modifyAssertion]: (header: { alg?: unknown }) => {
      header.alg = alg
    },
  }
  const keys = await keyPair(client.key)
  const self: Client = { client_id: client.id }
  return { self, authentication: PrivateKeyJwt(keys.privateKey, naming), dpop: DPoP(self, keys, naming) }
}

/** An exchange by an agent that signs its assertion and its proof under this name. */
async function exchange(of: World, alg: string) {
  const metadata = await authorizationServer(server.issuer)
  const { self, authentication, dpop } = await signing(of.agent, alg)
  const parameters = exchangeParameters(of.wish)
  const options = { DPoP: dpop, ...INSECURE }
  const response = await genericTokenEndpointRequest(
    metadata,
    self,
    authentication,
    TOKEN_EXCHANGE,
    parameters,
    options,
  )
  return processGenericTokenEndpointResponse(metadata, self, response)
}

/** An agent of oauth4webapi that was attested at this address, and how it then authenticates. */
async function attestedAt(endpoint: unknown, agent: TestClient) {
  const metadata = await authorizationServer(server.issuer)
  const { self, authentication, dpop } = await signing(agent, agent.key.alg)
  const there = { ...metadata, token_endpoint: String(endpoint) }
  const options = { DPoP: dpop, ...INSECURE }
  const answer = await genericTokenEndpointRequest(there, self, authentication, 'any', {}, options)
  expect(answer.status).toBe(200)
  const { client_attestation } = (await answer.json()) as { client_attestation: string }
  const byAttestation: ClientAuth = (_server, { client_id }, body, headers) => {
    body.set('client_id', client_id)
    headers.set('OAuth-Client-Attestation', client_attestation)
  }
  return { metadata, self, options, byAttestation, attestation: client_attestation }
}

const METHODS = ['private_key_jwt', 'attest_jwt_client_auth_dpop']

const worldOf = (alg: string) => createWorld(server, { alg: alg as TestKey['alg'] })

async function exchangesUnderEach(algorithms: unknown) {
  expect(algorithms).toEqual(ALGORITHMS)
  for (const alg of ALGORITHMS) expect((await exchange(await worldOf(alg), alg)).access_token).toBeTypeOf('string')
}

/** What an endpoint answers to an empty form: a refusal of its own and not of the router's. */
async function answersAsOAuth(url: unknown) {
  const { status, body } = await send(String(url), { headers: [FORM], body: '' })
  expect([status, body.error]).toEqual([400, 'invalid_request'])
  expect(body.error_description).not.toMatch(/nothing here|not allowed/)
}

const isThe = (expected: unknown) => (value: unknown) => expect(value).toEqual(expected)

/** How each member of the metadata is shown to work. A member without an entry fails: nothing is advertised unproved. */
const PROOFS: Readonly<Record<string, (value: unknown) => unknown>> = {
  issuer: (value) => expect(value).toBe(server.issuer),
  token_endpoint: answersAsOAuth,
  introspection_endpoint: answersAsOAuth,
  revocation_endpoint: answersAsOAuth,
  receipts_endpoint: answersAsOAuth,
  revocation_feed_endpoint: async (value) => {
    expect(value).toBe(`${server.issuer}/revocations`)
    const feed = await readFeed(server.issuer, world.resource)
    await feed.until(({ type }) => type.endsWith('/verification'))
    feed.close()
  },
  introspection_signing_alg_values_supported: async (value) => {
    expect(value).toEqual(['ES256'])
    const { access_token } = await exchange(world, 'ES256')
    const metadata = await authorizationServer(server.issuer)
    const { self, authentication } = await signing(world.resource, 'ES256')
    const options = { requestJwtResponse: true, ...INSECURE }
    const response = await introspectionRequest(metadata, self, authentication, access_token, options)
    expect((await processIntrospectionResponse(metadata, self, response)).active).toBe(true)
    await validateApplicationLevelSignature(metadata, response, INSECURE)
  },
  jwks_uri: async (value) => {
    const { access_token } = await exchange(world, 'ES256')
    const { payload } = await jwtVerify(access_token, createRemoteJWKSet(new URL(String(value))), {
      issuer: server.issuer,
      audience: world.identifier,
      typ: 'at+jwt',
      algorithms: ['ES256'],
    })
    expect(payload).toEqual(claimsOf(access_token))
  },
  grant_types_supported: async (value) => {
    // The last three are driven to their tokens in delegating.test.ts.
    expect(value).toEqual(['client_credentials', TOKEN_EXCHANGE, CODE, DEVICE, CIBA])
    expect((await clientToken(server.issuer, world.agent)).status).toBe(200)
    expect((await world.exchange()).status).toBe(200)
  },
  // The flows behind these are driven in delegating.test.ts, by what discovery says of them.
  authorization_endpoint: async (value) => expect(value).toBe(`${server.issuer}/authorize`),
  pushed_authorization_request_endpoint: async (value) => expect(value).toBe(`${server.issuer}/par`),
  device_authorization_endpoint: async (value) => expect(value).toBe(`${server.issuer}/device_authorization`),
  backchannel_authentication_endpoint: async (value) => expect(value).toBe(`${server.issuer}/backchannel`),
  backchannel_token_delivery_modes_supported: isThe(['poll', 'ping']),
  request_uri_parameter_supported: isThe(false),
  authorization_response_iss_parameter_supported: isThe(true),
  response_types_supported: isThe(['code']),
  response_modes_supported: isThe(['query']),
  scopes_supported: isThe(['openid']),
  subject_types_supported: isThe(['public']),
  id_token_signing_alg_values_supported: isThe(['ES256']),
  code_challenge_methods_supported: isThe(['S256']),
  token_endpoint_auth_methods_supported: async (value) => {
    expect(value).toEqual(METHODS)
    const by = await attestedAt(document.attestation_endpoint, world.agent)
    for (const [grant, parameters] of [
      [TOKEN_EXCHANGE, exchangeParameters(world.wish)],
      ['client_credentials', {}],
    ] as const) {
      const { metadata, self, byAttestation, options } = by
      const response = await genericTokenEndpointRequest(metadata, self, byAttestation, grant, parameters, options)
      const answer = await processGenericTokenEndpointResponse(metadata, self, response)
      expect(claimsOf(answer.access_token).cnf).toEqual({ jkt: world.agent.key.jkt })
    }
  },
  client_attestation_signing_alg_values_supported: async (value) => {
    expect(value).toEqual(['ES256'])
    const { attestation } = await attestedAt(document.attestation_endpoint, world.agent)
    const { payload } = await jwtVerify(attestation, createRemoteJWKSet(new URL(String(document.jwks_uri))), {
      issuer: server.issuer,
      subject: world.agent.id,
      typ: 'oauth-client-attestation+jwt',
      algorithms: ['ES256'],
      requiredClaims: ['iat', 'exp', 'cnf'],
    })
    expect(payload.cnf).toEqual({ jwk: world.agent.key.jwk })
  },
  attestation_endpoint: (value) => attestedAt(value, world.agent),
  introspection_endpoint_auth_methods_supported: isThe(['private_key_jwt']),
  revocation_endpoint_auth_methods_supported: async (value) => {
    expect(value).toEqual(METHODS)
    const of = await worldOf('ES256')
    const by = await attestedAt(document.attestation_endpoint, of.agent)
    // oauth4webapi sends no proof there; the one beside the attestation is ours.
    const htu = String(document.revocation_endpoint)
    const dpop = proof(of.agent.key, { method: 'POST', htu, now: new Date() })
    const headers = new Headers({ DPoP: dpop })
    const options = { headers, ...INSECURE }
    const response = await revocationRequest(by.metadata, by.self, by.byAttestation, of.wish.subjectToken, options)
    await processRevocationResponse(response)
    expect((await of.exchange()).body.error).toBe('invalid_grant')
  },
  token_endpoint_auth_signing_alg_values_supported: exchangesUnderEach,
  dpop_signing_alg_values_supported: exchangesUnderEach,
  introspection_endpoint_auth_signing_alg_values_supported: async (value) => {
    expect(value).toEqual(ALGORITHMS)
    const metadata = await authorizationServer(server.issuer)
    for (const alg of ALGORITHMS) {
      const asking = newClient(`asking-${alg.toLowerCase()}`, alg)
      const of = await createWorld(server, { resource: { id: asking.id, keys: [{ jwk: asking.key.jwk }] } })
      const { access_token } = await exchange(of, 'ES256')
      const { self, authentication } = await signing(asking, alg)
      const response = await introspectionRequest(metadata, self, authentication, access_token, INSECURE)
      expect(await processIntrospectionResponse(metadata, self, response)).toMatchObject({ active: true })
    }
  },
  revocation_endpoint_auth_signing_alg_values_supported: async (value) => {
    expect(value).toEqual(ALGORITHMS)
    const metadata = await authorizationServer(server.issuer)
    for (const alg of ALGORITHMS) {
      const of = await worldOf(alg)
      const { self, authentication } = await signing(of.agent, alg)
      const response = await revocationRequest(metadata, self, authentication, of.wish.subjectToken, INSECURE)
      await processRevocationResponse(response)
      expect((await of.exchange()).body.error).toBe('invalid_grant')
    }
  },
  authorization_details_types_supported: async (value) => {
    expect([...(value as string[])].sort()).toEqual(Object.keys(ACTIONS).sort())
    for (const type of value as string[]) {
      const action = { type, ...ACTIONS[type] }
      const of = await createWorld(server, { action, bounds: [action] })
      expect(await exchange(of, 'ES256')).toMatchObject({
        authorization_details: [{ ...action, locations: [of.identifier] }],
      })
    }
  },
}

describe('the metadata document', () => {
  test('is the same at both well-known addresses', async () => {
    expect(await authorizationServer(server.issuer, 'oidc')).toEqual(document)
  })

  test('names nothing that is not shown to work here, and everything that is', () => {
    expect(Object.keys(document).sort()).toEqual(Object.keys(PROOFS).sort())
  })

  test.each(Object.entries(PROOFS))('%s: what it says works', async (member, prove) => {
    await prove(document[member])
  })

  test('names a new action type without a restart, and drops a suspended one', async () => {
    const types = async () => (await authorizationServer(server.issuer)).authorization_details_types_supported
    const patience = { timeout: 10_000 } // a loaded machine's, not the contract's
    const schema = {
      type: 'object',
      properties: { door: { type: 'string', maxLength: 20 } },
      required: ['door'],
      additionalProperties: false,
    }
    const created = await world.api.call('POST', '/admin/action-types', {
      type: 'door_open',
      title: 'Open a door',
      schema,
      template: 'Open the door {door}',
      risk: 'write',
    })
    expect(created.status).toBe(201)
    await expect.poll(types, patience).toContain('door_open')
    const action = { type: 'door_open', door: 'north' }
    const of = await createWorld(server, { action, bounds: [action] })
    expect(await exchange(of, 'ES256')).toMatchObject({ authorization_details: [action] })
    const suspended = await world.api.call('POST', '/admin/action-types/door_open/suspend', { reason: 'test' })
    expect(suspended.status).toBe(200)
    await expect.poll(types, patience).not.toContain('door_open')
  })
})
