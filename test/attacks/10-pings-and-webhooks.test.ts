import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Config } from '../../src/config.ts'
import { oauthRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

const CIBA = 'urn:openid:params:grant-type:ciba'
const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`

interface Received {
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

const listeners: (Server | TcpServer)[] = []
async function listening<Listener extends Server | TcpServer>(listener: Listener): Promise<number> {
  listeners.push(listener)
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done))
  return (listener.address() as AddressInfo).port
}
afterAll(() => {
  for (const listener of listeners.splice(0)) listener.close()
})

/** An endpoint of somebody's, and what it was sent. */
async function endpoint(status = 204, headers: Record<string, string> = {}) {
  const received: Received[] = []
  const port = await listening(
    createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        received.push({ url: request.url, headers: request.headers, body })
        response.writeHead(status, headers).end()
      })
    }),
  )
  return { url: `http://127.0.0.1:${port}/there`, received }
}

const post = (server: TestServer, world: World, path: string, form: Record<string, string>) => {
  const { url, ...request } = oauthRequest(server.issuer, path, world.agent, form)
  return send(url, request)
}

/** Asks at the backchannel endpoint for a ping. */
const ask = (server: TestServer, world: World) =>
  post(server, world, '/backchannel', {
    ...{ subject_token: world.wish.subjectToken, resource: world.identifier },
    authorization_details: JSON.stringify([world.action]),
    client_notification_token: 'notify-me-please',
  })

const pingAt = async (world: World, url: string) => {
  const { headers } = await world.api.call('GET', `/admin/agents/${world.agent.id}`)
  return world.api.call(
    'PATCH',
    `/admin/agents/${world.agent.id}`,
    { backchannel_token_delivery_mode: 'ping', backchannel_client_notification_endpoint: url },
    [['If-Match', String(headers.etag)]],
  )
}

/** The newest approval of the agent, approved for the board. */
async function approveNewest(world: World, verb = 'approve'): Promise<string> {
  const { items } = (await world.api.call('GET', `/admin/approvals?agent=${world.agent.id}&limit=1`)).body
  const answer = await world.api.call('POST', `/admin/approvals/${items[0].id}/${verb}`, {})
  expect(answer.status, answer.text).toBe(200)
  return items[0].id
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isTrue(); i++) await new Promise((done) => setTimeout(done, 20))
  expect(isTrue()).toBe(true)
}

async function worldOfBoard(server: TestServer): Promise<World> {
  const { api } = await createWorld(server)
  await api.call('POST', '/admin/principals', { id: 'board', kind: 'organization' })
  return createWorld(server, { delegation: { approval: { mode: 'each', approvers: ['board'] } } })
}

describe('in development, where this machine may be asked', () => {
  let server: TestServer
  let hook: Awaited<ReturnType<typeof endpoint>>
  beforeAll(async () => {
    hook = await endpoint()
    server = await startTestServer({
      ...{ allowLoopbackRequests: true, approvalWebhookUrl: hook.url, approvalWebhookSecret: SECRET },
    })
  })
  afterAll(() => server.close())
  afterEach(() => hook.received.splice(0))

  test.each(['approve', 'deny'])('an agent is pinged once somebody answers (%s), and then polls', async (verb) => {
    const world = await worldOfBoard(server)
    const there = await endpoint()
    const changed = await pingAt(world, there.url)
    expect(changed.status, changed.text).toBe(200)
    const { body, text } = await ask(server, world)
    expect(body.auth_req_id, text).toMatch(/^ap_/)
    await approveNewest(world, verb)
    await until(() => there.received.length === 1)
    expect(there.received[0]).toMatchObject({
      url: '/there',
      headers: { authorization: 'Bearer notify-me-please', 'content-type': 'application/json' },
    })
    expect(JSON.parse(there.received[0]?.body ?? '')).toEqual({ auth_req_id: body.auth_req_id })
    const poll = await post(server, world, '/token', { grant_type: CIBA, auth_req_id: body.auth_req_id })
    expect(verb === 'approve' ? poll.body.token_type : poll.body.error).toBe(
      verb === 'approve' ? 'DPoP' : 'access_denied',
    )
  })

  test('an agent that was stopped first, and then asks for a ping, is sent it: before the answer, and after', async () => {
    const world = await worldOfBoard(server)
    const there = await endpoint()
    await pingAt(world, there.url)
    const { auth_req_id } = (await world.exchange()).body
    expect((await ask(server, world)).body.auth_req_id).toBe(auth_req_id)
    await approveNewest(world)
    await until(() => there.received.length === 1)
    expect((await ask(server, world)).body.auth_req_id).toBe(auth_req_id)
    await until(() => there.received.length === 2)
    for (const { body, headers } of there.received) {
      expect([headers.authorization, JSON.parse(body)]).toEqual(['Bearer notify-me-please', { auth_req_id }])
    }
  })

  test('a webhook tells of a new approval, signed', async () => {
    const world = await worldOfBoard(server)
    const { body } = await world.exchange()
    expect(body.error).toBe('authorization_pending')
    await until(() => hook.received.some((one) => one.body.includes(world.agent.id)))
    const told = hook.received.find((one) => one.body.includes(world.agent.id))
    const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signature } = told?.headers ?? {}
    const hmac = createHmac('sha256', Buffer.alloc(32, 9)).update(`${id}.${time}.${told?.body}`).digest('base64')
    expect(signature).toBe(`v1,${hmac}`)
    const message = JSON.parse(told?.body ?? '')
    expect(message).toMatchObject({ type: 'approval.opened', data: { agent: world.agent.id, approvers: ['board'] } })
    expect(message.data.approval_uri).toBe(body.approval_uri)
    // Neither the action nor what the agent polls with.
    expect(told?.body).not.toContain('bob@example.com')
    expect(told?.body).not.toContain(body.auth_req_id)
  })

  test('an endpoint that redirects sends nobody anywhere', async () => {
    const world = await worldOfBoard(server)
    const inside = await endpoint()
    const there = await endpoint(307, { location: inside.url })
    await pingAt(world, there.url)
    await ask(server, world)
    await approveNewest(world)
    await until(() => there.received.length === 1)
    await new Promise((done) => setTimeout(done, 300))
    expect(inside.received).toEqual([])
  })

  test('an endpoint that is silent keeps nobody waiting: not whoever answers, and not the stop of the server', async () => {
    const other = await startTestServer({ allowLoopbackRequests: true })
    const world = await worldOfBoard(other)
    let connections = 0
    const port = await listening(createTcpServer(() => connections++))
    await pingAt(world, `http://127.0.0.1:${port}/`)
    await ask(other, world)
    const before = Date.now()
    await approveNewest(world)
    expect(Date.now() - before).toBeLessThan(5_000)
    await until(() => connections === 1)
    const stopping = Date.now()
    await other.close()
    expect(Date.now() - stopping).toBeLessThan(10_000)
  })
})

