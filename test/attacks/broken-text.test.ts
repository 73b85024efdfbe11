import { afterAll, beforeAll, expect, test } from 'vitest'
import { exchangeRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

// A name that is cut for the record between the halves of a surrogate pair is no text any more, and a database refuses it.
test.each([197, 198, 199, 200, 398, 399, 400])(
  'a member whose name has a surrogate pair at %i is refused on record, and its proof is used up',
  async (at) => {
    const action = { ...world.action, [`${'a'.repeat(at)}😀`]: 1 }
    const { url, ...request } = exchangeRequest(server.issuer, world.agent, { ...world.wish, action })
    const first = await send(url, request)
    expect([first.status, first.body.error]).toEqual([400, 'invalid_authorization_details'])
    const again = await send(url, request)
    expect([again.status, again.body.error]).toEqual([401, 'invalid_client'])
  },
)

test.each(['delegation=%00', 'resource=%00', 'resource=a%00b', 'agent=%F0%9F%98%80', 'after=-1', 'before=1e400'])(
  'GET /admin/records?%s -> 400',
  async (query) => {
    expect((await world.api.call('GET', `/admin/records?${query}`)).status).toBe(400)
  },
)

test('a token of a client can be withdrawn by its jti, and is worth nothing at once', async () => {
  const jti = JSON.parse(Buffer.from(world.api.token.split('.')[1] ?? '', 'base64url').toString()).jti
  expect((await world.api.call('POST', `/admin/tokens/${jti}/revoke`, {})).status).toBe(200)
  expect((await world.api.call('GET', '/admin/agents')).status).toBe(401)
})
