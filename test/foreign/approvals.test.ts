import {
  type BackchannelAuthenticationResponse,
  genericGrantRequest,
  getDPoPHandle,
  pollBackchannelAuthenticationGrant,
  ResponseBodyError,
} from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { answerFor, askingWorld } from '../support/approvals.ts'
import { TOKEN_EXCHANGE } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, type World } from '../support/world.ts'
import { exchangeParameters } from './support/exchange-parameters.ts'
import { keyPair } from './support/key-pair.ts'
import { openidConfiguration } from './support/openid-configuration.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())

/** An exchange that waits, as openid-client tells of it, and its poll. */
async function waits(world: World) {
  const agent = await openidConfiguration(server.issuer, world.agent)
  const dpop = getDPoPHandle(agent, await keyPair(world.agent.key))
  const refused = await genericGrantRequest(agent, TOKEN_EXCHANGE, exchangeParameters(world.wish), { DPoP: dpop }).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(refused instanceof ResponseBodyError)) throw new Error('the exchange did not wait')
  expect([refused.status, refused.error]).toEqual([400, 'authorization_pending'])
  const pending = refused.cause as unknown as BackchannelAuthenticationResponse & { readonly approval_uri: string }
  return {
    id: pending.approval_uri.split('/').at(-1) ?? '',
    poll: () => pollBackchannelAuthenticationGrant(agent, { ...pending, interval: 1 }, {}, { DPoP: dpop }),
  }
}

test('openid-client polls what an exchange was answered with until somebody says yes', async () => {
  const world = await askingWorld(server)
  const { id, poll } = await waits(world)
  const polling = poll()
  // It polls once or twice before, too often even, and goes on.
  setTimeout(() => answerFor(world, id, 'approve'), 2_500)
  const answer = await polling
  expect(answer).toMatchObject({ token_type: 'dpop', expires_in: 60 })
  expect(claimsOf(answer.access_token)).toMatchObject({
    ...{ sub: world.principal, client_id: world.agent.id, cnf: { jkt: world.agent.key.jkt } },
    authorization_details: [{ ...world.action, locations: [world.identifier] }],
  })
  await expect(poll()).rejects.toMatchObject({ status: 400, error: 'invalid_grant' })
}, 60_000)

test('openid-client is told that somebody said no', async () => {
  const world = await askingWorld(server)
  const { id, poll } = await waits(world)
  expect((await answerFor(world, id, 'deny')).status).toBe(200)
  await expect(poll()).rejects.toMatchObject({ status: 400, error: 'access_denied' })
})
