import { createHmac, randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { keyEncryption } from '../../src/adapters/keys/key-encryption.ts'
import { guardedFetch } from '../../src/adapters/net/guarded-fetch.ts'
import { type DeliveryParts, startDelivering } from '../../src/adapters/notifications/deliver.ts'
import { pingSealer } from '../../src/adapters/notifications/ping.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { prune } from '../../src/adapters/prisma/prune.ts'
import { openTestDatabase } from '../support/database.ts'
import { type Seed, seed } from './seed.ts'

let database: Database
let story: Seed
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())
beforeEach(async () => {
  await database.query('DELETE FROM notification')
  story = await seed(database.query)
})

interface Received {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let server: Server | undefined
let received: Received[]
/** What the endpoint answers, one after the other; then 204. */
let answers: { readonly status: number; readonly headers?: Record<string, string> }[]

async function endpoint(): Promise<string> {
  received = []
  answers = []
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      received.push({ method: request.method, url: request.url, headers: request.headers, body })
      const { status, headers = {} } = answers.shift() ?? { status: 204 }
      response.writeHead(status, headers).end()
    })
  })
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
}

const running: { readonly stop: () => Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ stop }) => stop()))
  server?.closeAllConnections()
  await new Promise((done) => server?.close(done) ?? done(undefined))
  server = undefined
})

const encryption = keyEncryption(Buffer.alloc(32, 7))
const faults: unknown[] = []

function deliver(parts: Partial<DeliveryParts> = {}): void {
  running.push(
    startDelivering({
      query: database.query,
      fetch: guardedFetch({ allowLoopback: true, timeoutSeconds: 30 }),
      ...{ encryption, issuer: 'https://as.example', webhook: undefined },
      onFault: (error) => faults.push(error),
      ...{ pollMilliseconds: 10, firstWaitSeconds: 0.05 },
      ...parts,
    }),
  )
}

