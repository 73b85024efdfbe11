import { randomUUID } from 'node:crypto'
import {
  type Client,
  DPoP,
  genericTokenEndpointRequest,
  isDPoPNonceError,
  PrivateKeyJwt,
  processGenericTokenEndpointResponse,
} from 'oauth4webapi'
import {
  clientCredentialsGrant,
  customFetch,
  fetchProtectedResource,
  genericGrantRequest,
  getDPoPHandle,
} from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exchange, newClient, type TestClient, TOKEN_EXCHANGE } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf } from '../support/world.ts'
import { authorizationServer, INSECURE } from './support/authorization-server.ts'
import { exchangeParameters } from './support/exchange-parameters.ts'
import { keyPair } from './support/key-pair.ts'
import { openidConfiguration } from './support/openid-configuration.ts'

const agent = newClient(`agent-${randomUUID()}`)
const identifier = 'https://mail.example'
const action = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }

let server: TestServer
let subjectToken: string
beforeAll(async () => {
  server = await startTestServer({ requireDpopNonce: true })
  subjectToken = await registerWorld()
})
afterAll(() => server?.close())

/** Every status that the library was answered, beside what it made of them. */
async function observed(client: TestClient) {
  const config = await openidConfiguration(server.issuer, client)
  const statuses: number[] = []
  config[customFetch] = async (...request) => {
    const response = await fetch(...(request as Parameters<typeof fetch>))
    statuses.push(response.status)
    return response
  }
  return { config, statuses, DPoP: getDPoPHandle(config, await keyPair(client.key)) }
}

/** The administrator by a foreign client too: nonces are asked for at `/token` and at the admin API. */
async function registerWorld(): Promise<string> {
  const { config, DPoP } = await observed(server.admin)
  const { access_token } = await clientCredentialsGrant(config, {}, { DPoP })
  const create = async (path: string, members: object): Promise<Record<string, unknown>> => {
    const headers = new Headers({ 'Content-Type': 'application/json' })
    const url = new URL(path, server.issuer)
    const body = JSON.stringify(members)
    const response = await fetchProtectedResource(config, access_token, url, 'POST', body, headers, { DPoP })
    const text = await response.text()
    if (response.status !== 201) throw new Error(`POST ${path}: ${response.status} ${text}`)
    return JSON.parse(text)
  }
  await create('/admin/agents', { id: agent.id, name: 'Planner', keys: [{ jwk: agent.key.jwk }] })
  await create('/admin/principals', { id: 'alice', kind: 'person', name: 'Alice' })
  await create('/admin/resources', { id: 'mail', identifier, name: 'Mail' })
  const delegation = await create('/admin/delegations', {
    principal: 'alice',
    agent: agent.id,
    resource: identifier,
    authorization_details: [action],
  })
  return String(delegation.subject_token)
}

const wish = () => ({ subjectToken, resource: identifier, action })

describe('a server that requires a nonce in every proof (RFC 9449 §8)', () => {
  test('openid-client learns the nonce from the refusal, repeats by itself, and keeps it', async () => {
    const { config, statuses, DPoP } = await observed(agent)
    const ask = () => genericGrantRequest(config, TOKEN_EXCHANGE, exchangeParameters(wish()), { DPoP })
    const tokens = [await ask(), await ask()].map(({ access_token }) => claimsOf(access_token).jti)
    expect(statuses).toEqual([400, 200, 200])
    expect(new Set(tokens).size).toBe(2)
  })

  test('openid-client does the same for client_credentials', async () => {
    const { config, statuses, DPoP } = await observed(agent)
    const { access_token } = await clientCredentialsGrant(config, {}, { DPoP })
    expect(claimsOf(access_token)).toMatchObject({ token_use: 'agent' })
    expect(statuses).toEqual([400, 200])
  })

  test('openid-client learns the nonce of the admin API from its challenge (RFC 9449 §9)', async () => {
    const token = await observed(server.admin)
    const { access_token } = await clientCredentialsGrant(token.config, {}, { DPoP: token.DPoP })
    const call = await observed(server.admin)
    const { status } = await fetchProtectedResource(
      call.config,
      access_token,
      new URL('/admin/agents', server.issuer),
      'GET',
      undefined,
      undefined,
      { DPoP: call.DPoP },
    )
    expect([status, call.statuses]).toEqual([200, [401, 200]])
  })

  test('oauth4webapi knows the refusal for what it is, and the same handle then has the nonce', async () => {
    const metadata = await authorizationServer(server.issuer)
    const client: Client = { client_id: agent.id }
    const keys = await keyPair(agent.key)
    const handle = DPoP(client, keys)
    const ask = async () =>
      processGenericTokenEndpointResponse(
        metadata,
        client,
        await genericTokenEndpointRequest(
          metadata,
          client,
          PrivateKeyJwt(keys.privateKey),
          TOKEN_EXCHANGE,
          exchangeParameters(wish()),
          { DPoP: handle, ...INSECURE },
        ),
      )
    const refusal = await ask().catch((error: unknown) => error)
    expect(refusal).toMatchObject({ status: 400, error: 'use_dpop_nonce' })
    expect(isDPoPNonceError(refusal)).toBe(true)
    expect(await ask()).toMatchObject({ token_type: 'dpop', expires_in: 60 })
  })

  test('a guessed nonce is refused, and the one that the refusal offers is accepted', async () => {
    const { status, headers, body } = await exchange(server.issuer, agent, wish(), { proofClaims: { nonce: 'guess' } })
    expect([status, body.error]).toEqual([400, 'use_dpop_nonce'])
    const nonce = headers['dpop-nonce']
    expect((await exchange(server.issuer, agent, wish(), { proofClaims: { nonce } })).status).toBe(200)
  })
})
