import { PassThrough } from 'node:stream'
import type Koa from 'koa'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createMemoryReplayStore,
  createMemoryResultStore,
  createResourceServer,
  executeInTransaction,
  executeOnce,
  isRefusal,
  protect,
  type ResourceServerOptions,
  type ResultStore,
  StoreUnavailableError,
  type TransactionalResultStore,
  transactionOf,
} from '../../../src/sdk/resource/index.ts'
import { makeKey, proof } from '../../wire/signing.ts'
import { startIssuer, type TestIssuer } from './issuer.ts'
import { type Answer, call, credentials, EMAIL, EXTERNAL, startResource, type TestResource } from './koa-app.ts'
import { deferred } from './result-store-contract.ts'

const BODY = JSON.stringify(EMAIL)
let issuer: TestIssuer
let resource: TestResource
beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(() => issuer.close())
afterEach(() => resource?.close())

type Options = Parameters<typeof startResource>[1]
const start = async (options: Options = {}) => {
  resource = await startResource(issuer, { results: createMemoryResultStore(), ...options })
  return credentials(issuer, resource).token
}
/** One try of a call: the same token, a proof of its own. */
const tryIt = (token: string, { body = BODY, path = '/send', key = resource.agent } = {}): Promise<Answer> => {
  const now = new Date(resource.clock.seconds * 1000)
  const dpop = proof(key, { method: 'POST', htu: EXTERNAL + path, now, accessToken: token })
  return call(resource, { path, body, headers: ['Authorization', `DPoP ${token}`, 'DPoP', dpop] })
}
const said = ({ status, body }: Answer) => `${status} ${String(body.error)}`

