import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { adminApi, clientToken, introspect } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { expectRefused, issued } from '../oauth/answers.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterEach(() => world.api.call('DELETE', '/admin/stop', {}))
afterAll(() => server.close())

const stop = (reason = 'test') => world.api.call('POST', '/admin/stop', { reason })

describe('the stop', () => {
  test('ends every exchange and every token, and its end lets them go on', async () => {
    const token = await issued(world.exchange())
    const answer = await stop('unknown calls')
    expect([answer.status, answer.body]).toEqual([
      200,
      { stopped: true, since: expect.any(Number), by: 'admin', reason: 'unknown calls' },
    ])
    expect((await introspect(server.issuer, world.resource, token)).body).toStrictEqual({ active: false })
    const refused = await world.exchange()
    expectRefused(refused, 400, 'access_denied')
    expect(refused.body.error_description).toMatch(/stopped/)
    expectRefused(await world.exchange({ form: { turn: 't' } }), 400, 'access_denied')
    const consumed = await introspect(server.issuer, world.resource, token, { form: { consume: 'true' } })
    expect(consumed.body).toStrictEqual({ active: false })

    expect((await world.api.call('DELETE', '/admin/stop', {})).body).toEqual({ stopped: false })
    expect((await introspect(server.issuer, world.resource, token)).body.active).toBe(true)
    await issued(world.exchange())
  })

  test('leaves administrators alone, and gives agents no token of their own either', async () => {
    await stop()
    const denied = await clientToken(server.issuer, world.agent)
    expect([denied.status, denied.body.error]).toEqual([400, 'access_denied'])
    const api = await adminApi(server.issuer, server.admin)
    expect((await api.call('GET', '/admin/stop')).body.stopped).toBe(true)
  })

  test('of what is stopped changes nothing: the first one stands', async () => {
    const first = await stop('the first')
    const second = await stop('the second')
    expect(second.body).toEqual(first.body)
    const { body } = await world.api.call('GET', '/admin/records?decision=done&limit=5')
    const stops = body.items.filter(({ because }: { because: { operation?: string } }) => because?.operation === 'stop')
    expect(stops[0]).toMatchObject({ client: 'admin', because: { reason: 'the first' } })
    expect(stops[1]?.because?.reason).not.toBe('the second')
  })

  test('is shown to who may read, and done by who may write', async () => {
    const reader = await adminApi(server.issuer, server.admin, 'admin:read')
    expect((await reader.call('GET', '/admin/stop')).body).toEqual({ stopped: false })
    expect((await reader.call('POST', '/admin/stop', {})).status).toBe(403)
    expect((await reader.call('DELETE', '/admin/stop', {})).status).toBe(403)
    expect((await world.api.call('POST', '/admin/stop', { for_how_long: 5 })).status).toBe(422)
  })
})
