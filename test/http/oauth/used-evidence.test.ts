import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { usedEvidence } from '../../../src/adapters/clients/used-evidence.ts'
import { attested, exchangeAttested } from '../../support/attestation.ts'
import { assertion, exchangeRequest, introspect, seconds, send } from '../../support/clients.ts'
import { countingCrypto } from '../../support/counted-crypto.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { proof } from '../../wire/signing.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  // Whoever replays must not be stopped by what a client may get wrong, nor use it up.
  server = await startTestServer({ clientRequests: { perSecond: 0.001, burst: 40 } })
  world = await createWorld(server)
})
afterAll(() => server.close())

const proofHere = () => proof(world.agent.key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() })
const lastRefusal = async () => {
  const { body, text } = await world.api.call('GET', `/admin/records?agent=${world.agent.id}&decision=refused&limit=1`)
  if (body.items === undefined) throw new Error(text)
  return body.items[0]
}

test('a request that was here before is refused without a signature verified, and on record', async () => {
  const { url, ...request } = exchangeRequest(server.issuer, world.agent, world.wish)
  expect((await send(url, request)).status).toBe(200)
  const counts = await countingCrypto(async () => {
    const answer = await send(url, request)
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client'])
  })
  expect(counts).toEqual({ verified: 0, signed: 0 })
  expect(await lastRefusal()).toMatchObject({ refusal: 'assertion_replayed', client: world.agent.id })
})

test('a proof that was here before, with an assertion of its own, costs the assertion only, which is used up by it', async () => {
  const proofs = [proofHere()]
  expect((await world.exchange({ proofs })).status).toBe(200)
  const client_assertion = assertion(world.agent, server.issuer)
  const { url, ...request } = exchangeRequest(server.issuer, world.agent, world.wish, {
    proofs,
    form: { client_assertion },
  })
  const counts = await countingCrypto(async () => {
    const answer = await send(url, request)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_dpop_proof'])
  })
  expect(counts).toEqual({ verified: 1, signed: 0 })
  expect(await lastRefusal()).toMatchObject({ refusal: 'proof_replayed', client: world.agent.id })
  expect((await world.exchange({ form: { client_assertion } })).status).toBe(401)
})

test('whoever knows of a used one cannot write another with new times on account of its client', async () => {
  const claims = { jti: randomUUID(), iat: seconds(), exp: seconds() + 60 }
  expect((await world.exchange({ assertionClaims: claims })).status).toBe(200)
  const before = await lastRefusal()
  const [header, , signature] = assertion(world.agent, server.issuer).split('.')
  const forged = { iss: world.agent.id, sub: world.agent.id, aud: server.issuer, ...claims, exp: claims.exp + 100 }
  const payload = Buffer.from(JSON.stringify(forged)).toString('base64url')
  const answer = await world.exchange({ form: { client_assertion: `${header}.${payload}.${signature}` } })
  expect([answer.status, answer.body.error_description]).toEqual([
    401,
    'the signature of the client assertion does not verify',
  ])
  expect(await lastRefusal()).toEqual(before)
})

test('with an attestation: the same', async () => {
  const by = await attested(server.issuer, world.agent)
  const proofs = [proofHere()]
  expect((await exchangeAttested(server.issuer, by, world.wish, { proofs })).status).toBe(200)
  const counts = await countingCrypto(async () => {
    const answer = await exchangeAttested(server.issuer, by, world.wish, { proofs })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_dpop_proof'])
  })
  expect(counts.verified).toBe(0)
  expect(await lastRefusal()).toMatchObject({ refusal: 'proof_replayed', client: world.agent.id })
})

test('at another door, too', async () => {
  const form = { client_assertion: assertion(world.resource, server.issuer) }
  expect((await introspect(server.issuer, world.resource, 'x', { form })).status).toBe(200)
  const counts = await countingCrypto(async () => {
    expect((await introspect(server.issuer, world.resource, 'x', { form })).status).toBe(401)
  })
  expect(counts.verified).toBe(0)
})

test('a hundred replays take nothing of what the client may ask, nor of what it may get wrong', async () => {
  const { url, ...request } = exchangeRequest(server.issuer, world.agent, world.wish)
  expect((await send(url, request)).status).toBe(200)
  for (let n = 0; n < 100; n++) expect([401, 429]).toContain((await send(url, request)).status)
  expect((await world.exchange()).status).toBe(200)
  expect((await world.exchange({ proofs: [] })).body.error).toBe('invalid_dpop_proof')
})

test('what a commit did not answer for is not remembered as used', async () => {
  const used = usedEvidence()
  const mark = { kind: 'proof', key: 'aa', until: 0, issuedAt: 0 } as const
  const entry = { attemptId: 'x', marks: [mark], decision: 'none' } as const
  const away = used.remembering({ commit: () => Promise.reject(new Error('the database is away')) })
  await expect(away.commit(entry)).rejects.toThrow('away')
  expect(used.has(mark)).toBe(false)
  const there = used.remembering({ commit: async () => ({ outcome: 'committed', isStored: true }) })
  await there.commit(entry)
  expect(used.has(mark)).toBe(true)
})
