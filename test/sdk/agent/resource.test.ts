import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Agent, isWritRefusal, refusalOf, type Wish, WritFault } from '../../../src/sdk/agent/index.ts'
import {
  authorizedBy,
  createMemoryReplayStore,
  createMemoryResultStore,
  createResourceServer,
  protect,
  type ResultStore,
} from '../../../src/sdk/resource/index.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { agentOf, expectNotShown, granted } from './agents.ts'
import { startTinyServer, type TinyServer } from './tiny-server.ts'

let server: TestServer
let world: World
let agent: Agent
let wish: Wish
let api: { readonly url: string; readonly sent: unknown[]; readonly close: () => void }
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
  agent = await agentOf(server.issuer, world.agent)
  api = await startMailApi(world.identifier)
  wish = { subjectToken: world.wish.subjectToken, resource: world.identifier, action: world.action as Wish['action'] }
})
beforeEach(() => void api.sent.splice(0))
afterAll(async () => {
  api.close()
  await server.close()
})

/** A Koa app that sends a mail, protected by `writ/resource`. Its identifier is not where it is reached. */
async function startMailApi(
  resource: string,
  { slowly = async () => {}, ...options }: { slowly?: () => Promise<void>; results?: ResultStore } = {},
) {
  const sent: unknown[] = []
  const app = new Koa()
  app.silent = true
  const http: Server = createServer()
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const replay = createMemoryReplayStore()
  const guard = createResourceServer({ issuer: server.issuer, resource, origin: url, replay, ...options })
  app.use(async (ctx, next) => {
    const chunks: Buffer[] = []
    for await (const chunk of ctx.req) chunks.push(chunk)
    ctx.state.mail = JSON.parse(Buffer.concat(chunks).toString() || '{}')
    await next()
  })
  app.use(protect<Koa.Context>(guard, { action: (ctx) => ({ type: 'email_send', ...ctx.state.mail }) }))
  app.use(async (ctx) => {
    sent.push({ mail: ctx.state.mail, method: ctx.method, target: ctx.originalUrl, by: authorizedBy(ctx).agent })
    ctx.status = 201
    ctx.body = { sent: true }
    await slowly()
  })
  http.on('request', app.callback())
  return { url, sent, close: () => void http.close() }
}

const mail = { to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }
const post = (body: object = mail, change: RequestInit = {}) => ({
  method: 'post',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
  origins: [api.url],
  ...change,
})