describe('a protected route of a server that keeps results', () => {
  test('the retry gets the kept answer, byte for byte, and nothing runs', async () => {
    const token = await start({
      route: async (ctx) => {
        ctx.status = 201
        ctx.set('Location', '/mails/1')
        ctx.set('Set-Cookie', 'session=secret')
        ctx.body = { sent: 'žluťoučký' }
      },
    })
    const first = await tryIt(token)
    const kept = ({ status, headers, body }: Answer) => ({
      status,
      body,
      type: headers['content-type'],
      location: headers.location,
      length: headers['content-length'],
    })
    expect(first).toMatchObject({ status: 201, headers: { location: '/mails/1' }, body: { sent: 'žluťoučký' } })
    expect(first.headers['idempotent-replayed']).toBeUndefined()
    for (let i = 0; i < 3; i++) {
      const retry = await tryIt(token)
      expect(kept(retry)).toEqual(kept(first))
      expect(retry.headers).toMatchObject({ 'idempotent-replayed': 'true' })
      expect(retry.headers['set-cookie']).toBeUndefined()
    }
    expect(resource.executed.count).toBe(1)
  })

  test.each([
    { name: 'text', body: 'plain', type: 'text/plain; charset=utf-8' },
    { name: 'bytes', body: Buffer.from([0, 255, 1]), type: 'application/octet-stream' },
  ])('an answer of $name', async ({ body, type }) => {
    const token = await start({
      route: async (ctx) => {
        ctx.body = body
      },
    })
    const [first, retry] = [await tryIt(token), await tryIt(token)]
    expect(retry).toMatchObject({ status: 200, headers: { 'content-type': type }, body: first.body })
  })

  test('an answer without a body', async () => {
    const token = await start({
      route: async (ctx) => {
        ctx.status = 204
      },
    })
    expect([(await tryIt(token)).status, (await tryIt(token)).status]).toEqual([204, 204])
  })

  test('a refused answer of the route is an answer, too', async () => {
    const token = await start({
      route: async (ctx) => {
        ctx.status = 422
        ctx.body = { error: 'mailbox_full' }
      },
    })
    await tryIt(token)
    expect(said(await tryIt(token))).toBe('422 mailbox_full')
    expect(resource.executed.count).toBe(1)
  })

  test('the proof is for one try: the same bytes again -> 401 invalid_dpop_proof', async () => {
    await start()
    const { headers } = credentials(issuer, resource)
    expect((await call(resource, { body: BODY, headers })).status).toBe(200)
    expect(said(await call(resource, { body: BODY, headers }))).toBe('401 invalid_dpop_proof')
  })

  test('a thief with the token and another key, and another call with the token: nothing', async () => {
    const token = await start()
    expect((await tryIt(token)).status).toBe(200)
    expect(said(await tryIt(token, { key: makeKey('ES256') }))).toBe('401 invalid_dpop_proof')
    const other = JSON.stringify({ ...EMAIL, to: ['eve@evil.example'] })
    expect(said(await tryIt(token, { body: other }))).toBe('403 insufficient_authorization_details')
    expect(resource.executed.count).toBe(1)
  })

  test('two tokens with one "jti" and different actions: the second gets nothing', async () => {
    await start()
    const claims = { jti: 'the-same' }
    const first = credentials(issuer, resource, { claims })
    expect((await call(resource, { body: BODY, headers: first.headers })).status).toBe(200)
    const other = { ...EMAIL, subject: 'Another' }
    const second = credentials(issuer, resource, { claims, action: { type: 'email_send', ...other } })
    expect(said(await call(resource, { body: JSON.stringify(other), headers: second.headers }))).toBe(
      '401 invalid_token',
    )
    expect(resource.executed.count).toBe(1)
  })

  test('while the first try runs: 409 call_in_progress, with Retry-After', async () => {
    const [begun, finish] = [deferred<void>(), deferred<void>()]
    const token = await start({
      route: async (ctx) => {
        begun.resolve()
        await finish.promise
        ctx.body = { sent: true }
      },
    })
    const first = tryIt(token)
    await begun.promise
    const second = await tryIt(token)
    expect(said(second)).toBe('409 call_in_progress')
    expect(second.headers).toMatchObject({ 'retry-after': '1', 'cache-control': 'no-store' })
    expect(second.headers['www-authenticate']).toBeUndefined()
    finish.resolve()
    expect((await first).body).toEqual({ sent: true })
    expect((await tryIt(token)).body).toEqual({ sent: true })
    expect(resource.executed.count).toBe(1)
  })

  test('a route that threw may have done something: 409 call_may_have_run, and never again', async () => {
    const token = await start({
      route: async () => {
        throw new Error('half way')
      },
    })
    expect((await tryIt(token)).status).toBe(500)
    const retry = await tryIt(token)
    expect(said(retry)).toBe('409 call_may_have_run')
    expect(retry.headers['retry-after']).toBeUndefined()
    expect(resource.executed.count).toBe(1)
  })

  test.each([
    { name: 'a stream', body: () => new PassThrough().end('streamed') },
    { name: 'more than 64 KiB', body: () => 'x'.repeat(64 * 1024 + 1) },
  ])('an answer of $name is not kept: 409 call_has_run', async ({ body }) => {
    const token = await start({
      route: async (ctx: Koa.Context) => {
        ctx.body = body()
      },
    })
    expect((await tryIt(token)).status).toBe(200)
    expect(said(await tryIt(token))).toBe('409 call_has_run')
    expect(resource.executed.count).toBe(1)
  })

  test('what is kept ends with the token: 5 seconds after "exp" -> 401 invalid_token', async () => {
    const token = await start()
    expect((await tryIt(token)).status).toBe(200)
    resource.clock.seconds += 64
    expect((await tryIt(token)).headers['idempotent-replayed']).toBe('true')
    resource.clock.seconds += 1
    expect(said(await tryIt(token))).toBe('401 invalid_token')
  })

  test('no room to remember the call -> 503, and nothing runs', async () => {
    await start({ results: createMemoryResultStore({ maxCalls: 1 }) })
    expect((await tryIt(credentials(issuer, resource).token)).status).toBe(200)
    const refused = await tryIt(credentials(issuer, resource).token)
    expect(said(refused)).toBe('503 temporarily_unavailable')
    expect(resource.executed.count).toBe(1)
  })

  test('a store that is away -> 503, and nothing runs', async () => {
    const away = async () => {
      throw new StoreUnavailableError('away')
    }
    const token = await start({ results: { isDurable: true, once: away, find: away } })
    expect((await tryIt(token)).status).toBe(503)
    expect(resource.executed.count).toBe(0)
  })

  test('a store that answers what nobody knows -> nothing runs', async () => {
    const once = async () => ({ kind: 'sure' }) as never
    const token = await start({ results: { isDurable: true, once, find: async () => undefined } })
    expect(said(await tryIt(token))).toBe('409 call_may_have_run')
    expect(resource.executed.count).toBe(0)
  })
})

