import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminApi, adminApi, clientToken, exchange, newClient, send } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { proof } from '../../wire/signing.ts'

let server: TestServer
let admin: AdminApi
const reader = newClient('reader')
const planner = newClient('planner')

beforeAll(async () => {
  server = await startTestServer()
  admin = await adminApi(server.issuer, server.admin, 'admin admin:read admin:approve')
})
afterAll(() => server.close())

const post = async (path: string, body: unknown = {}) => {
  const answer = await admin.call('POST', path, body)
  expect(answer.status, answer.text).toBeLessThan(300)
  return answer.body
}

describe('with real tokens and proofs', () => {
  test('what an administrator registers is what an agent can use at once, until it is stopped', async () => {
    await post('/admin/agents', { id: planner.id, keys: [{ jwk: planner.key.jwk }] })
    await post('/admin/principals', { id: 'alice' })
    await post('/admin/resources', { id: 'mail', identifier: 'https://mail.example' })
    const any = { $any: true }
    const { id, subject_token: subjectToken } = await post('/admin/delegations', {
      ...{ principal: 'alice', agent: 'planner', resource: 'https://mail.example' },
      authorization_details: [{ type: 'email_send', to: any, subject: any, body: any }],
    })
    const action = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }
    const mint = () => exchange(server.issuer, planner, { subjectToken, resource: 'https://mail.example', action })
    const issued = await mint()
    expect(issued.status, issued.text).toBe(200)
    const { body } = await admin.call('GET', `/admin/records?delegation=${id}&decision=issued`)
    expect(body.items[0]).toMatchObject({ agent: 'planner', principal: 'alice', action_type: 'email_send' })

    for (const path of ['agents/planner', 'principals/alice', 'resources/mail', 'action-types/email_send']) {
      await post(`/admin/${path}/suspend`)
      expect((await mint()).status, path).toBeGreaterThanOrEqual(400)
      await post(`/admin/${path}/resume`)
      expect((await mint()).status, path).toBe(200)
    }
    expect((await admin.call('DELETE', `/admin/delegations/${id}`)).status).toBe(200)
    expect((await mint()).body.error).toBe('invalid_grant')
  })

  test('an action type that was defined is in the metadata when the answer is there', async () => {
    const schema = {
      type: 'object',
      properties: { n: { type: 'integer' } },
      required: ['n'],
      additionalProperties: false,
    }
    await post('/admin/action-types', {
      type: 'count_to',
      title: 'Count',
      schema,
      template: 'count to {n}',
      risk: 'read',
    })
    const types = async () =>
      (await send(`${server.issuer}/.well-known/oauth-authorization-server`)).body.authorization_details_types_supported
    expect(await types()).toContain('count_to')
    await post('/admin/action-types/count_to/suspend')
    expect(await types()).not.toContain('count_to')
  })

  test('a rotation is in the JWKS when the answer is there', async () => {
    const before = (await send(`${server.issuer}/jwks`)).body.keys.length
    await post('/admin/signing-keys/rotate')
    expect((await send(`${server.issuer}/jwks`)).body.keys).toHaveLength(before + 1)
  })

  test('a reader reads; his key retired, his token is worth nothing', async () => {
    await post('/admin/clients', { id: reader.id, scope: 'admin:read', keys: [{ jwk: reader.key.jwk }] })
    const api = await adminApi(server.issuer, reader, 'admin:read')
    expect((await api.call('GET', '/admin/agents')).status).toBe(200)
    const refused = await api.call('POST', '/admin/agents', { id: 'x' })
    expect([refused.status, refused.headers['www-authenticate']]).toEqual([
      403,
      expect.stringContaining('error="insufficient_scope"'),
    ])
    await admin.call('DELETE', `/admin/clients/reader/keys/${reader.key.jkt}`)
    expect((await api.call('GET', '/admin/agents')).status).toBe(401)
  })

  test('an agent token, a replayed proof, a proof of another key, method or path -> 401', async () => {
    const url = `${server.issuer}/admin/agents`
    const call = (token: string, dpop: string) =>
      send(url, {
        headers: [
          ['Authorization', `DPoP ${token}`],
          ['DPoP', dpop],
        ],
      })
    const own = (target: object = {}, key = server.admin.key, token = admin.token) =>
      proof(key, { method: 'GET', htu: url, now: new Date(), accessToken: token, ...target })
    const once = own()
    expect((await call(admin.token, once)).status).toBe(200)
    expect((await call(admin.token, once)).status).toBe(401)
    expect((await call(admin.token, own({}, planner.key))).status).toBe(401)
    expect((await call(admin.token, own({ method: 'POST' }))).status).toBe(401)
    expect((await call(admin.token, own({ htu: `${server.issuer}/admin/clients` }))).status).toBe(401)
    const agentToken = (await clientToken(server.issuer, planner)).body.access_token
    expect((await call(agentToken, own({}, planner.key, agentToken))).status).toBe(401)
  })
})
