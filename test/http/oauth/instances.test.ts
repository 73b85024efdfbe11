import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Attested,
  agentTokenAttested,
  attest,
  attested,
  attestedRequest,
  attestInstance,
  exchangeAttested,
  getWithToken,
} from '../../support/attestation.ts'
import { agentToken, handOn, newAgent } from '../../support/chain.ts'
import {
  ACCESS_TOKEN_TYPE,
  assertion,
  clientToken,
  exchange,
  introspect,
  newClient,
  seconds,
  TOKEN_EXCHANGE,
} from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { makeKey, proof } from '../../wire/signing.ts'
import { administer, expectRefused } from './answers.ts'

let server: TestServer
let world: World
/** Seconds that the server's own clock is ahead. */
let ahead = 0
beforeAll(async () => {
  server = await startTestServer(
    { maxInstances: 3, instanceSeconds: 3_600 },
    { clock: () => new Date(Date.now() + ahead * 1_000) },
  )
})
beforeAll(async () => {
  world = await createWorld(server, { delegation: { delegable: { max_depth: 1 } } })
})
afterAll(() => server.close())

const worldOfItsOwn = () => createWorld(server)

describe('an instance', () => {
  test('is a key that a registered key vouches for in the assertion, and nobody registered', async () => {
    const own = await worldOfItsOwn()
    const key = makeKey('Ed25519')
    const answer = await attestInstance(server.issuer, own.agent, key)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.body).toEqual({
      client_attestation: expect.any(String),
      expires_in: 600,
      instance: { kid: key.jkt, expires_at: expect.any(Number) },
    })
    expect(Math.abs(answer.body.instance.expires_at - seconds() - 3_600)).toBeLessThan(5)
    expect(claimsOf(answer.body.client_attestation)).toMatchObject({ sub: own.agent.id, cnf: { jwk: key.jwk } })
    const keys = await administer(own, 'GET', `/admin/agents/${own.agent.id}/keys`)
    expect(keys.body.items.map(({ kid }: { kid: string }) => kid)).toEqual([own.agent.key.jkt])
    const agent = await administer(own, 'GET', `/admin/agents/${own.agent.id}`)
    expect(agent.body.keys).toHaveLength(1)
  })

  test('acts as its agent, by tokens that are bound to its own key; records say which it was', async () => {
    const own = await worldOfItsOwn()
    const by = await attested(server.issuer, own.agent, makeKey())
    const answer = await exchangeAttested(server.issuer, by, own.wish, { form: { turn: 't1' } })
    expect(answer.status, answer.text).toBe(200)
    const token = answer.body.access_token
    expect(claimsOf(token)).toMatchObject({
      sub: own.principal,
      client_id: own.agent.id,
      act: { sub: own.agent.id },
      cnf: { jkt: by.key.jkt },
    })
    const shown = await introspect(server.issuer, own.resource, token)
    expect(shown.body).toMatchObject({ active: true, cnf: { jkt: by.key.jkt } })
    const { body } = await administer(own, 'GET', `/admin/records?agent=${own.agent.id}&limit=2`)
    expect(body.items).toMatchObject([
      { kind: 'action_token', decision: 'issued', jkt: by.key.jkt },
      { kind: 'attestation', decision: 'issued', jkt: by.key.jkt, because: { operation: 'instance.vouch' } },
    ])
  })

  test('has an agent token that is held to its key', async () => {
    const own = await worldOfItsOwn()
    const [one, other] = [
      await attested(server.issuer, own.agent, makeKey()),
      await attested(server.issuer, own.agent, makeKey()),
    ]
    const answer = await agentTokenAttested(server.issuer, one)
    expect(answer.status, answer.text).toBe(200)
    const token = answer.body.access_token
    expect(claimsOf(token).cnf).toEqual({ jkt: one.key.jkt })
    const url = `${server.issuer}/delegations`
    expect((await getWithToken(url, token, one.key)).body.items).toHaveLength(1)
    for (const key of [other.key, own.agent.key]) expect((await getWithToken(url, token, key)).status).toBe(401)
  })

  test('gives a delegation on, and is named as the next actor', async () => {
    const by = await attested(server.issuer, world.agent, makeKey())
    const helper = await newAgent(world)
    const next = await attested(server.issuer, helper, makeKey())
    const nextToken = (await agentTokenAttested(server.issuer, next)).body.access_token
    const answer = await attestedRequest(server.issuer, '/token', by, {
      grant_type: TOKEN_EXCHANGE,
      subject_token: world.delegation.subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      actor_token: nextToken,
      actor_token_type: ACCESS_TOKEN_TYPE,
      resource: server.issuer,
      authorization_details: JSON.stringify([world.action]),
    })
    expect(answer.status, answer.text).toBe(200)
    const wish = { ...world.wish, subjectToken: answer.body.access_token }
    const token = await exchangeAttested(server.issuer, next, wish)
    expect(token.status, token.text).toBe(200)
    expect(claimsOf(token.body.access_token).act).toMatchObject({ sub: helper.id, act: { sub: world.agent.id } })
    // A next actor that was stopped is none, though its token has not expired.
    await administer(world, 'DELETE', `/admin/agents/${helper.id}/keys/${helper.key.jkt}`, {})
    const from = { agent: world.agent, subjectToken: world.delegation.subjectToken }
    expectRefused(
      await handOn(server.issuer, from, { bounds: [world.action], actorToken: nextToken }),
      400,
      'invalid_grant',
    )
  })

  test('is attested again by itself until its end, and no longer', async () => {
    const own = await worldOfItsOwn()
    const by = await attested(server.issuer, own.agent, makeKey())
    const end = seconds() + 3_600
    let last: Attested = by
    try {
      for (let i = 0; i < 7; i++) {
        ahead += 590
        const renewed = await attestedRequest(server.issuer, '/attestation', last, {}, at('/attestation', last))
        if (i === 6) return expectRefused(renewed, 400, 'use_fresh_attestation')
        expect(renewed.status, renewed.text).toBe(200)
        expect(Math.abs(renewed.body.instance.expires_at - end)).toBeLessThan(5)
        expect(claimsOf(renewed.body.client_attestation).exp).toBeLessThanOrEqual(renewed.body.instance.expires_at)
        last = { ...by, attestation: renewed.body.client_attestation }
      }
    } finally {
      ahead = 0
    }
  })

  test('goes on when a registered key vouches for it once more', async () => {
    const own = await worldOfItsOwn()
    const key = makeKey()
    const [first, second] = [
      await attestInstance(server.issuer, own.agent, key),
      await attestInstance(server.issuer, own.agent, key),
    ]
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.body.instance.expires_at).toBeGreaterThanOrEqual(first.body.instance.expires_at)
  })

  test('goes on when another key vouches for it and the first is retired: what is remembered of it is of before', async () => {
    const own = await worldOfItsOwn()
    const [second, key] = [newClient(own.agent.id), makeKey()]
    const path = `/admin/agents/${own.agent.id}/keys`
    await administer(own, 'POST', path, { jwk: second.key.jwk })
    const before = await attested(server.issuer, own.agent, key)
    for (let i = 0; i < 2; i++) expect((await exchangeAttested(server.issuer, before, own.wish)).status).toBe(200)
    const after = await attested(server.issuer, second, key)
    await administer(own, 'DELETE', `${path}/${own.agent.key.jkt}`, {})
    for (let i = 0; i < 2; i++) {
      const answer = await exchangeAttested(server.issuer, after, own.wish)
      expect(answer.status, answer.text).toBe(200)
    }
  })

  test('ends no later than the key that vouches for it', async () => {
    const own = await worldOfItsOwn()
    const voucher = newClient(own.agent.id)
    const expires_at = seconds() + 100
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/keys`, { jwk: voucher.key.jwk, expires_at })
    const answer = await attestInstance(server.issuer, voucher, makeKey())
    expect(answer.body.instance.expires_at).toBe(expires_at)
    expect(answer.body.expires_in).toBeLessThanOrEqual(100)
  })

  test('is limited in number; one that is stopped or ends makes room', async () => {
    const own = await worldOfItsOwn()
    const keys = [makeKey(), makeKey(), makeKey()]
    for (const key of keys) await attested(server.issuer, own.agent, key)
    const refused = await attestInstance(server.issuer, own.agent, makeKey())
    expectRefused(refused, 400, 'access_denied')
    // One of the three again is no fourth.
    await attested(server.issuer, own.agent, keys[0])
    await administer(own, 'DELETE', `/admin/agents/${own.agent.id}/instances/${keys[0]?.jkt}`, {})
    await attested(server.issuer, own.agent, makeKey())
  })
})

describe('an instance is refused', () => {
  test('unless the assertion names its key, and no other', async () => {
    const own = await worldOfItsOwn()
    const key = makeKey()
    const named = (cnf: unknown) => attest(server.issuer, own.agent, { proofKey: key, assertionClaims: { cnf } })
    expectRefused(await attest(server.issuer, own.agent, { proofKey: key }), 400, 'invalid_dpop_proof')
    expectRefused(await named({ jkt: makeKey().jkt }), 400, 'invalid_dpop_proof')
    for (const cnf of [null, 'x', {}, { jkt: 1 }, { jkt: `${key.jkt}x` }, { jwk: key.jwk }, [key.jkt]]) {
      expectRefused(await named(cnf), 401, 'invalid_client')
    }
  })

  test('an assertion that names a key is good with that key alone, at every door', async () => {
    const own = await worldOfItsOwn()
    const instance = await attested(server.issuer, own.agent, makeKey())
    const cnf = { jkt: instance.key.jkt }
    expectRefused(await own.exchange({ assertionClaims: { cnf } }), 400, 'invalid_dpop_proof')
    expectRefused(await own.exchange({ assertionClaims: { cnf }, proofKey: instance.key }), 400, 'invalid_dpop_proof')
    // Nor is a token had for it elsewhere than by an attestation.
    const asItself = { assertionClaims: { cnf }, proofKey: instance.key }
    expectRefused(await clientToken(server.issuer, own.agent, asItself), 400, 'invalid_dpop_proof')
    const bare = { assertionClaims: { cnf: { jkt: own.resource.key.jkt } } }
    expectRefused(await introspect(server.issuer, own.resource, 'x', bare), 400, 'invalid_dpop_proof')
    expect((await own.exchange({ assertionClaims: { cnf: { jkt: own.agent.key.jkt } } })).status).toBe(200)
  })

  test('with an assertion of its own: it authenticates by its attestation alone', async () => {
    const own = await worldOfItsOwn()
    const by = await attested(server.issuer, own.agent, makeKey())
    expectRefused(await exchange(server.issuer, by, own.wish), 401, 'invalid_client')
    expectRefused(await clientToken(server.issuer, by), 401, 'invalid_client')
    expectRefused(await attest(server.issuer, by), 401, 'invalid_client')
    // Nor with its agent's assertion and its own proof, or the other way round.
    expectRefused(await own.exchange({ proofKey: by.key }), 400, 'invalid_dpop_proof')
  })

  test('when it vouches for another one, by assertion or attestation', async () => {
    const own = await worldOfItsOwn()
    const by = await attested(server.issuer, own.agent, makeKey())
    const another = makeKey()
    expectRefused(await attestInstance(server.issuer, by, another), 401, 'invalid_client')
    const other = { proofKey: another }
    expectRefused(await attestedRequest(server.issuer, '/attestation', by, {}, other), 400, 'invalid_dpop_proof')
    const beside = { form: { client_assertion: assertion(by, server.issuer, { cnf: { jkt: another.jkt } }) } }
    expectRefused(await attestedRequest(server.issuer, '/attestation', by, {}, beside), 400, 'invalid_request')
  })

  test('with the attestation of another, and in the turn of another', async () => {
    const own = await worldOfItsOwn()
    const [one, other] = [
      await attested(server.issuer, own.agent, makeKey()),
      await attested(server.issuer, own.agent, makeKey()),
    ]
    const borrowed = { ...one, attestation: other.attestation }
    expectRefused(await exchangeAttested(server.issuer, borrowed, own.wish), 400, 'invalid_dpop_proof')
    const turn = { form: { turn: 'step-1' } }
    expect((await exchangeAttested(server.issuer, one, own.wish, turn)).status).toBe(200)
    expect((await exchangeAttested(server.issuer, one, own.wish, turn)).status).toBe(200)
    expectRefused(await exchangeAttested(server.issuer, other, own.wish, turn), 400, 'access_denied')
  })

  test("what is another's it cannot withdraw, nor a delegation", async () => {
    const own = await worldOfItsOwn()
    const [one, other] = [
      await attested(server.issuer, own.agent, makeKey()),
      await attested(server.issuer, own.agent, makeKey()),
    ]
    const token = (await exchangeAttested(server.issuer, one, own.wish)).body.access_token
    const isActive = async () => (await introspect(server.issuer, own.resource, token)).body.active
    for (const what of [token, own.delegation.subjectToken]) {
      expect((await attestedRequest(server.issuer, '/revoke', other, { token: what })).status).toBe(200)
    }
    expect(await isActive()).toBe(true)
    expect((await attestedRequest(server.issuer, '/revoke', one, { token })).status).toBe(200)
    expect(await isActive()).toBe(false)
  })

  test("of a key that is taken: registered, another agent's, or stopped", async () => {
    const [own, other] = [await worldOfItsOwn(), await worldOfItsOwn()]
    const key = makeKey()
    await attested(server.issuer, other.agent, key)
    expectRefused(await attestInstance(server.issuer, own.agent, key), 400, 'access_denied')
    expectRefused(await attestInstance(server.issuer, own.agent, own.resource.key), 400, 'access_denied')
    const taken = await own.api.call('POST', `/admin/agents/${own.agent.id}/keys`, { jwk: key.jwk })
    expect(taken.status).toBe(409)
    await administer(other, 'DELETE', `/admin/agents/${other.agent.id}/instances/${key.jkt}`, {})
    expectRefused(await attestInstance(server.issuer, other.agent, key), 400, 'access_denied')
  })
})

describe('an instance is stopped at once', () => {
  const stops: readonly {
    name: string
    stop: (own: World, by: Attested) => Promise<unknown>
  }[] = [
    {
      name: 'by an administrator',
      stop: (own, { key }) => administer(own, 'DELETE', `/admin/agents/${own.agent.id}/instances/${key.jkt}`, {}),
    },
    {
      name: 'with the key that vouched for it',
      stop: (own) => administer(own, 'DELETE', `/admin/agents/${own.agent.id}/keys/${own.agent.key.jkt}`, {}),
    },
    {
      name: 'with its agent',
      stop: (own) => administer(own, 'POST', `/admin/agents/${own.agent.id}/suspend`, {}),
    },
  ]
  test.each(stops)('$name: its tokens, its agent token, its attestation', async ({ stop }) => {
    const own = await worldOfItsOwn()
    const by = await attested(server.issuer, own.agent, makeKey())
    const token = (await exchangeAttested(server.issuer, by, own.wish)).body.access_token
    const agentsToken = (await agentTokenAttested(server.issuer, by)).body.access_token
    expect((await introspect(server.issuer, own.resource, token)).body.active).toBe(true)
    await stop(own, by)
    // First of all, while it is remembered: the commit is what notices.
    expectRefused(await exchangeAttested(server.issuer, by, own.wish), 401, 'invalid_client')
    expect((await introspect(server.issuer, own.resource, token)).body).toEqual({ active: false })
    expect((await getWithToken(`${server.issuer}/delegations`, agentsToken, by.key)).status).toBe(401)
    expectRefused(await exchangeAttested(server.issuer, by, own.wish), 401, 'invalid_client')
    expectRefused(await agentTokenAttested(server.issuer, by), 401, 'invalid_client')
    expectRefused(await attestedRequest(server.issuer, '/attestation', by, {}), 401, 'invalid_client')
  })

  test('and nobody else with it', async () => {
    const own = await worldOfItsOwn()
    const [one, other] = [
      await attested(server.issuer, own.agent, makeKey()),
      await attested(server.issuer, own.agent, makeKey()),
    ]
    await administer(own, 'DELETE', `/admin/agents/${own.agent.id}/instances/${one.key.jkt}`, {})
    expect((await exchangeAttested(server.issuer, other, own.wish)).status).toBe(200)
    expect((await own.exchange()).status).toBe(200)
    expect((await agentToken(server.issuer, own.agent)).length).toBeGreaterThan(0)
  })
})

/** A proof by the server's clock. */
const at = (path: string, { key }: Attested) => ({
  proofs: [proof(key, { method: 'POST', htu: `${server.issuer}${path}`, now: new Date(Date.now() + ahead * 1_000) })],
})
