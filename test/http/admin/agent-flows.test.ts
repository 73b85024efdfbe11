import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminServer, startAdminServer } from './admin-server.ts'

let server: AdminServer
beforeAll(async () => {
  server = await startAdminServer()
})
afterAll(() => server.close())

const post = (body: object) => server.call('/admin/agents', { method: 'POST', body })
const patch = (id: string, body: object) =>
  server.call(`/admin/agents/${id}`, { method: 'PATCH', body, headers: [['If-Match', '*']] })
const uris = (count: number) => Array.from({ length: count }, (_, n) => `https://client.example/cb${n}`)
const CODE = { grant_types: ['authorization_code'] }

describe('how an agent may ask principals', () => {
  test('is registered, shown, changed and removed', async () => {
    const flows = {
      ...{ redirect_uris: uris(10), grant_types: ['authorization_code', 'device_code', 'ciba'] },
      ...{ backchannel_token_delivery_mode: 'ping' },
      backchannel_client_notification_endpoint: 'https://client.example/ping',
    }
    const made = await post({ id: 'asking', ...flows })
    expect(made.status, made.text).toBe(201)
    expect(made.body).toMatchObject(flows)
    expect((await server.call('/admin/agents/asking')).body).toMatchObject(flows)
    const changed = await patch('asking', {
      redirect_uris: ['com.example.app:/cb'],
      grant_types: ['authorization_code'],
    })
    expect(changed.body).toMatchObject({ ...CODE, redirect_uris: ['com.example.app:/cb'] })
    const none = Object.fromEntries(Object.keys(flows).map((name) => [name, null]))
    const { body } = await patch('asking', none)
    for (const name of Object.keys(flows)) expect(body).not.toHaveProperty(name)
    // What has nothing to do with it stays as it is.
    expect((await patch('asking', { name: 'Asking' })).body).toMatchObject({ name: 'Asking' })
  })

  test.each([
    ['eleven URIs', { ...CODE, redirect_uris: uris(11) }, 'redirect_uris'],
    ['one URI twice', { ...CODE, redirect_uris: ['https://a.example/', 'https://a.example/'] }, 'redirect_uris'],
    ['a URI with a fragment', { ...CODE, redirect_uris: ['https://a.example/#x'] }, 'redirect_uris[0]'],
    ['http elsewhere', { ...CODE, redirect_uris: ['http://a.example/'] }, 'redirect_uris[0]'],
    ['codes that go nowhere', CODE, 'redirect_uris'],
    ['URIs of nothing', { redirect_uris: uris(1) }, 'redirect_uris'],
    ['a grant that is none', { grant_types: ['implicit'] }, 'grant_types[0]'],
    ['refresh tokens', { grant_types: ['refresh_token'] }, 'grant_types[0]'],
    ['a grant twice', { grant_types: ['ciba', 'ciba'] }, 'grant_types'],
    ['another mode', { backchannel_token_delivery_mode: 'push' }, 'backchannel_token_delivery_mode'],
    ['pings to nowhere', { backchannel_token_delivery_mode: 'ping' }, 'backchannel_client_notification_endpoint'],
    [
      'an address without pings',
      { backchannel_client_notification_endpoint: 'https://a.example/' },
      'backchannel_client_notification_endpoint',
    ],
  ])('%s -> 422', async (_, members, member) => {
    const { status, body } = await post({ id: 'refused', ...members })
    expect([status, body.errors?.[0]?.member]).toEqual([422, member])
  })

  test.each([
    'http://client.example/ping',
    'https://127.0.0.1/ping',
    'https://[::1]/ping',
    'https://[::ffff:127.0.0.1]/ping',
    'https://10.0.0.1/ping',
    'https://169.254.169.254/latest',
    'https://2130706433/ping',
    'https://0177.0.0.1/ping',
    'https://0x7f.1/ping',
    'https://localhost/ping',
    'https://client.example:22/ping',
    'https://user@client.example/ping',
    'https://client.example/ping#x',
    'ftp://client.example/ping',
    'client.example',
  ])('pings to %s -> 422', async (endpoint) => {
    const ping = { backchannel_token_delivery_mode: 'ping', backchannel_client_notification_endpoint: endpoint }
    const { status, body } = await post({ id: 'refused', grant_types: ['ciba'], ...ping })
    expect([status, body.errors?.[0]?.member]).toEqual([422, 'backchannel_client_notification_endpoint'])
  })
})
