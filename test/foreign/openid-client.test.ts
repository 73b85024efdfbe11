import {
  type Configuration,
  clientCredentialsGrant,
  type DPoPHandle,
  genericGrantRequest,
  getDPoPHandle,
  modifyAssertion,
  tokenIntrospection,
  tokenRevocation,
} from 'openid-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { newClient, TOKEN_EXCHANGE } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { exchangeParameters } from './support/exchange-parameters.ts'
import { keyPair } from './support/key-pair.ts'
import { openidConfiguration } from './support/openid-configuration.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())

describe.each(['ES256', 'Ed25519'] as const)('openid-client, with an agent whose key is %s', (alg) => {
  let world: World
  let agent: Configuration
  let resource: Configuration
  let dpop: DPoPHandle
  beforeEach(async () => {
    world = await createWorld(server, { alg })
    agent = await openidConfiguration(server.issuer, world.agent)
    resource = await openidConfiguration(server.issuer, world.resource)
    dpop = getDPoPHandle(agent, await keyPair(world.agent.key))
  })
  const exchange = (change: Record<string, string> = {}, handle = dpop) =>
    genericGrantRequest(agent, TOKEN_EXCHANGE, { ...exchangeParameters(world.wish), ...change }, { DPoP: handle })

  test('exchanges for one action and reads the answer', async () => {
    const answer = await exchange()
    const details = [{ ...world.action, locations: [world.identifier] }]
    expect(answer).toMatchObject({
      token_type: 'dpop', // the library puts it in lower case: it is case-insensitive (RFC 6749 §5.1)
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      expires_in: 60,
      authorization_details: details,
    })
    expect(claimsOf(answer.access_token)).toMatchObject({
      iss: server.issuer,
      aud: world.identifier,
      sub: world.principal,
      client_id: world.agent.id,
      act: { sub: world.agent.id },
      cnf: { jkt: await dpop.calculateThumbprint() },
      authorization_details: details,
    })
  })

  test('gets an agent token from client_credentials', async () => {
    const answer = await clientCredentialsGrant(agent, {}, { DPoP: dpop })
    expect(claimsOf(answer.access_token)).toMatchObject({
      aud: server.issuer,
      token_use: 'agent',
      cnf: { jkt: await dpop.calculateThumbprint() },
    })
  })

  test('introspects as the resource server, and nobody else learns anything', async () => {
    const { access_token } = await exchange()
    expect(await tokenIntrospection(resource, access_token)).toMatchObject({
      active: true,
      token_type: 'DPoP',
      ...claimsOf(access_token),
    })
    const other = await createWorld(server)
    const stranger = await openidConfiguration(server.issuer, other.resource)
    expect(await tokenIntrospection(stranger, access_token)).toEqual({ active: false })
    expect(await tokenIntrospection(agent, access_token)).toEqual({ active: false })
  })

  test('revokes its action token, and introspection says so', async () => {
    const { access_token } = await exchange()
    await tokenRevocation(agent, access_token)
    expect(await tokenIntrospection(resource, access_token)).toEqual({ active: false })
  })

  test('revokes its subject token, and the delegation is over', async () => {
    await tokenRevocation(agent, world.wish.subjectToken)
    await expect(exchange()).rejects.toMatchObject({ status: 400, error: 'invalid_grant' })
  })

  test.each([
    {
      what: 'an action outside the bounds',
      change: { authorization_details: '[{"type":"email_send","to":["eve@evil.example"],"subject":"","body":""}]' },
      error: 'access_denied',
      description: /\bto\[0\]/,
    },
    {
      what: 'an unknown member',
      change: {
        authorization_details: '[{"type":"email_send","to":[],"subject":"","body":"","bcc":["e@evil.example"]}]',
      },
      error: 'invalid_authorization_details',
      description: /\bbcc\b/,
    },
    { what: 'an unknown resource', change: { resource: 'https://evil.example' }, error: 'invalid_target' },
    { what: 'a scope', change: { scope: 'admin' }, error: 'invalid_scope' },
    { what: 'another subject token type', change: { subject_token_type: 'urn:x' }, error: 'invalid_request' },
    { what: 'a subject token that is none', change: { subject_token: 'x.y.z' }, error: 'invalid_grant' },
  ])('is told $error of $what', async ({ change, error, description = /./ }) => {
    await expect(exchange(change)).rejects.toMatchObject({
      status: 400,
      error,
      error_description: expect.stringMatching(description),
    })
  })

  test('with a key that is not the agent\u2019s is told invalid_dpop_proof', async () => {
    const stolen = getDPoPHandle(agent, await keyPair(newClient('thief', alg).key))
    await expect(exchange({}, stolen)).rejects.toMatchObject({ status: 400, error: 'invalid_dpop_proof' })
  })

  test.each([
    { aud: 'the token endpoint', audience: (issuer: string) => `${issuer}/token` },
    { aud: 'a list with the issuer', audience: (issuer: string) => [issuer] },
  ])('with an assertion for $aud is told invalid_client', async ({ audience }) => {
    agent = await openidConfiguration(server.issuer, world.agent, {
      [modifyAssertion]: (_header, payload) => {
        payload.aud = audience(server.issuer)
      },
    })
    await expect(exchange()).rejects.toMatchObject({ status: 401, error: 'invalid_client' })
  })
})
