import {
  type AuthorizationServer,
  type Client,
  type ClientAuth,
  clientCredentialsGrantRequest,
  DPoP,
  type DPoPHandle,
  genericTokenEndpointRequest,
  introspectionRequest,
  modifyAssertion,
  PrivateKeyJwt,
  processClientCredentialsResponse,
  processGenericTokenEndpointResponse,
  processIntrospectionResponse,
  processRevocationResponse,
  revocationRequest,
  validateApplicationLevelSignature,
} from 'oauth4webapi'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type TestClient, TOKEN_EXCHANGE } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { authorizationServer, INSECURE } from './support/authorization-server.ts'
import { exchangeParameters } from './support/exchange-parameters.ts'
import { keyPair } from './support/key-pair.ts'

let server: TestServer
let metadata: AuthorizationServer
beforeAll(async () => {
  server = await startTestServer()
  metadata = await authorizationServer(server.issuer)
})
afterAll(() => server?.close())

/** The library says `Ed25519` of such keys; older deployments say `EdDSA`, which its documentation shows how to do. */
const AS_EDDSA = {
  [modifyAssertion]: (header: { alg?: unknown }) => {
    header.alg = 'EdDSA'
  },
}

describe.each(['ES256', 'Ed25519', 'EdDSA'] as const)('oauth4webapi, with an agent that signs %s', (alg) => {
  const naming = alg === 'EdDSA' ? AS_EDDSA : {}
  let world: World
  let client: Client
  let authentication: ClientAuth
  let dpop: DPoPHandle
  beforeEach(async () => {
    world = await createWorld(server, { alg })
    const keys = await keyPair(world.agent.key)
    client = { client_id: world.agent.id }
    authentication = PrivateKeyJwt({ key: keys.privateKey, kid: world.agent.key.jkt }, naming)
    dpop = DPoP(client, keys, naming)
  })

  async function exchange() {
    const parameters = exchangeParameters(world.wish)
    const options = { DPoP: dpop, ...INSECURE }
    return processGenericTokenEndpointResponse(
      metadata,
      client,
      await genericTokenEndpointRequest(metadata, client, authentication, TOKEN_EXCHANGE, parameters, options),
    )
  }

  async function introspect(resource: TestClient, token: string, options: { requestJwtResponse?: boolean } = {}) {
    const asking = { client_id: resource.id }
    // Without `kid`: the server then tries the registered keys.
    const { privateKey } = await keyPair(resource.key)
    const response = await introspectionRequest(metadata, asking, PrivateKeyJwt(privateKey), token, {
      ...options,
      ...INSECURE,
    })
    const answer = await processIntrospectionResponse(metadata, asking, response)
    if (options.requestJwtResponse === true) await validateApplicationLevelSignature(metadata, response, INSECURE)
    return answer
  }

  test('exchanges for one action', async () => {
    const answer = await exchange()
    expect(answer).toMatchObject({ token_type: 'dpop', expires_in: 60 })
    expect(claimsOf(answer.access_token)).toMatchObject({
      aud: world.identifier,
      sub: world.principal,
      cnf: { jkt: world.agent.key.jkt },
    })
  })

  test('gets an agent token from client_credentials', async () => {
    const response = await clientCredentialsGrantRequest(
      metadata,
      client,
      authentication,
      {},
      { DPoP: dpop, ...INSECURE },
    )
    const answer = await processClientCredentialsResponse(metadata, client, response)
    expect(claimsOf(answer.access_token)).toMatchObject({ aud: server.issuer, token_use: 'agent' })
  })

  test('introspects, revokes, introspects', async () => {
    const { access_token } = await exchange()
    expect(await introspect(world.resource, access_token)).toMatchObject({ active: true, ...claimsOf(access_token) })
    const response = await revocationRequest(metadata, client, authentication, access_token, INSECURE)
    expect(await processRevocationResponse(response)).toBeUndefined()
    expect(await introspect(world.resource, access_token)).toEqual({ active: false })
  })

  test('revoking what is no token is no error', async () => {
    const response = await revocationRequest(metadata, client, authentication, 'nonsense', INSECURE)
    expect(await processRevocationResponse(response)).toBeUndefined()
  })

  test('takes an introspection answer as a JWT and verifies it by the JWKS (RFC 9701)', async () => {
    const { access_token } = await exchange()
    for (const isActive of [true, false]) {
      if (!isActive) await revocationRequest(metadata, client, authentication, access_token, INSECURE)
      const answer = await introspect(world.resource, access_token, { requestJwtResponse: true })
      expect(answer).toMatchObject(isActive ? { active: true, ...claimsOf(access_token) } : { active: false })
    }
  })
})
