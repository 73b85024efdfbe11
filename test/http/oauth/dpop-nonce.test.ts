import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attest, exchangeAttested } from '../../support/attestation.ts'
import {
  type Answer,
  clientToken,
  type Deviation,
  exchange,
  introspect,
  newClient,
  send,
} from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { proof } from '../../wire/signing.ts'
import { expectRefused } from './answers.ts'

let server: TestServer
/** Seconds that the server's own clock is ahead. */
let ahead = 0
const agent = newClient('planner')
const wish = { subjectToken: '', resource: 'https://mail.example', action: {} as object }

const nonceOf = ({ headers }: Answer) => String(headers['dpop-nonce'])
const exchanged = (deviation: Deviation = {}) => exchange(server.issuer, agent, wish, deviation)
/** The nonce that the server offers now. */
const offered = async () => nonceOf(await exchanged({ proofs: [] }))

beforeAll(async () => {
  server = await startTestServer({ requireDpopNonce: true }, { clock: () => new Date(Date.now() + ahead * 1_000) })
  const nonce = nonceOf(await clientToken(server.issuer, server.admin))
  const { body } = await clientToken(server.issuer, server.admin, { proofClaims: { nonce } })
  const create = async (path: string, members: object) => {
    const answer = await asAdministrator(body.access_token, path, members, nonce)
    expect(answer.status, answer.text).toBe(201)
    return answer.body
  }
  await create('/admin/agents', { id: agent.id, name: 'Planner', keys: [{ jwk: agent.key.jwk }] })
  await create('/admin/principals', { id: 'alice', kind: 'person', name: 'Alice' })
  await create('/admin/resources', { id: 'mail', identifier: wish.resource, name: 'Mail', keys: [] })
  const bound = { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }
  const delegation = { principal: 'alice', agent: agent.id, resource: wish.resource, authorization_details: [bound] }
  wish.subjectToken = (await create('/admin/delegations', delegation)).subject_token
  wish.action = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }
})
afterAll(() => server.close())

function asAdministrator(
  token: string,
  path: string,
  members: object,
  nonce?: string,
  { issuer, admin }: TestServer = server,
): Promise<Answer> {
  const url = `${issuer}${path}`
  const claims = nonce === undefined ? {} : { nonce }
  return send(url, {
    headers: [
      ['Content-Type', 'application/json'],
      ['Authorization', `DPoP ${token}`],
      ['DPoP', proof(admin.key, { method: 'POST', htu: url, now: new Date(), accessToken: token }, claims)],
    ],
    body: JSON.stringify(members),
  })
}

describe('a server that requires a nonce (RFC 9449 §8)', () => {
  test('a proof without one: 400 use_dpop_nonce and the nonce to use', async () => {
    const answer = await exchanged()
    expectRefused(answer, 400, 'use_dpop_nonce')
    const nonce = nonceOf(answer)
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{16,}$/)
    const again = await exchanged({ proofClaims: { nonce } })
    expect(again.status, again.text).toBe(200)
    expect(nonceOf(again)).toMatch(/^[A-Za-z0-9_-]{16,}$/)
  })

  test('an agent that is attested is told the nonce, however many at its address fail', async () => {
    const limits = { failedAuthentications: { perSecond: 0.001, burst: 1 } }
    const strict = await startTestServer({ requireDpopNonce: true, ...limits })
    try {
      const nonce = nonceOf(await clientToken(strict.issuer, strict.admin))
      const { body } = await clientToken(strict.issuer, strict.admin, { proofClaims: { nonce } })
      const members = { id: agent.id, name: 'Planner', keys: [{ jwk: agent.key.jwk }] }
      const created = await asAdministrator(body.access_token, '/admin/agents', members, nonce, strict)
      expect(created.status, created.text).toBe(201)
      const { client_attestation } = (await attest(strict.issuer, agent, { proofClaims: { nonce } })).body
      const by = { ...agent, attestation: client_attestation }
      const stranger = () => exchange(strict.issuer, newClient('nobody'), wish)
      expectRefused(await stranger(), 401, 'invalid_client')
      expectRefused(await stranger(), 429, 'slow_down')
      expectRefused(await exchangeAttested(strict.issuer, by, wish), 400, 'use_dpop_nonce')
      expectRefused(await stranger(), 429, 'slow_down')
    } finally {
      await strict.close()
    }
  })

  test('one nonce serves many proofs, and both grants', async () => {
    const nonce = await offered()
    for (const grant of [exchanged, exchanged, (d: Deviation) => clientToken(server.issuer, agent, d)]) {
      const answer = await grant({ proofClaims: { nonce } })
      expect(answer.status, answer.text).toBe(200)
    }
  })

  test.each([
    ['made up', 'x'.repeat(43)],
    ['empty', ''],
    ['long', 'n'.repeat(4_000)],
  ])('a nonce that is %s: use_dpop_nonce at both grants', async (_name, nonce) => {
    for (const grant of [exchanged, (d: Deviation) => clientToken(server.issuer, agent, d)]) {
      const answer = await grant({ proofClaims: { nonce } })
      expectRefused(answer, 400, 'use_dpop_nonce')
      expect(nonceOf(answer)).not.toBe(nonce)
    }
  })

  test('a nonce of ten minutes ago: use_dpop_nonce', async () => {
    ahead = -600
    const old = await offered()
    ahead = 0
    expectRefused(await exchanged({ proofClaims: { nonce: old } }), 400, 'use_dpop_nonce')
  })

  test('it replaces no other check', async () => {
    const nonce = await offered()
    const htu = `${server.issuer}/token`
    const proofs = [proof(agent.key, { method: 'POST', htu, now: new Date() }, { nonce })]
    expect((await exchanged({ proofs })).status).toBe(200)
    const bad: readonly Deviation[] = [
      { proofs },
      { proofClaims: { nonce, iat: 1 } },
      { proofClaims: { nonce, htu: `${server.issuer}/revoke` } },
      { proofClaims: { nonce }, proofKey: server.admin.key },
    ]
    for (const deviation of bad) expectRefused(await exchanged(deviation), 400, 'invalid_dpop_proof')
    expectRefused(await exchanged({ proofClaims: { nonce }, assertionClaims: { aud: 'x' } }), 401, 'invalid_client')
  })

  test('invalid_client wins over a missing nonce', async () => {
    expectRefused(await exchanged({ assertionClaims: { aud: 'x' } }), 401, 'invalid_client')
  })

  test('introspection needs no proof, so it needs no nonce; a proof without one is told to use one', async () => {
    expect((await introspect(server.issuer, agent, 'x')).body).toEqual({ active: false })
    const htu = `${server.issuer}/introspect`
    const answer = await introspect(server.issuer, agent, 'x', {
      proofs: [proof(agent.key, { method: 'POST', htu, now: new Date() })],
    })
    expectRefused(answer, 400, 'use_dpop_nonce')
    const nonce = nonceOf(answer)
    const again = await introspect(server.issuer, agent, 'x', {
      proofs: [proof(agent.key, { method: 'POST', htu, now: new Date() }, { nonce })],
    })
    expect(again.status, again.text).toBe(200)
  })

  test('the admin API: 401 with the challenge and the nonce (RFC 9449 §9)', async () => {
    const { body } = await clientToken(server.issuer, server.admin, { proofClaims: { nonce: await offered() } })
    const answer = await asAdministrator(body.access_token, '/admin/principals', {})
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toMatch(/^DPoP .*error="use_dpop_nonce"/)
    expect(nonceOf(answer)).toMatch(/^[A-Za-z0-9_-]{16,}$/)
  })
})