describe('a replay store that all processes share, and results that they do not', () => {
  test('a retry at another process: 409 call_may_have_run, and it does not run', async () => {
    const replay = createMemoryReplayStore()
    const token = await start({ replay })
    const { agent, executed, close } = resource
    expect((await tryIt(token)).status).toBe(200)
    const other = await startResource(issuer, { replay, results: createMemoryResultStore() })
    await close()
    resource = { ...other, agent }
    expect(said(await tryIt(token))).toBe('409 call_may_have_run')
    expect([executed.count, other.executed.count]).toEqual([1, 0])
  })

  test('a token that was used where no answers are kept does not run where they are', async () => {
    const replay = createMemoryReplayStore()
    await start({ replay })
    const { token, dpop } = credentials(issuer, resource)
    const plain = createResourceServer({
      ...{ issuer: issuer.url, resource: EXTERNAL, origin: EXTERNAL, replay },
      now: () => new Date(resource.clock.seconds * 1000),
    })
    const request = { method: 'POST', url: '/send', rawHeaders: ['Authorization', `DPoP ${token}`, 'DPoP', dpop] }
    expect(isRefusal(await plain.authorize(request, { type: 'email_send', ...EMAIL }))).toBe(false)
    expect(said(await tryIt(token))).toBe('409 call_may_have_run')
    expect(resource.executed.count).toBe(0)
  })
})

describe('held wrongly', () => {
  const options: ResourceServerOptions = {
    issuer: 'https://as.example',
    resource: EXTERNAL,
    origin: EXTERNAL,
    replay: createMemoryReplayStore(),
  }
  const transactional: TransactionalResultStore<string> = {
    ...createMemoryResultStore(),
    transact: async () => ({ kind: 'full' }),
  }
  const from = { method: 'POST', url: '/', rawHeaders: [] }

  test('authorize on a server that keeps results could not keep any: a fault, before anything is used up', async () => {
    await start()
    const { headers } = credentials(issuer, resource)
    const request = { method: 'POST', url: '/send', rawHeaders: headers }
    await expect(resource.server.authorize(request, { type: 'email_send', ...EMAIL })).rejects.toThrow(TypeError)
    expect((await call(resource, { body: BODY, headers })).status).toBe(200)
  })

  test('executing once without results, or in a transaction of others, is a fault', async () => {
    const plain = createResourceServer(options)
    const effect = async () => ({ body: 'x' })
    await expect(executeOnce(plain, { from, actual: {} }, effect)).rejects.toThrow(TypeError)
    const server = createResourceServer({ ...options, results: createMemoryResultStore() })
    await expect(executeInTransaction(server, transactional, { from, actual: {} }, effect)).rejects.toThrow(TypeError)
    await expect(executeOnce({ ...server }, { from, actual: {} }, effect)).rejects.toThrow(TypeError)
    expect(() => protect(server, { action: () => ({}), transaction: transactional })).toThrow(TypeError)
    expect(() => protect(plain, { action: () => ({}), transaction: transactional })).toThrow(TypeError)
    expect(() => transactionOf(transactional, {})).toThrow(TypeError)
  })
})

describe('executeOnce, without a framework', () => {
  test('credentials that were verified before, an effect that says its answer, and its retry', async () => {
    const results: ResultStore = createMemoryResultStore()
    await start({ results })
    const { server, agent, clock } = resource
    const { token } = credentials(issuer, resource)
    const request = () => {
      const now = new Date(clock.seconds * 1000)
      const dpop = proof(agent, { method: 'POST', htu: `${EXTERNAL}/send`, now, accessToken: token })
      return { method: 'POST', url: '/send', rawHeaders: ['Authorization', `DPoP ${token}`, 'DPoP', dpop] }
    }
    const actual = () => ({ type: 'email_send', ...EMAIL })
    let runs = 0
    const effect = async ({ agent: by }: { agent: string }) => ({ body: { by, run: ++runs } })
    const credentialsOf = await server.verify(request())
    if (isRefusal(credentialsOf)) throw new Error(credentialsOf.detail)
    expect(await executeOnce(server, { from: credentialsOf, actual: actual() }, effect)).toEqual({
      answer: { body: { by: 'planner', run: 1 } },
      isKept: false,
    })
    const again = await executeOnce(server, { from: request(), actual }, effect)
    if (isRefusal(again)) throw new Error(again.detail)
    expect(again.isKept).toBe(true)
    expect(Buffer.from(again.answer.body as Uint8Array).toString()).toBe('{"by":"planner","run":1}')
    expect(runs).toBe(1)
  })

  test('an answer that is no JSON is a fault, and the call may have run', async () => {
    await start()
    const request = (dpop: string, token: string) => ({
      method: 'POST',
      url: '/send',
      rawHeaders: ['Authorization', `DPoP ${token}`, 'DPoP', dpop],
    })
    const { token, dpop } = credentials(issuer, resource)
    const actual = { type: 'email_send', ...EMAIL }
    const effect = async () => ({ body: () => 'x' })
    await expect(executeOnce(resource.server, { from: request(dpop, token), actual }, effect)).rejects.toThrow(
      TypeError,
    )
    expect(said(await tryIt(token))).toBe('409 call_may_have_run')
  })
})