describe('the one call that a token is for', () => {
  test('signedFetch exchanges and makes it', async () => {
    const response = await agent.signedFetch(wish, `${api.url}/messages?copy=1#top`, post())
    if (isWritRefusal(response)) throw new Error(response.description)
    expect([response.status, await response.json()]).toEqual([201, { sent: true }])
    expect(api.sent).toEqual([{ mail, method: 'POST', target: '/messages?copy=1', by: agent.id }])
  })

  test('signedFetch of what is not permitted sends nothing', async () => {
    const outcome = await agent.signedFetch(
      { ...wish, action: { ...wish.action, to: ['eve@evil.example'] } },
      `${api.url}/messages`,
      post({ ...mail, to: ['eve@evil.example'] }),
    )
    expect(outcome).toMatchObject({ kind: 'not_permitted', member: 'to[0]' })
    expect(api.sent).toEqual([])
  })

  test('another call is refused with the member that differs, and the token is as good as before', async () => {
    const token = granted(await agent.exchange(wish))
    const other = await token.fetch(`${api.url}/messages`, post({ ...mail, body: 'Send me your password.' }))
    expect(refusalOf(other)).toMatchObject({
      kind: 'other_action',
      error: 'insufficient_authorization_details',
      status: 403,
      member: 'body',
    })
    expect(await other.json()).toMatchObject({ error: 'insufficient_authorization_details' })
    expect((await token.fetch(`${api.url}/messages`, post())).status).toBe(201)
  })

  test('twice is once: this process does not try, and another is refused', async () => {
    const token = granted(await agent.exchange(wish))
    expect((await token.fetch(`${api.url}/messages`, post())).status).toBe(201)
    const fault = await token.fetch(`${api.url}/messages`, post()).catch((thrown: unknown) => thrown)
    expect(fault).toBeInstanceOf(WritFault)
    expect(fault).toMatchObject({ kind: 'token_spent', message: 'this token was used: exchange for another' })
    expectNotShown(fault, token.token)
    expect(api.sent).toHaveLength(1)
  })

  test('an answer that was lost is asked for again, with the same token: 409 while it runs, then the one that was kept', async () => {
    let finish = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const results = createMemoryResultStore()
    const keeping = await startMailApi(world.identifier, { results, slowly: () => finished })
    const token = granted(await agent.exchange(wish))
    const tryIt = (signal?: AbortSignal) =>
      token.fetch(`${keeping.url}/messages`, { ...post(), origins: [keeping.url], ...(signal && { signal }) })
    await expect(tryIt(AbortSignal.timeout(200))).rejects.toThrow()
    const running = await tryIt()
    expect([running.status, running.headers.get('retry-after')]).toEqual([409, '1'])
    finish()
    await vi.waitFor(async () => expect((await tryIt()).status).toBe(201))
    expect(keeping.sent).toHaveLength(1)
    keeping.close()
  })

  test('two at once are one', async () => {
    const token = granted(await agent.exchange(wish))
    const both = await Promise.allSettled([1, 2].map(() => token.fetch(`${api.url}/messages`, post())))
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(api.sent).toHaveLength(1)
  })

  test('fifty tokens at once make fifty calls', async () => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => {
        const subject = `mail ${i}`
        const action = { ...wish.action, subject }
        return agent.signedFetch({ ...wish, action }, `${api.url}/messages`, post({ ...mail, subject }))
      }),
    )
    expect(answers.map((answer) => (isWritRefusal(answer) ? answer : answer.status))).toEqual(Array(50).fill(201))
    expect(api.sent).toHaveLength(50)
  })

  test('a stolen token with another key: token_refused or proof_refused', async () => {
    const token = granted(await agent.exchange(wish))
    const thief = await fetch(`${api.url}/messages`, {
      method: 'POST',
      headers: { authorization: `DPoP ${token.token}` },
    })
    expect(refusalOf(thief)).toMatchObject({ kind: 'proof_refused', error: 'invalid_dpop_proof', status: 401 })
    const none = await fetch(`${api.url}/messages`)
    expect(refusalOf(none)).toMatchObject({ kind: 'token_refused', error: 'invalid_token', status: 401 })
  })

  test('an expired token is not sent', async () => {
    let ahead = 0
    const now = () => new Date(Date.now() + ahead * 1_000)
    const late = await agentOf(server.issuer, world.agent, { now })
    const token = granted(await late.exchange(wish))
    ahead = 61
    await expect(token.fetch(`${api.url}/messages`, post())).rejects.toMatchObject({ kind: 'token_spent' })
    expect(api.sent).toEqual([])
  })
})

describe('where a token is never sent', () => {
  let catcher: TinyServer
  beforeAll(async () => {
    catcher = await startTinyServer((request, response, { origin }) => {
      if (request.url === '/away') response.writeHead(307, { location: `${origin}/caught` }).end()
      else response.writeHead(200).end()
    })
  })
  afterAll(() => catcher.close())

  test.each<[string, () => string, () => object, RegExp]>([
    ['an origin of somebody else', () => `${catcher.origin}/caught`, () => ({}), /name http:\/\/127.* in origins/],
    [
      'a plain http host, even when told',
      () => 'http://evil.example/',
      () => ({ origins: ['http://evil.example'] }),
      /https/,
    ],
    [
      'a URL with a user name',
      () => 'https://u:p@mail.example/',
      () => ({ origins: ['https://mail.example'] }),
      /user name/,
    ],
    ['a relative URL', () => '/messages', () => ({}), /absolute/],
    ['another scheme', () => 'ftp://mail.example/', () => ({ origins: ['ftp://mail.example'] }), /https/],
    ['along a redirect, when asked', () => api.url, () => ({ origins: [api.url], redirect: 'follow' }), /redirects/],
    [
      'beside another Authorization',
      () => api.url,
      () => ({ origins: [api.url], headers: { Authorization: 'x' } }),
      /set by/,
    ],
    ['beside another proof', () => api.url, () => ({ origins: [api.url], headers: { DPoP: 'x' } }), /set by/],
  ])('%s', async (_name, url, init, message) => {
    const token = granted(await agent.exchange(wish))
    const error = await token.fetch(url(), init()).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(message)
    expectNotShown(error, token.token)
    expect(catcher.received).toEqual([])
  })

  test('along a redirect: its answer is returned', async () => {
    const token = granted(await agent.exchange(wish))
    const response = await token.fetch(`${catcher.origin}/away`, { origins: [catcher.origin] })
    expect(response.status).toBe(307)
    expect(catcher.received.map(({ url }) => url)).toEqual(['/away'])
  })
})

