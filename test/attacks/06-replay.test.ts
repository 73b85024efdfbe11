import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, assertion, exchangeRequest, introspect, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { proof } from '../wire/signing.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

const copies = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make)
const outcomes = (answers: readonly Answer[]) => {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const outcome = status === 200 ? 'issued' : `${status} ${body.error}`
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return counts
}
const ownProof = () => proof(world.agent.key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() })

describe.each([8, 200])('%i copies at once: exactly one token', (count) => {
  test('of one request', async () => {
    const { url, ...request } = exchangeRequest(server.issuer, world.agent, world.wish)
    const answers = await Promise.all(copies(count, () => send(url, request)))
    expect(outcomes(answers)).toEqual({ issued: 1, '401 invalid_client': count - 1 })
  })

  test('of one proof, each with an assertion of its own', async () => {
    const proofs = [ownProof()]
    const answers = await Promise.all(copies(count, () => world.exchange({ proofs })))
    expect(outcomes(answers)).toEqual({ issued: 1, '400 invalid_dpop_proof': count - 1 })
  })

  test('of one assertion, each with a proof of its own', async () => {
    const client_assertion = assertion(world.agent, server.issuer)
    const answers = await Promise.all(copies(count, () => world.exchange({ form: { client_assertion } })))
    expect(outcomes(answers)).toEqual({ issued: 1, '401 invalid_client': count - 1 })
  })

  test('of one proof, for actions of its own each', async () => {
    const proofs = [ownProof()]
    let number = 0
    const action = () => ({ ...world.action, subject: `Minutes ${number++}` })
    const answers = await Promise.all(copies(count, () => world.exchange({ proofs }, { action: action() })))
    expect(outcomes(answers)).toEqual({ issued: 1, '400 invalid_dpop_proof': count - 1 })
  })
})

test('300 honest requests at once: 300 tokens', async () => {
  const answers = await Promise.all(copies(300, () => world.exchange()))
  expect(outcomes(answers)).toEqual({ issued: 300 })
  expect(new Set(answers.map(({ body }) => claimsOf(body.access_token).jti)).size).toBe(300)
})

test('what is used at one door is used at every other', async () => {
  const client_assertion = assertion(world.resource, server.issuer)
  const ask = () => introspect(server.issuer, world.resource, 'x', { form: { client_assertion } })
  const answers = await Promise.all(copies(8, ask))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
})

test('a jti belongs to whoever used it: another client or another key may use the same', async () => {
  const other = await createWorld(server)
  const [assertionClaims, proofClaims] = [{ jti: 'the-same-assertion' }, { jti: 'the-same-proof' }]
  expect((await world.exchange({ assertionClaims, proofClaims })).status).toBe(200)
  expect((await other.exchange({ assertionClaims, proofClaims })).status).toBe(200)
  expect((await world.exchange({ proofClaims })).status).toBe(400)
  expect((await world.exchange({ assertionClaims })).status).toBe(401)
})
