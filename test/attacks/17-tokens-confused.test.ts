import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused, issued } from '../http/oauth/answers.ts'
import { attested, exchangeAttested } from '../support/attestation.ts'
import { assertion, clientToken, introspect, revoke, send, type TestClient } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { proof } from '../wire/signing.ts'

type Kind = 'action' | 'agent' | 'resource' | 'subject' | 'admin' | 'assertion' | 'attestation' | 'proof'
const KINDS: readonly Kind[] = ['action', 'agent', 'resource', 'subject', 'admin', 'assertion', 'attestation', 'proof']

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

async function tokenOf(kind: Kind): Promise<string> {
  switch (kind) {
    case 'action':
      return issued(world.exchange())
    case 'agent':
      return issued(clientToken(server.issuer, world.agent))
    case 'resource':
      return issued(clientToken(server.issuer, world.resource))
    case 'subject':
      return world.wish.subjectToken
    case 'admin':
      return world.api.token
    case 'assertion':
      return assertion(world.agent, server.issuer)
    case 'attestation':
      return (await attested(server.issuer, world.agent)).attestation
    case 'proof':
      return proof(world.agent.key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() })
  }
}

const asAdministrator = (token: string, holder: TestClient, scheme = 'DPoP', method = 'GET') => {
  const url = `${server.issuer}/admin/agents`
  return send(url, {
    method,
    headers: [
      ['Authorization', `${scheme} ${token}`],
      ['DPoP', proof(holder.key, { method, htu: url, now: new Date(), accessToken: token })],
    ],
  })
}

describe('the uses of the five tokens do not overlap', () => {
  test('each says what it is for: token_use and aud', async () => {
    const said = []
    for (const kind of ['action', 'agent', 'resource', 'subject', 'admin'] as const) {
      const { token_use, aud } = claimsOf(await tokenOf(kind))
      said.push([kind, token_use, aud])
    }
    expect(said).toEqual([
      ['action', undefined, world.identifier],
      ['agent', 'agent', server.issuer],
      ['resource', 'resource', server.issuer],
      ['subject', 'subject', server.issuer],
      ['admin', 'admin', server.issuer],
    ])
  })

  test.each(KINDS)('%s as a subject token', async (kind) => {
    const answer = await world.exchange({ form: { subject_token: await tokenOf(kind) } })
    if (kind === 'subject') expect(answer.status, answer.text).toBe(200)
    else expectRefused(answer, 400, 'invalid_grant')
  })

  test.each(KINDS)('%s at introspection', async (kind) => {
    const { body } = await introspect(server.issuer, world.resource, await tokenOf(kind))
    if (kind === 'action') expect(body.active).toBe(true)
    else expect(body).toStrictEqual({ active: false })
  })

  test.each(KINDS)('%s at the admin API, with a proof by the key it is bound to', async (kind) => {
    const holder = kind === 'admin' ? server.admin : world.agent
    const answer = await asAdministrator(await tokenOf(kind), holder)
    expect(answer.status, answer.text).toBe(kind === 'admin' ? 200 : 401)
    if (kind !== 'admin') expect(answer.headers['www-authenticate']).toMatch(/^DPoP .*error="invalid_token"/)
  })

  test.each(KINDS)('%s as a client assertion', async (kind) => {
    const answer = await world.exchange({ form: { client_assertion: await tokenOf(kind) } })
    if (kind === 'assertion') expect(answer.status, answer.text).toBe(200)
    else expectRefused(answer, 401, 'invalid_client')
  })

  test.each(KINDS)('%s as a client attestation', async (kind) => {
    const by = { ...world.agent, attestation: await tokenOf(kind) }
    const answer = await exchangeAttested(server.issuer, by, world.wish)
    if (kind === 'attestation') expect(answer.status, answer.text).toBe(200)
    else expectRefused(answer, 401, 'invalid_client')
  })

  test.each(KINDS)('%s as a proof', async (kind) => {
    const answer = await world.exchange({ proofs: [await tokenOf(kind)] })
    if (kind === 'proof') expect(answer.status, answer.text).toBe(200)
    else expectRefused(answer, 400, 'invalid_dpop_proof')
  })

  test('revocation by whom it does not belong to: an agent cannot withdraw an administrator', async () => {
    await revoke(server.issuer, world.agent, world.api.token)
    expect((await world.api.call('GET', '/admin/agents')).status).toBe(200)
  })
})

describe("an administrator's token in other hands, or in another dress", () => {
  test('with a proof by another key', async () => {
    expect((await asAdministrator(world.api.token, world.agent)).status).toBe(401)
  })

  test('as a bearer token (RFC 9449 §7.2)', async () => {
    expect((await asAdministrator(world.api.token, server.admin, 'Bearer')).status).toBe(401)
    const url = `${server.issuer}/admin/agents`
    for (const scheme of ['DPoP', 'Bearer']) {
      expect((await send(url, { headers: [['Authorization', `${scheme} ${world.api.token}`]] })).status).toBe(401)
    }
    expect((await send(`${url}?access_token=${world.api.token}`)).status).toBe(401)
  })

  test('with a proof for another method, URL or token', async () => {
    const url = `${server.issuer}/admin/agents`
    const accessToken = world.api.token
    const right = { method: 'GET', htu: url, now: new Date(), accessToken }
    for (const wrong of [
      { ...right, method: 'POST' },
      { ...right, htu: `${server.issuer}/admin/principals` },
      { ...right, htu: `${url}/` },
      { ...right, accessToken: world.wish.subjectToken },
      { method: 'GET', htu: url, now: new Date() },
    ]) {
      const answer = await send(url, {
        headers: [
          ['Authorization', `DPoP ${accessToken}`],
          ['DPoP', proof(server.admin.key, wrong)],
        ],
      })
      expect(answer.status, JSON.stringify(wrong)).toBe(401)
    }
  })

  test('with one proof for two calls', async () => {
    const url = `${server.issuer}/admin/agents`
    const accessToken = world.api.token
    const headers: [string, string][] = [
      ['Authorization', `DPoP ${accessToken}`],
      ['DPoP', proof(server.admin.key, { method: 'GET', htu: url, now: new Date(), accessToken })],
    ]
    const statuses = (await Promise.all(Array.from({ length: 8 }, () => send(url, { headers })))).map(
      ({ status }) => status,
    )
    expect(statuses.sort()).toEqual([200, 401, 401, 401, 401, 401, 401, 401])
  })
})

test('no resource has the identifier of this server, so no action token is for it', async () => {
  for (const identifier of [server.issuer, `${server.issuer}/`, server.issuer.toUpperCase()]) {
    const answer = await world.api.call('POST', '/admin/resources', { id: 'self', identifier, name: 'x', keys: [] })
    expect([identifier, answer.status], answer.text).toEqual([identifier, 422])
  }
  expectRefused(await world.exchange({ form: { resource: server.issuer } }), 400, 'invalid_target')
})