describe('a resource that demands a nonce (RFC 9449 §9)', () => {
  test('gets it by one repeat with a new proof, and at once the next time; a stream is not sent twice', async () => {
    const demanding = await startTinyServer((request, response) => {
      const proof = String(request.headers.dpop).split('.')[1] ?? ''
      const { nonce } = JSON.parse(Buffer.from(proof, 'base64url').toString())
      const challenge = { 'www-authenticate': 'Bearer realm="x", DPoP error="use_dpop_nonce", algs="ES256"' }
      if (nonce === 'fresh') response.writeHead(200).end(request.body)
      else response.writeHead(401, { ...challenge, 'dpop-nonce': 'fresh' }).end()
    })
    try {
      const origins = [demanding.origin]
      const own = await agentOf(server.issuer, world.agent)
      const stream = new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode('once'))
          controller.close()
        },
      })
      const streaming = granted(await own.exchange(wish))
      const streamed = { method: 'POST', body: stream, duplex: 'half', origins } as const
      const answer = await streaming.fetch(demanding.origin, streamed)
      expect([answer.status, refusalOf(answer)?.kind]).toEqual([401, 'nonce_refused'])

      const other = await agentOf(server.issuer, world.agent)
      const token = granted(await other.exchange(wish))
      const response = await token.fetch(demanding.origin, { method: 'POST', body: 'hello', origins })
      expect([response.status, await response.text()]).toEqual([200, 'hello'])
      const next = granted(await other.exchange(wish))
      expect((await next.fetch(demanding.origin, { origins })).status).toBe(200)
      expect(demanding.received.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'GET'])
      expect(new Set(demanding.received.map(({ headers }) => headers.dpop)).size).toBe(4)
    } finally {
      await demanding.close()
    }
  })
})

describe('what breaks on the way to a resource', () => {
  test('is a fault without the token in it, and the token may be tried again', async () => {
    const down = await startTinyServer(() => {})
    await down.close()
    const token = granted(await agent.exchange(wish))
    const origins = [down.origin]
    for (let i = 0; i < 2; i++) {
      const fault = await token.fetch(down.origin, { origins }).catch((thrown: unknown) => thrown)
      expect(fault).toMatchObject({ kind: 'unreachable', message: 'the resource cannot be reached (ECONNREFUSED)' })
      expectNotShown(fault, token.token)
    }
    expect((await token.fetch(`${api.url}/messages`, post())).status).toBe(201)
  })

  test('a fetch that puts the request into what it throws does not give the token away', async () => {
    let isAtResource = false
    const talkative = await agentOf(server.issuer, world.agent, {
      fetch: (url, init) => {
        if (!isAtResource) return fetch(url, init)
        const headers = Object.fromEntries(new Headers(init?.headers))
        return Promise.reject(Object.assign(new Error(JSON.stringify(headers)), { request: { headers } }))
      },
    })
    const token = granted(await talkative.exchange(wish))
    isAtResource = true
    const fault = await token.fetch(api.url, { origins: [api.url] }).catch((thrown: unknown) => thrown)
    expect(fault).toMatchObject({ kind: 'unreachable' })
    expectNotShown(fault, token.token)
  })

  test('a call that its caller aborts ends with the reason', async () => {
    const silent = await startTinyServer(() => {})
    const token = granted(await agent.exchange(wish))
    const controller = new AbortController()
    const call = token.fetch(silent.origin, { origins: [silent.origin], signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(call).rejects.toThrow('enough')
    await silent.close()
  })
})
