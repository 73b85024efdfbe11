import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused } from '../http/oauth/answers.ts'
import { type Attested, attested, attestedRequest, attestInstance, exchangeAttested } from '../support/attestation.ts'
import { newAgent } from '../support/chain.ts'
import { assertion, newClient, oauthRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'
import { makeKey, proof, type TestKey } from '../wire/signing.ts'

/** What a thief makes of what he caught on its way: an attestation, an assertion that vouches, a proof. */
let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

const token = () => `${server.issuer}/token`
const proofBy = (key: TestKey) => proof(key, { method: 'POST', htu: token(), now: new Date() })

describe('a caught attestation', () => {
  test('is good with its own key alone, whoever the thief is', async () => {
    const by = await attested(server.issuer, world.agent)
    const [helper, colleague] = [await newAgent(world), newClient(world.agent.id)]
    const path = `/admin/agents/${world.agent.id}/keys`
    expect((await world.api.call('POST', path, { jwk: colleague.key.jwk })).status).toBe(201)
    // A stranger, another agent, and another registered key of the same agent.
    for (const { key } of [newClient('stranger'), helper, colleague]) {
      const stolen: Attested = { ...by, key }
      expectRefused(await exchangeAttested(server.issuer, stolen, world.wish), 400, 'invalid_dpop_proof')
      expectRefused(await attestedRequest(server.issuer, '/attestation', stolen, {}), 400, 'invalid_dpop_proof')
    }
  })

  test('with a proof that was caught beside it: once used, and for no other address', async () => {
    const by = await attested(server.issuer, world.agent)
    const proofs = [proofBy(by.key)]
    expect((await exchangeAttested(server.issuer, by, world.wish, { proofs })).status).toBe(200)
    expectRefused(await exchangeAttested(server.issuer, by, world.wish, { proofs }), 400, 'invalid_dpop_proof')
    const elsewhere = { proofs: [proofBy(by.key)] }
    expectRefused(await attestedRequest(server.issuer, '/attestation', by, {}, elsewhere), 400, 'invalid_dpop_proof')
  })

  test('uses up nothing of its agent: neither its requests, nor those it may get wrong', async () => {
    const busy = await startTestServer({ clientRequests: { perSecond: 0.001, burst: 4 } })
    try {
      const own = await createWorld(busy)
      const by = await attested(busy.issuer, own.agent)
      for (let i = 0; i < 10; i++) {
        const stolen = { ...by, key: makeKey() }
        expectRefused(await exchangeAttested(busy.issuer, stolen, own.wish), 400, 'invalid_dpop_proof')
      }
      expect((await exchangeAttested(busy.issuer, by, own.wish)).status).toBe(200)
      expect((await own.exchange()).status).toBe(200)
    } finally {
      await busy.close()
    }
  })

  test('sixteen copies of one request: one token', async () => {
    const by = await attested(server.issuer, world.agent)
    const proofs = [proofBy(by.key)]
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => exchangeAttested(server.issuer, by, world.wish, { proofs })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(15).fill(400)])
  })
})

describe('an assertion that vouches for an instance', () => {
  test('makes no instance of the key of a thief, and nothing else', async () => {
    const key = makeKey()
    const cnf = { jkt: key.jkt }
    const caught = assertion(world.agent, server.issuer, { cnf })
    const thief = makeKey()
    const { url, ...stolen } = oauthRequest(
      server.issuer,
      '/attestation',
      { id: world.agent.id, key: thief },
      {},
      {
        form: { client_assertion: caught },
      },
    )
    expectRefused(await send(url, stolen), 400, 'invalid_dpop_proof')
    expectRefused(await world.exchange({ form: { client_assertion: caught } }), 401, 'invalid_client')
    const fresh = () => ({ form: { client_assertion: assertion(world.agent, server.issuer, { cnf }) } })
    expectRefused(await world.exchange(fresh()), 400, 'invalid_dpop_proof')
    expectRefused(await world.exchange({ ...fresh(), proofKey: thief }), 400, 'invalid_dpop_proof')
  })

  test('is good once', async () => {
    const key = makeKey()
    const form = { client_assertion: assertion(world.agent, server.issuer, { cnf: { jkt: key.jkt } }) }
    expect((await attestInstance(server.issuer, world.agent, key, { form })).status).toBe(200)
    expectRefused(await attestInstance(server.issuer, world.agent, key, { form }), 401, 'invalid_client')
  })

  test('of one agent makes no instance of another', async () => {
    const helper = await newAgent(world)
    const key = makeKey()
    const form = { client_assertion: assertion(world.agent, server.issuer, { cnf: { jkt: key.jkt } }) }
    expectRefused(await attestInstance(server.issuer, helper, key, { form }), 401, 'invalid_client')
    const claims = { iss: helper.id, sub: helper.id, cnf: { jkt: key.jkt } }
    const forged = { client_assertion: assertion(world.agent, server.issuer, claims) }
    expectRefused(await attestInstance(server.issuer, helper, key, { form: forged }), 401, 'invalid_client')
  })
})