const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`

/** A pending approval of the story, as the commit writes it. */
async function open(members: object = {}, id = `apr_${randomUUID()}`): Promise<string> {
  const approval = {
    ...{ id, auth_req_id: `ap_${id}`, delegation_id: story.delegation, principal_id: story.principal },
    ...{ agent_id: story.agent, jkt: story.key.jkt, resource: story.resource.identifier },
    ...{ action: '{}', action_digest: 'x', action_type: story.type, action_type_version: 1, state: 'pending' },
    ...{ needs: [{ approvers: [story.principal], threshold: 1 }], approvers: [story.principal], threshold: 1 },
    ...{ created_at: new Date(), expires_at: new Date(Date.now() + 60_000), interval_seconds: 5 },
    ...members,
  }
  await database.query('INSERT INTO approval SELECT * FROM jsonb_populate_record(NULL::approval, $1::jsonb)', [
    JSON.stringify(approval),
  ])
  return id
}

const withPing = (id: string) =>
  `\\x${Buffer.from(pingSealer(encryption).sealPing(`ap_${id}`, 'notify-me')).toString('hex')}`

async function pinging(url: string, mode = 'ping'): Promise<void> {
  await database.query(
    `UPDATE agent SET backchannel_token_delivery_mode = $2, backchannel_client_notification_endpoint = $3 WHERE id = $1`,
    [story.agent, mode, url],
  )
}

const decide = (id: string, state: string) =>
  database.query('UPDATE approval SET state = $2::approval_state WHERE id = $1', [id, state])

interface Row {
  readonly id: string
  readonly kind: string
  readonly attempts: number
  readonly delivered: boolean
  readonly sealed: Uint8Array | null
  readonly failure: string | null
  readonly over: boolean
}
const rows = (kind: string) =>
  database.query<Row>(
    `SELECT id, kind, attempts, delivered_at IS NOT NULL AS delivered, sealed, failure, expires_at <= now() AS over
     FROM notification WHERE kind = $1`,
    [kind],
  )

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000
  while (Date.now() < end && !(await isTrue())) await new Promise((done) => setTimeout(done, 10))
  expect(await isTrue()).toBe(true)
}
const quiet = () => new Promise((done) => setTimeout(done, 150))

/** An approval of an agent that is to be pinged. */
async function pingable(): Promise<string> {
  const id = `apr_${randomUUID()}`
  return open({ notification_token: withPing(id) }, id)
}

describe('a ping (CIBA Core §10.2)', () => {
  test.each(['approved', 'denied', 'void'])('is sent once it is %s, with the token, and forgotten', async (state) => {
    await pinging(await endpoint())
    const id = await pingable()
    deliver({ firstWaitSeconds: 60 })
    await quiet()
    expect(received).toEqual([])
    await decide(id, state)
    await until(async () => (await rows('ping'))[0]?.delivered === true)
    expect(received).toHaveLength(1)
    expect(received[0]).toMatchObject({ method: 'POST', url: '/hook', body: `{"auth_req_id":"ap_${id}"}` })
    expect(received[0]?.headers).toMatchObject({
      authorization: 'Bearer notify-me',
      'content-type': 'application/json',
    })
    expect((await rows('ping'))[0]).toMatchObject({ attempts: 1, sealed: null, failure: null })
    await quiet()
    expect(received).toHaveLength(1)
    expect(faults).toEqual([])
  })

  test('is written in the transaction that decides, and not where that is rolled back', async () => {
    await pinging(await endpoint())
    const id = await pingable()
    await database.session(async (session) => {
      await session.execScript('BEGIN')
      await session.query(`UPDATE approval SET state = 'approved' WHERE id = $1`, [id])
      await session.execScript('ROLLBACK')
    })
    expect(await rows('ping')).toEqual([])
  })

  test.each<[string, (url: string) => Promise<unknown>]>([
    ['an agent that polls', (url) => pinging(url, 'poll')],
    ['an agent without an endpoint', () => Promise.resolve()],
    [
      'an agent that is suspended',
      async (url) => {
        await pinging(url)
        await database.query(`UPDATE agent SET status = 'suspended' WHERE id = $1`, [story.agent])
      },
    ],
  ])('is not written for %s', async (_, prepare) => {
    await prepare(await endpoint())
    await decide(await pingable(), 'approved')
    expect(await rows('ping')).toEqual([])
  })

  test('is not written for a request that asked for none, nor twice', async () => {
    await pinging(await endpoint())
    await decide(await open(), 'approved')
    expect(await rows('ping')).toEqual([])
    const id = await pingable()
    await decide(id, 'approved')
    await decide(id, 'redeemed')
    expect(await rows('ping')).toHaveLength(1)
  })

  test('is tried again, later each time, until it is received', async () => {
    await pinging(await endpoint())
    answers = [{ status: 500 }, { status: 404 }, { status: 302, headers: { location: 'http://127.0.0.1:1/' } }]
    const id = await pingable()
    await decide(id, 'approved')
    deliver({ firstWaitSeconds: 0.5 })
    await until(async () => (await rows('ping'))[0]?.delivered === true)
    expect(received).toHaveLength(4)
    expect((await rows('ping'))[0]).toMatchObject({ attempts: 4, failure: null })
  })

  test('says why it failed, and nothing of what it holds', async () => {
    await pinging(await endpoint())
    answers = [{ status: 503 }]
    await decide(await pingable(), 'approved')
    deliver({ firstWaitSeconds: 60 })
    await until(async () => (await rows('ping'))[0]?.failure !== null)
    expect((await rows('ping'))[0]).toMatchObject({ attempts: 1, delivered: false, failure: 'answered 503' })
    await quiet()
    expect(received).toHaveLength(1)
  })

  test('is given up when the approval expires', async () => {
    await pinging(await endpoint())
    const id = await pingable()
    await decide(id, 'approved')
    await database.query(`UPDATE notification SET expires_at = now() - interval '1 second'`)
    deliver()
    await quiet()
    expect(received).toEqual([])
  })

  test('holds its token sealed', async () => {
    await pinging(await endpoint())
    await decide(await pingable(), 'approved')
    const [row] = await rows('ping')
    expect(Buffer.from(row?.sealed ?? []).toString('latin1')).not.toContain('notify-me')
  })

  test('does not keep others waiting: a slow endpoint, a token that cannot be opened', async () => {
    const url = await endpoint()
    const silent = createServer(() => {})
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    await pinging(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/`)
    await decide(await pingable(), 'approved')
    await decide(await open({ notification_token: '\\x01020304' }), 'approved')
    await pinging(url)
    await decide(await pingable(), 'approved')
    deliver({ firstWaitSeconds: 60 })
    await until(() => received.length === 1)
    expect(faults.splice(0).length).toBeGreaterThan(0)
    silent.closeAllConnections()
    await new Promise((done) => silent.close(done))
  })

  test('does not keep others waiting: as many to one slow endpoint as there may be', async () => {
    const url = await endpoint()
    let connections = 0
    const silent = createServer(() => {}).on('connection', () => connections++)
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    await pinging(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/`)
    for (let i = 0; i < 12; i++) await decide(await pingable(), 'approved')
    await pinging(url)
    await decide(await pingable(), 'approved')
    deliver({ firstWaitSeconds: 60, webhook: { url: `${url}hook`, secret: SECRET } })
    await until(() => received.length === 14)
    expect(connections).toBe(2)
    silent.closeAllConnections()
    await new Promise((done) => silent.close(done))
  })

  test('does not keep others waiting: as many slow endpoints as fill every place', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    for (let agents = 0; agents < 4; agents++) {
      story = await seed(database.query)
      await pinging(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/${agents}`)
      for (let i = 0; i < 8; i++) await decide(await pingable(), 'approved')
    }
    story = await seed(database.query)
    await pinging(await endpoint())
    await decide(await pingable(), 'approved')
    deliver({ firstWaitSeconds: 60 })
    await until(() => received.length === 1)
    silent.closeAllConnections()
    await new Promise((done) => silent.close(done))
  })

  test('whose token was replaced while it was sent is sent again, with the new one', async () => {
    const id = `apr_${randomUUID()}`
    const newer = Buffer.from(pingSealer(encryption).sealPing(`ap_${id}`, 'the newer one'))
    const tokens: (string | undefined)[] = []
    server = createServer(async (request, response) => {
      tokens.push(request.headers.authorization)
      if (tokens.length === 1) await database.query('UPDATE notification SET sealed = $1', [newer])
      response.writeHead(204).end()
    })
    await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done))
    await pinging(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await decide(await open({ notification_token: withPing(id) }, id), 'approved')
    deliver()
    await until(async () => (await rows('ping'))[0]?.delivered === true)
    expect(tokens).toEqual(['Bearer notify-me', 'Bearer the newer one'])
  })

  test('is sent by one of two processes', async () => {
    await pinging(await endpoint())
    for (let i = 0; i < 6; i++) await decide(await pingable(), 'approved')
    deliver({ firstWaitSeconds: 60 })
    deliver({ firstWaitSeconds: 60 })
    await until(async () => (await rows('ping')).every(({ delivered }) => delivered))
    await quiet()
    expect(received).toHaveLength(6)
  })

  test('that was under way when the server stopped is sent by the next one', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
    await pinging(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/`)
    const asked = new Promise((done) => silent.once('request', done))
    await decide(await pingable(), 'approved')
    deliver({ firstWaitSeconds: 0.2, fetch: guardedFetch({ allowLoopback: true, timeoutSeconds: 30 }) })
    await asked
    const before = Date.now()
    await running.pop()?.stop()
    expect(Date.now() - before).toBeLessThan(10_000)
    expect((await rows('ping'))[0]).toMatchObject({ delivered: false, failure: null })
    silent.closeAllConnections()
    await new Promise((done) => silent.close(done))
    await database.query('UPDATE notification SET url = $1', [await endpoint()])
    deliver()
    await until(() => received.length === 1)
  })

  test.each([
    'http://127.0.0.1:1/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://169.254.169.254/latest/meta-data/',
    'https://2130706433/',
    'https://0177.0.0.1/',
    'https://10.0.0.1/',
    'https://inside.example/',
    'https://user:pass@hooks.example/',
    'https://hooks.example:25/',
    'gopher://hooks.example/',
  ])('to %s is given up at once, and nobody is connected to', async (url) => {
    await pinging(url)
    await decide(await pingable(), 'approved')
    deliver({ fetch: guardedFetch({ allowLoopback: false, resolve: async () => ['10.1.1.1'], timeoutSeconds: 1 }) })
    await until(async () => (await rows('ping'))[0]?.over === true)
    expect((await rows('ping'))[0]).toMatchObject({ attempts: 1, delivered: false })
    expect((await rows('ping'))[0]?.failure).toMatch(/^not asked: /)
  })
})

describe('a webhook', () => {
  test('tells of a new approval, signed, and of nothing that it asks', async () => {
    const url = await endpoint()
    const id = await open()
    deliver({ webhook: { url, secret: SECRET } })
    await until(async () => (await rows('webhook'))[0]?.delivered === true)
    const [hook] = received
    const { 'webhook-id': messageId, 'webhook-timestamp': time, 'webhook-signature': signature } = hook?.headers ?? {}
    const signed = createHmac('sha256', Buffer.alloc(32, 3))
      .update(`${messageId}.${time}.${hook?.body}`)
      .digest('base64')
    expect(signature).toBe(`v1,${signed}`)
    expect(Math.abs(Number(time) - Date.now() / 1_000)).toBeLessThan(5)
    expect(messageId).toBe((await rows('webhook'))[0]?.id)
    expect(JSON.parse(hook?.body ?? '')).toEqual({
      type: 'approval.opened',
      timestamp: expect.any(String),
      data: {
        ...{
          id,
          approval_uri: `https://as.example/me/approvals/${id}`,
          principal: story.principal,
          agent: story.agent,
        },
        ...{ approvers: [story.principal], action_type: story.type, resource: story.resource.identifier },
        ...{ created_at: expect.any(Number), expires_at: expect.any(Number) },
      },
    })
  })

  test('keeps its id when it is sent again, and signs the time anew', async () => {
    const url = await endpoint()
    answers = [{ status: 500 }]
    await open()
    deliver({ webhook: { url, secret: SECRET }, firstWaitSeconds: 1.1 })
    await until(() => received.length === 2)
    const [first, second] = received.map(({ headers }) => headers)
    expect(second?.['webhook-id']).toBe(first?.['webhook-id'])
    expect(second?.['webhook-signature']).not.toBe(first?.['webhook-signature'])
  })

  test('is not sent of what was asked before a restore', async () => {
    const url = await endpoint()
    await open({ created_at: new Date(Date.now() - 5_000) })
    await database.query(`UPDATE generation SET restored_at = now() - interval '1 second'`)
    deliver({ webhook: { url, secret: SECRET } })
    await quiet()
    await open()
    await until(() => received.length === 1)
    await database.query('UPDATE generation SET restored_at = NULL')
    expect((await rows('webhook')).filter(({ attempts }) => attempts === 0)).toHaveLength(1)
  })

  test('is not sent where none is configured', async () => {
    await endpoint()
    await open()
    deliver()
    await quiet()
    expect(received).toEqual([])
    expect((await rows('webhook'))[0]).toMatchObject({ attempts: 0, delivered: false })
  })
})

test('notifications are pruned an hour after their time', async () => {
  await open()
  await open({ expires_at: new Date(Date.now() - 7_200_000) })
  await prune(database.query)
  expect(await rows('webhook')).toHaveLength(1)
})
