import { afterAll, beforeAll, expect, test } from 'vitest'
import { answerFor, approve, askAtBackchannel, asked, askingWorld, poll } from '../../support/approvals.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, type World } from '../../support/world.ts'
import { administer, expectRefused, issued } from './answers.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await askingWorld(server, 'none')
})
afterAll(() => server.close())

/** The database keeps milliseconds. */
const isAbout = (seconds: number) => (value: number) => value === seconds || value === seconds - 1

const idOf = async (own: World) => {
  const { body } = await administer(own, 'GET', `/admin/approvals?agent=${own.agent.id}&state=pending`)
  return body.items[0].id as string
}

test('asks for a yes though no rule does, the principal, and then the poll is the same', async () => {
  const answer = await askAtBackchannel(world, { binding_message: 'The minutes of Monday', turn: 'b-1' })
  expect([answer.status, answer.body]).toEqual([
    200,
    {
      auth_req_id: expect.stringMatching(/^ap_[A-Za-z0-9_-]{22}$/),
      expires_in: expect.toSatisfy(isAbout(300)),
      interval: 5,
    },
  ])
  expect(answer.headers['cache-control']).toBe('no-store')
  const authReqId = answer.body.auth_req_id
  const id = await idOf(world)
  const { body: shown } = await administer(world, 'GET', `/admin/approvals/${id}`)
  expect(shown).toMatchObject({ purpose: 'The minutes of Monday', state: 'pending' })
  expect((await poll(world, authReqId)).body.error).toBe('authorization_pending')
  await approve(world, { id, authReqId })
  const claims = claimsOf(await issued(poll(world, authReqId)))
  expect(claims).toMatchObject({ sub: world.principal, turn: 'b-1' })
  // The turn was minted: it is repeated at the exchange, which is where a token is given.
  expectRefused(await askAtBackchannel(world, { turn: 'b-1' }), 400, 'access_denied')
  expect(claimsOf(await issued(world.exchange({ form: { turn: 'b-1' } }))).jti).toBe(claims.jti)
})

test('is the same request as an exchange that waits', async () => {
  const own = await askingWorld(server)
  const { authReqId } = await asked(own)
  expect((await askAtBackchannel(own)).body.auth_req_id).toBe(authReqId)
})

test('waits as long as it asks for, and never longer than the server would', async () => {
  expect((await askAtBackchannel(world, { requested_expiry: '30', turn: 'short' })).body.expires_in).toSatisfy(
    isAbout(30),
  )
  expect((await askAtBackchannel(world, { requested_expiry: '86400', turn: 'long' })).body.expires_in).toSatisfy(
    isAbout(300),
  )
})

test('a no is a no', async () => {
  const own = await askingWorld(server, 'none')
  const { body } = await askAtBackchannel(own, { client_notification_token: 'abc.DEF-123' })
  expect((await answerFor(own, await idOf(own), 'deny')).status).toBe(200)
  expectRefused(await poll(own, body.auth_req_id), 400, 'access_denied')
})

test.each([
  ['no resource', { resource: undefined }, 'invalid_request'],
  ['no authorization_details', { authorization_details: undefined }, 'invalid_request'],
  ['a scope', { scope: 'openid' }, 'invalid_scope'],
  ['a second hint', { login_hint: 'alice' }, 'invalid_request'],
  ['a signed request', { request: 'e30.e30.' }, 'invalid_request'],
  ['an expiry that is none', { requested_expiry: '0' }, 'invalid_request'],
  ['an expiry that is no number', { requested_expiry: '1e3' }, 'invalid_request'],
  ['a notification token that is none', { client_notification_token: 'a b' }, 'invalid_request'],
  ['one that is too long', { client_notification_token: 'a'.repeat(1_025) }, 'invalid_request'],
  ['words that are too long', { binding_message: 'x'.repeat(1_001) }, 'invalid_request'],
  ['a subject token that is none', { subject_token: 'x' }, 'invalid_grant'],
  ['two actions', { authorization_details: '[{},{}]' }, 'invalid_authorization_details'],
  ['another place', { resource: 'https://elsewhere.example' }, 'invalid_target'],
  [
    'what the bounds forbid',
    { authorization_details: JSON.stringify([{ type: 'email_send', to: ['a@b.example'], subject: '', body: '' }]) },
    'access_denied',
  ],
] as const)('%s is refused', async (_, parameters, error) => {
  expectRefused(await askAtBackchannel(world, parameters), 400, error)
})

test('whoever is not the agent is refused', async () => {
  expectRefused(await askAtBackchannel(world, {}, { proofs: [] }), 400, 'invalid_dpop_proof')
  expectRefused(await askAtBackchannel(world, { client_assertion: 'x' }), 401, 'invalid_client')
  const { agent } = await askingWorld(server)
  expectRefused(await askAtBackchannel({ ...world, agent }), 400, 'invalid_grant')
  expectRefused(await askAtBackchannel({ ...world, agent: world.resource }), 400, 'invalid_grant')
})
