import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  agentTokenAttested,
  attest,
  attested,
  attestedRequest,
  exchangeAttested,
  getWithToken,
} from '../../support/attestation.ts'
import { clientToken, introspect, newClient, seconds } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { jwt, makeKey, proof } from '../../wire/signing.ts'
import { administer, expectRefused } from './answers.ts'

let server: TestServer
let world: World
/** Seconds that the server's own clock is ahead. */
let ahead = 0
beforeAll(async () => {
  server = await startTestServer({ maxInstances: 3 }, { clock: () => new Date(Date.now() + ahead * 1_000) })
  world = await createWorld(server)
})
afterAll(() => server.close())

const headerOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())

describe('an attestation', () => {
  test('says that the key of the proof may speak for the agent, for ten minutes', async () => {
    const answer = await attest(server.issuer, world.agent)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(Object.keys(answer.body).sort()).toEqual(['client_attestation', 'expires_in'])
    expect(answer.body.expires_in).toBe(600)
    const attestation = answer.body.client_attestation
    expect(headerOf(attestation)).toEqual({
      typ: 'oauth-client-attestation+jwt',
      alg: 'ES256',
      kid: expect.stringMatching(/^[A-Za-z0-9_-]{43}$/),
    })
    const claims = claimsOf(attestation)
    expect(claims).toEqual({
      iss: server.issuer,
      sub: world.agent.id,
      cnf: { jwk: world.agent.key.jwk },
      jti: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/),
      iat: expect.any(Number),
      exp: claims.iat + 600,
    })
    expect(Math.abs(claims.iat - seconds())).toBeLessThan(5)
  })

  test('authenticates one exchange after another, each token bound to its key', async () => {
    const by = await attested(server.issuer, world.agent)
    for (let i = 0; i < 3; i++) {
      const answer = await exchangeAttested(server.issuer, by, world.wish)
      expect(answer.status, answer.text).toBe(200)
      expect(claimsOf(answer.body.access_token)).toMatchObject({
        sub: world.principal,
        client_id: world.agent.id,
        cnf: { jkt: world.agent.key.jkt },
      })
      const shown = await introspect(server.issuer, world.resource, answer.body.access_token)
      expect(shown.body.active).toBe(true)
    }
  })

  test('is on record, with the key and without itself', async () => {
    const by = await attested(server.issuer, world.agent)
    const { body, text } = await administer(world, 'GET', `/admin/records?agent=${world.agent.id}&limit=1`)
    expect(body.items[0]).toMatchObject({
      kind: 'attestation',
      decision: 'issued',
      agent: world.agent.id,
      jkt: world.agent.key.jkt,
      jti: claimsOf(by.attestation).jti,
    })
    expect(text).not.toContain(by.attestation)
  })

  test('gives an agent token with the claims that an assertion gives', async () => {
    const by = await attested(server.issuer, world.agent)
    const answer = await agentTokenAttested(server.issuer, by)
    expect(answer.status, answer.text).toBe(200)
    const asserted = await clientToken(server.issuer, world.agent)
    expect(Object.keys(answer.body).sort()).toEqual(Object.keys(asserted.body).sort())
    expect({ ...answer.body, access_token: '' }).toEqual({ ...asserted.body, access_token: '' })
    const [ours, theirs] = [claimsOf(answer.body.access_token), claimsOf(asserted.body.access_token)]
    expect({ ...ours, jti: '', iat: 0, exp: ours.exp - ours.iat }).toEqual({
      ...theirs,
      jti: '',
      iat: 0,
      exp: theirs.exp - theirs.iat,
    })
    expect(headerOf(answer.body.access_token)).toEqual(headerOf(asserted.body.access_token))
    const listed = await getWithToken(`${server.issuer}/delegations`, answer.body.access_token, world.agent.key)
    expect(listed.body.items.map(({ id }: { id: string }) => id)).toEqual([world.delegation.id])
  })

  test('ends no later than its key, and authenticates no longer', async () => {
    const own = await createWorld(server)
    const second = newClient(own.agent.id)
    const expires_at = seconds() + 100
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/keys`, { jwk: second.key.jwk, expires_at })
    const answer = await attest(server.issuer, second)
    expect(answer.body.expires_in).toBeLessThanOrEqual(100)
    expect(claimsOf(answer.body.client_attestation).exp).toBe(expires_at)
  })

  test('is given under a nonce where one is required, and refused without (RFC 9449 §8)', async () => {
    const strict = await startTestServer({ requireDpopNonce: true })
    try {
      const first = await attest(strict.issuer, strict.admin)
      expectRefused(first, 400, 'use_dpop_nonce')
      const proofClaims = { nonce: String(first.headers['dpop-nonce']) }
      expectRefused(await attest(strict.issuer, strict.admin, { proofClaims }), 400, 'unauthorized_client')
    } finally {
      await strict.close()
    }
  })

  test('is renewed by itself', async () => {
    const by = await attested(server.issuer, world.agent)
    const again = await attestedRequest(server.issuer, '/attestation', by, {})
    expect(again.status, again.text).toBe(200)
    const renewed = { ...by, attestation: again.body.client_attestation }
    expect((await exchangeAttested(server.issuer, renewed, world.wish)).status).toBe(200)
  })

  test('withdraws a token of its agent', async () => {
    const by = await attested(server.issuer, world.agent)
    const token = (await exchangeAttested(server.issuer, by, world.wish)).body.access_token
    expect((await attestedRequest(server.issuer, '/revoke', by, { token })).status).toBe(200)
    expect((await introspect(server.issuer, world.resource, token)).body).toEqual({ active: false })
  })

  test('is given to agents alone', async () => {
    expectRefused(await attest(server.issuer, world.resource), 400, 'unauthorized_client')
    expectRefused(await attest(server.issuer, server.admin), 400, 'unauthorized_client')
  })

  test('is given for a registered key, or one that the assertion names, and with a proof', async () => {
    const { issuer } = server
    expectRefused(await attest(issuer, world.agent, { proofs: [] }), 400, 'invalid_dpop_proof')
    expectRefused(await attest(issuer, world.agent, { proofKey: makeKey() }), 400, 'invalid_dpop_proof')
    expectRefused(await attest(issuer, newClient(world.agent.id)), 401, 'invalid_client')
    expectRefused(await attest(issuer, world.agent, { form: { client_assertion: undefined } }), 401, 'invalid_client')
    expectRefused(
      await attest(issuer, world.agent, { headers: [['Content-Type', 'application/json']] }),
      415,
      'invalid_request',
    )
    const sent = [proof(world.agent.key, { method: 'POST', htu: `${issuer}/attestation`, now: new Date() })]
    expect((await attest(issuer, world.agent, { proofs: sent })).status).toBe(200)
    expectRefused(await attest(issuer, world.agent, { proofs: sent }), 400, 'invalid_dpop_proof')
  })
})

describe('an attestation is refused', () => {
  /** The attestation with its header or claims changed, and its own signature or that of a stranger. */
  const altered = (attestation: string, header: object, claims: object, isSignedAnew: boolean) => {
    const signature = attestation.split('.')[2]
    const forged = jwt(makeKey(), { ...headerOf(attestation), ...header }, { ...claimsOf(attestation), ...claims })
    return isSignedAnew ? forged : `${forged.split('.').slice(0, 2).join('.')}.${signature}`
  }
  test.each([
    { name: 'signed by nobody we know', header: { kid: makeKey().jkt }, claims: {} },
    { name: 'signed by another key in the name of ours', header: {}, claims: {} },
    { name: 'that names no key', header: { kid: undefined }, claims: {} },
    { name: 'of another client', header: {}, claims: { sub: 'somebody-else' } },
    { name: 'of another issuer', header: {}, claims: { iss: 'https://other.example' } },
    { name: 'for another key', header: {}, claims: { cnf: { jwk: makeKey().jwk } } },
    { name: 'with a thumbprint for a key', header: {}, claims: { cnf: { jkt: makeKey().jkt } } },
    { name: 'with a private key', header: {}, claims: { cnf: { jwk: { ...makeKey().jwk, d: 'AAAA' } } } },
    { name: 'that lives on', header: {}, claims: { exp: seconds() + 86_400 } },
    { name: 'without an end', header: {}, claims: { exp: undefined } },
    { name: 'from the future', header: {}, claims: { iat: seconds() + 300 } },
    { name: 'of another type', header: { typ: 'JWT' }, claims: {} },
    { name: 'with an extension', header: { crit: ['b64'] }, claims: {} },
  ])('$name', async ({ header, claims }) => {
    const by = await attested(server.issuer, world.agent)
    const isChanged = Object.keys(header).length + Object.keys(claims).length > 0
    for (const isSignedAnew of isChanged ? [true, false] : [true]) {
      const attestation = altered(by.attestation, header, claims, isSignedAnew)
      expectRefused(await exchangeAttested(server.issuer, { ...by, attestation }, world.wish), 401, 'invalid_client')
    }
  })

  test.each(['none', 'HS256', 'RS256'])('signed by %s', async (alg) => {
    const by = await attested(server.issuer, world.agent)
    const [header, claims, signature] = by.attestation.split('.')
    const changed = Buffer.from(JSON.stringify({ ...headerOf(`${header}.`), alg })).toString('base64url')
    const attestation = `${changed}.${claims}.${signature}`
    expectRefused(await exchangeAttested(server.issuer, { ...by, attestation }, world.wish), 401, 'invalid_client')
  })

  test.each(['', 'x', 'a.b.c', `${'a'.repeat(5_000)}.b.c`])('that is none (%#)', async (text) => {
    const by = await attested(server.issuer, world.agent)
    const headers = [['OAuth-Client-Attestation', text]] as const
    const answer = await exchangeAttested(server.issuer, { ...by, attestation: '' }, world.wish, { headers })
    expectRefused(answer, 401, 'invalid_client')
  })

  test('when it is another JWT of this server, which an attestation is not either', async () => {
    const by = await attested(server.issuer, world.agent)
    const agentToken = (await agentTokenAttested(server.issuer, by)).body.access_token
    for (const attestation of [agentToken, world.delegation.subjectToken]) {
      expectRefused(await exchangeAttested(server.issuer, { ...by, attestation }, world.wish), 401, 'invalid_client')
    }
    const asToken = await getWithToken(`${server.issuer}/delegations`, by.attestation, world.agent.key)
    expect(asToken.status).toBe(401)
    expectRefused(await world.exchange({}, { subjectToken: by.attestation }), 400, 'invalid_grant')
    expectRefused(await world.exchange({ form: { client_assertion: by.attestation } }), 401, 'invalid_client')
  })

  test('without a proof, with two, with one by another key, and with one that was used', async () => {
    const by = await attested(server.issuer, world.agent)
    const again = { proofs: [proof(by.key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() })] }
    const { issuer } = server
    expectRefused(await exchangeAttested(issuer, by, world.wish, { proofs: [] }), 400, 'invalid_dpop_proof')
    const two = { proofs: [...again.proofs, ...again.proofs] }
    expectRefused(await exchangeAttested(issuer, by, world.wish, two), 400, 'invalid_dpop_proof')
    expectRefused(await exchangeAttested(issuer, by, world.wish, { proofKey: makeKey() }), 400, 'invalid_dpop_proof')
    expectRefused(
      await attestedRequest(issuer, '/revoke', by, { token: 'x' }, { proofs: [] }),
      400,
      'invalid_dpop_proof',
    )
    expect((await exchangeAttested(issuer, by, world.wish, again)).status).toBe(200)
    expectRefused(await exchangeAttested(issuer, by, world.wish, again), 400, 'invalid_dpop_proof')
  })

  test('sent twice, beside an assertion, with a proof of possession of its own, or for another "client_id"', async () => {
    const by = await attested(server.issuer, world.agent)
    const { issuer } = server
    const header = ['OAuth-Client-Attestation', by.attestation] as const
    expectRefused(await exchangeAttested(issuer, by, world.wish, { headers: [header] }), 401, 'invalid_client')
    expectRefused(await world.exchange({ headers: [header] }), 400, 'invalid_request')
    const pop = { headers: [['OAuth-Client-Attestation-PoP', by.attestation]] } as const
    expectRefused(await exchangeAttested(issuer, by, world.wish, pop), 400, 'invalid_request')
    const other = { form: { client_id: 'somebody-else' } }
    expectRefused(await exchangeAttested(issuer, by, world.wish, other), 401, 'invalid_client')
  })

  test('at the moment it ends, also when it was accepted before; until then it is good', async () => {
    const by = await attested(server.issuer, world.agent)
    const { exp } = claimsOf(by.attestation)
    try {
      ahead = exp - seconds() - 20
      const now = () => new Date(Date.now() + ahead * 1_000)
      const proofs = () => [proof(by.key, { method: 'POST', htu: `${server.issuer}/token`, now: now() })]
      const before = await attestedRequest(
        server.issuer,
        '/revoke',
        by,
        { token: 'x' },
        {
          proofs: [proof(by.key, { method: 'POST', htu: `${server.issuer}/revoke`, now: now() })],
        },
      )
      expect(before.status, before.text).toBe(200)
      ahead = exp - seconds()
      const after = await exchangeAttested(server.issuer, by, world.wish, { proofs: proofs() })
      expectRefused(after, 400, 'use_fresh_attestation')
    } finally {
      ahead = 0
    }
  })

  test('of a stranger: nothing of it is put down to the agent', async () => {
    const by = await attested(server.issuer, world.agent)
    const refusals = () => administer(world, 'GET', `/admin/records?agent=${world.agent.id}&decision=refused&limit=200`)
    const before = (await refusals()).body.items.length
    await exchangeAttested(server.issuer, by, world.wish, { proofKey: makeKey() })
    await exchangeAttested(server.issuer, { ...by, attestation: `${by.attestation}x` }, world.wish)
    expect((await refusals()).body.items.length).toBe(before)
  })
})

describe('what was attested is stopped at once', () => {
  test('with its agent, and goes on with it', async () => {
    const own = await createWorld(server)
    const by = await attested(server.issuer, own.agent)
    expect((await exchangeAttested(server.issuer, by, own.wish)).status).toBe(200)
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/suspend`, { reason: 'odd' })
    expectRefused(await exchangeAttested(server.issuer, by, own.wish), 401, 'invalid_client')
    expectRefused(await agentTokenAttested(server.issuer, by), 401, 'invalid_client')
    expectRefused(await attestedRequest(server.issuer, '/attestation', by, {}), 401, 'invalid_client')
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/resume`, {})
    expect((await exchangeAttested(server.issuer, by, own.wish)).status).toBe(200)
  })

  test('with its key, for ever', async () => {
    const own = await createWorld(server)
    const by = await attested(server.issuer, own.agent)
    expect((await exchangeAttested(server.issuer, by, own.wish)).status).toBe(200)
    await administer(own, 'DELETE', `/admin/agents/${own.agent.id}/keys/${own.agent.key.jkt}`, {})
    expectRefused(await exchangeAttested(server.issuer, by, own.wish), 401, 'invalid_client')
    expectRefused(await attestedRequest(server.issuer, '/attestation', by, {}), 401, 'invalid_client')
  })

  test('with everything', async () => {
    const own = await createWorld(server)
    const by = await attested(server.issuer, own.agent)
    try {
      await administer(own, 'POST', '/admin/stop', { reason: 'fire' })
      expectRefused(await exchangeAttested(server.issuer, by, own.wish), 400, 'access_denied')
      expectRefused(await attest(server.issuer, own.agent), 400, 'access_denied')
    } finally {
      await administer(own, 'DELETE', '/admin/stop', {})
    }
  })
})
