import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, oauthRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))

describe('client_credentials', () => {
  test('an administrator gets a DPoP-bound token for this server with what is registered for it', async () => {
    const { status, headers, body } = await clientToken(server.issuer, server.admin)
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { token_type: 'DPoP', scope: 'admin admin:read admin:approve' },
    })
    expect(headers['cache-control']).toBe('no-store')
    expect(claimsOf(body.access_token)).toMatchObject({
      iss: server.issuer,
      aud: server.issuer,
      sub: 'admin',
      client_id: 'admin',
      token_use: 'admin',
      scope: 'admin admin:read admin:approve',
      cnf: { jkt: server.admin.key.jkt },
    })
  })

  test('a narrower scope gives a narrower token', async () => {
    const { body } = await clientToken(server.issuer, server.admin, { form: { scope: 'admin:read' } })
    expect(claimsOf(body.access_token).scope).toBe('admin:read')
  })

  test('a scope that is not registered is invalid_scope', async () => {
    const { status, body } = await clientToken(server.issuer, server.admin, { form: { scope: 'admin root' } })
    expect([status, body.error]).toEqual([400, 'invalid_scope'])
  })

  test('a forged Host does not become the audience, nor breaks the proof', async () => {
    const { url, ...request } = oauthRequest(
      server.issuer,
      '/token',
      server.admin,
      { grant_type: 'client_credentials' },
      {
        headers: [
          ['Host', 'evil.example'],
          ['X-Forwarded-Host', 'evil.example'],
          ['X-Forwarded-Proto', 'https'],
        ],
      },
    )
    const { status, body } = await send(url, request)
    expect(status).toBe(200)
    expect(claimsOf(body.access_token).aud).toBe(server.issuer)
  })

  test('the same proof twice is refused, and the same assertion', async () => {
    const { url, ...request } = oauthRequest(server.issuer, '/token', server.admin, {
      grant_type: 'client_credentials',
    })
    expect((await send(url, request)).status).toBe(200)
    const again = await send(url, request)
    expect([again.status, again.body.error]).toEqual([401, 'invalid_client'])
  })
})
