import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Agent, createAgent, createKey, enrol, importKey, isWritRefusal } from '../../../src/sdk/agent/index.ts'
import { clientToken, newClient, send } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { proof } from '../../wire/signing.ts'
import { granted, refused } from './agents.ts'
import { answer, jwtParts, startTinyIssuer } from './tiny-server.ts'

let server: TestServer
/** Seconds that all clocks are ahead: how a nonce grows old without waiting. */
let ahead = 0
const now = () => new Date(Date.now() + ahead * 1_000)
const planner = newClient('planner')
const wish = {
  subjectToken: '',
  resource: 'https://mail.example',
  action: { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' },
}

/** The statuses of an agent's exchanges, in the order of their answers. */
const observed = async (): Promise<{ agent: Agent; statuses: number[] }> => {
  const statuses: number[] = []
  const key = await importKey(planner.key.privateKey.export({ format: 'jwk' }))
  const observing: typeof fetch = async (url, init) => {
    const response = await fetch(url, init)
    if (init?.method === 'POST') statuses.push(response.status)
    return response
  }
  return { agent: createAgent({ issuer: server.issuer, id: planner.id, key, fetch: observing, now }), statuses }
}

async function asAdministrator(method: string, path: string, members: object) {
  const nonce = String((await clientToken(server.issuer, server.admin)).headers['dpop-nonce'])
  const token = (await clientToken(server.issuer, server.admin, { proofClaims: { nonce } })).body.access_token
  const url = `${server.issuer}${path}`
  const dpop = proof(server.admin.key, { method, htu: url, now: new Date(), accessToken: token }, { nonce })
  const answered = await send(url, {
    method,
    headers: [
      ['Content-Type', 'application/json'],
      ['Authorization', `DPoP ${token}`],
      ['DPoP', dpop],
    ],
    body: JSON.stringify(members),
  })
  expect(answered.status, answered.text).toBe(201)
  return answered
}

beforeAll(async () => {
  server = await startTestServer({ requireDpopNonce: true }, { clock: now })
  const create = async (path: string, members: object) => (await asAdministrator('POST', path, members)).body
  await create('/admin/agents', { id: planner.id, name: 'Planner', keys: [{ jwk: planner.key.jwk }] })
  await create('/admin/principals', { id: 'alice', kind: 'person', name: 'Alice' })
  await create('/admin/resources', { id: 'mail', identifier: wish.resource, name: 'Mail', keys: [] })
  const bound = { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }
  const delegation = { principal: 'alice', agent: planner.id, resource: wish.resource, authorization_details: [bound] }
  wish.subjectToken = (await create('/admin/delegations', delegation)).subject_token
})
afterAll(() => server.close())

test('the nonce is learnt from the refusal, used at once, and kept (RFC 9449 §8, §8.2)', async () => {
  const { agent, statuses } = await observed()
  granted(await agent.exchange(wish))
  granted(await agent.exchange(wish))
  // The attestation, once more, and two exchanges.
  expect(statuses).toEqual([400, 200, 200, 200])
})

test('a nonce that grew old is renewed by the same one repeat', async () => {
  const { agent, statuses } = await observed()
  granted(await agent.exchange(wish))
  ahead = 600
  granted(await agent.exchange(wish))
  ahead = 0
  expect(statuses).toEqual([400, 200, 200, 400, 200, 200])
})

test('fifty at once, none of which has the nonce yet, all get their token', async () => {
  const { agent, statuses } = await observed()
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => agent.exchange(wish)))
  expect(outcomes.filter(isWritRefusal)).toEqual([])
  expect(statuses.filter((status) => status === 200)).toHaveLength(51)
})

test('an enrolment and the list of delegations learn it the same way', async () => {
  const { body } = await asAdministrator('POST', `/admin/agents/${planner.id}/enrolments`, {})
  const key = await createKey()
  expect(await enrol({ issuer: server.issuer, code: body.code, key })).toMatchObject({
    agent: planner.id,
    kid: key.kid,
  })
  const delegations = await createAgent({ issuer: server.issuer, id: planner.id, key }).delegations()
  expect(isWritRefusal(delegations) ? delegations : delegations.length).toBe(1)
})

test('a server that is never content is asked twice, with everything new, and then believed', async () => {
  let count = 0
  const never = await startTinyIssuer((_request, response) =>
    answer(response, 400, { error: 'use_dpop_nonce' }, { 'dpop-nonce': `nonce-${++count}` }),
  )
  try {
    const key = await importKey(planner.key.privateKey.export({ format: 'jwk' }))
    const agent = createAgent({ issuer: never.origin, id: 'planner', key })
    expect(refused(await agent.exchange(wish))).toMatchObject({ kind: 'nonce_refused', error: 'use_dpop_nonce' })
    const [first, second, ...more] = never.received.filter(({ method }) => method === 'POST')
    expect(more).toEqual([])
    const [proofs, assertions] = [
      [first, second].map((request) => jwtParts(request?.headers.dpop).claims),
      [first, second].map((request) => new URLSearchParams(request?.body).get('client_assertion')),
    ]
    expect(proofs.map(({ nonce }) => nonce)).toEqual([undefined, 'nonce-1'])
    expect(proofs[0]?.jti).not.toBe(proofs[1]?.jti)
    expect(jwtParts(assertions[0]).claims.jti).not.toBe(jwtParts(assertions[1]).claims.jti)
  } finally {
    await never.close()
  }
})

test.each([
  ['none', {}],
  ['one with characters that no nonce has', { 'dpop-nonce': 'a"b' }],
  ['two', { 'dpop-nonce': 'one, two' }],
  ['one that is too long', { 'dpop-nonce': 'n'.repeat(600) }],
])('where the refusal offers %s, nothing is repeated', async (_name, headers) => {
  const server = await startTinyIssuer((_request, response) =>
    answer(response, 400, { error: 'use_dpop_nonce' }, headers as Record<string, string>),
  )
  try {
    const key = await importKey(planner.key.privateKey.export({ format: 'jwk' }))
    const agent = createAgent({ issuer: server.origin, id: 'planner', key })
    expect(refused(await agent.exchange(wish)).kind).toBe('nonce_refused')
    expect(server.received.filter(({ method }) => method === 'POST')).toHaveLength(1)
  } finally {
    await server.close()
  }
})
