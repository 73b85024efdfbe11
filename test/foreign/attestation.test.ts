import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, decodeProtectedHeader, generateKeyPair, importJWK } from 'jose'
import Provider from 'oidc-provider'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Attested, attested } from '../support/attestation.ts'
import { FORM, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { makeKey, proof } from '../wire/signing.ts'

/** Our server attests; another one, of oidc-provider, knows it as an attester and takes what it attested. */
let server: TestServer
let world: World
let other: Server
let issuer: string
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
  other = createServer((request, response) => handle(request, response))
  await new Promise<void>((resolve) => other.listen(0, resolve))
  issuer = `http://localhost:${(other.address() as AddressInfo).port}`
  const jwks = createRemoteJWKSet(new URL(`${server.issuer}/jwks`))
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: world.agent.id,
        token_endpoint_auth_method: 'attest_jwt_client_auth_dpop' as never,
        grant_types: ['client_credentials'],
        response_types: [],
        redirect_uris: [],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...(await exported(privateKey)), alg: 'ES256' }] } as never,
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientAuthMethods: ['attest_jwt_client_auth_dpop'] as never,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 1), requireNonce: () => true },
      attestClientAuth: {
        ...{ enabled: true, ack: 'draft-12', challengeSecret: Buffer.alloc(32, 2) },
        getAttestationSignaturePublicKey: async (_: unknown, header: object, payload: { iss?: string }) => {
          if (payload.iss !== server.issuer) throw new Error('another attester')
          return jwks(header as never)
        },
        assertAttestationJwtAndPop: async () => undefined,
      } as never,
    },
  })
  handle = provider.callback()
})
let handle: ReturnType<Provider['callback']> = () => Promise.resolve()
afterAll(async () => {
  await new Promise((resolve) => other?.close(resolve))
  await server?.close()
})

async function exported(key: unknown) {
  const { exportJWK } = await import('jose')
  return exportJWK(key as never)
}

/** `client_credentials` at the other server, with the nonce that it asks for first. */
async function token(by: Attested) {
  const url = `${issuer}/token`
  const ask = (nonce?: string) =>
    send(url, {
      headers: [
        FORM,
        ['OAuth-Client-Attestation', by.attestation],
        ['DPoP', proof(by.key, { method: 'POST', htu: url, now: new Date() }, nonce === undefined ? {} : { nonce })],
      ],
      body: 'grant_type=client_credentials',
    })
  const { body, headers } = await ask()
  return body.error === 'use_dpop_nonce' ? ask(String(headers['dpop-nonce'])) : { body, status: 0, headers }
}

test('oidc-provider takes our attestation of a registered key and of an instance, and of no other key', async () => {
  const own = await attested(server.issuer, world.agent)
  const instance = await attested(server.issuer, world.agent, makeKey('Ed25519'))
  for (const by of [own, instance]) {
    const answer = await token(by)
    expect([answer.status, answer.body.token_type], JSON.stringify(answer.body)).toEqual([200, 'DPoP'])
  }
  expect((await token({ ...own, attestation: instance.attestation })).body.error).toBe('invalid_client')
  expect((await token({ ...own, attestation: `${own.attestation.slice(0, -8)}AAAAAAAA` })).body.error).toBe(
    'invalid_client',
  )
})

test('jose imports the attested key, which is public', async () => {
  const { attestation } = await attested(server.issuer, world.agent)
  expect(decodeProtectedHeader(attestation)).toMatchObject({ typ: 'oauth-client-attestation+jwt', alg: 'ES256' })
  expect(await importJWK(claimsOf(attestation).cnf.jwk, 'ES256')).toMatchObject({ type: 'public' })
})
