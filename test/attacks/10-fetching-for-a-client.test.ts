import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newClient } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

let server: TestServer
let world: World
/** Inside of the network, where a server can go and a client cannot. */
let inside: Server
let fetches = 0
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
  inside = createServer((_request, response) => {
    fetches++
    response.end('{"keys":[]}')
  })
  await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  inside.close()
  await server.close()
})

test('this version fetches nothing for anybody: whatever names a URL to fetch is refused', async () => {
  const url = `http://127.0.0.1:${(inside.address() as AddressInfo).port}/`
  const { jwk } = newClient('x').key
  for (const [path, body] of [
    ['/admin/agents', { id: 'x', name: 'x', keys: [], jwks_uri: url }],
    ['/admin/agents', { id: 'x', name: 'x', keys: [{ jwk: { ...jwk, x5u: url }, jku: url }] }],
    ['/admin/agents', { id: url, name: 'x', keys: [] }],
    ['/admin/agents', { id: 'x', name: 'x', keys: [], logo_uri: url, redirect_uris: [url] }],
    ['/admin/resources', { id: 'x', identifier: 'https://x.example', name: 'x', keys: [], jwks_uri: url }],
    ['/admin/action-types', { type: 'x', title: 'x', schema: { $ref: url }, template: 'x', risk: 'read' }],
    [
      '/admin/action-types',
      { type: 'x', title: 'x', schema: { $schema: url, type: 'object' }, template: 'x', risk: 'read' },
    ],
  ] as const) {
    const answer = await world.api.call('POST', path, body)
    expect([path, answer.status], answer.text).toEqual([path, 422])
  }
  // A key that names a URL beside itself is taken without it.
  const answer = await world.api.call('POST', `/admin/agents/${world.agent.id}/keys`, { jwk: { ...jwk, x5u: url } })
  expect(answer.text).not.toContain(url)
  expect((await world.exchange({ form: { client_id: url } })).status).toBe(401)
  expect(fetches).toBe(0)
})