describe('otherwise nothing inside is reached', () => {
  let server: TestServer
  let world: World
  let port: number
  let connections = 0
  beforeAll(async () => {
    port = await listening(
      createTcpServer((socket) => {
        connections++
        socket.destroy()
      }),
    )
    // Even where its port may be asked.
    server = await startTestServer({ outboundPorts: [443, port] })
    world = await worldOfBoard(server)
  })
  afterAll(() => server.close())

  test.each([
    ['http', () => 'http://hooks.example/'],
    ['loopback', () => `https://127.0.0.1:${port}/`],
    ['loopback by http', () => `http://127.0.0.1:${port}/`],
    ['a decimal host', () => `https://2130706433:${port}/`],
    ['an octal host', () => `https://0177.0.0.1:${port}/`],
    ['a hexadecimal host', () => `https://0x7f000001:${port}/`],
    ['a short host', () => `https://127.1:${port}/`],
    ['IPv6 loopback', () => `https://[::1]:${port}/`],
    ['IPv4-mapped IPv6', () => `https://[::ffff:127.0.0.1]:${port}/`],
    ['IPv4-compatible IPv6', () => `https://[::7f00:1]:${port}/`],
    ['NAT64', () => `https://[64:ff9b::7f00:1]:${port}/`],
    ['link-local', () => 'https://169.254.169.254/latest/meta-data/'],
    ['IPv6 link-local', () => 'https://[fe80::1]/'],
    ['a private host', () => 'https://10.0.0.1/'],
    ['nothing', () => `https://0.0.0.0:${port}/`],
    ['a name of this machine', () => `https://localhost:${port}/`],
    ['credentials', () => 'https://user:pass@hooks.example/'],
    ['another port', () => 'https://hooks.example:25/'],
    ['another protocol', () => 'ftp://hooks.example/'],
    ['no URL', () => 'hooks.example'],
  ])('as a ping endpoint, %s is refused when it is registered', async (_, url) => {
    const refused = await pingAt(world, url())
    expect(refused.status, refused.text).toBe(422)
    expect(refused.body.errors[0].member).toBe('backchannel_client_notification_endpoint')
  })

  test('a name that resolves inside is taken, and not asked', async () => {
    // What a name stands for is known when it is asked, and may be something else every time.
    const name = `https://localhost.:${port}/`
    const taken = await pingAt(world, name)
    if (taken.status === 200) {
      await ask(server, world)
      await approveNewest(world)
      await new Promise((done) => setTimeout(done, 2_500))
    } else expect(taken.status).toBe(422)
    expect(connections).toBe(0)
  })

  test.each([
    [{ approvalWebhookUrl: 'http://hooks.example/', approvalWebhookSecret: SECRET }],
    [{ approvalWebhookUrl: 'https://user:pass@hooks.example/', approvalWebhookSecret: SECRET }],
    [{ approvalWebhookUrl: 'https://10.0.0.1/', approvalWebhookSecret: SECRET }],
    [{ approvalWebhookUrl: 'https://hooks.example/' }],
    [{ approvalWebhookUrl: 'https://hooks.example/', approvalWebhookSecret: 'secret' }],
    [{ approvalWebhookSecret: SECRET }],
    [{ approvalWebhookUrl: 'http://127.0.0.1:1/', approvalWebhookSecret: SECRET }],
  ])('with %j it does not start', (settings) => {
    expect(Config.safeParse({ dataDirectory: '/tmp/x', ...settings }).success).toBe(false)
  })

  test('nothing was connected to in all of this', () => {
    expect(connections).toBe(0)
  })
})
