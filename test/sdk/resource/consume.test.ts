import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { isRefusal } from '../../../src/core/refusal.ts'
import {
  type Authorized,
  createMemoryReplayStore,
  createMemoryResultStore,
  createResourceServer,
  executeOnce,
  IssuerUnavailableError,
  type ResourceServer,
  type ResourceServerOptions,
  type ResultStore,
  type Signer,
} from '../../../src/sdk/resource/index.ts'
import { checkAssertion, readAssertion, verifyAssertion } from '../../../src/wire/client-assertion.ts'
import { createKeyObjectCache } from '../../../src/wire/key-object-cache.ts'
import { signerOf } from '../../support/signer.ts'
import { makeKey, proof } from '../../wire/signing.ts'
import { actionToken, startIssuer, type TestIssuer } from './issuer.ts'

const ORIGIN = 'https://rs.example'
const NOTE = { type: 'note', text: 'hello' }
const agent = makeKey('ES256')
const own = makeKey('Ed25519')
const keys = createKeyObjectCache()

/** The issuer's doors for resource servers, as the wire contract has them; each request is authenticated. */
interface Doors {
  readonly introspections: URLSearchParams[]
  readonly receipts: URLSearchParams[]
  readonly used: Map<string, { readonly id: string | null; receipt: string | null }>
  /** Tokens that are revoked or unknown. */
  isInactive: boolean
  /** Answers in place of the right one. */
  instead: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** Does all that it should, and its answer is lost. */
  losesAnswer: boolean
}

let issuer: TestIssuer
let doors: Doors
const assertions = new Set<string>()
beforeAll(async () => {
  issuer = await startIssuer()
  issuer.published.doors = { '/introspect': serve(introspect), '/receipts': serve(receive) }
})
afterAll(() => issuer.close())
beforeEach(() => {
  const [introspections, receipts, used] = [[], [], new Map()]
  doors = { introspections, receipts, used, isInactive: false, instead: undefined, losesAnswer: false }
})

type Door = (form: URLSearchParams) => readonly [number, unknown]
const serve = (door: Door) => async (request: IncomingMessage, response: ServerResponse) => {
  if (doors.instead !== undefined) return doors.instead(request, response)
  const form = new URLSearchParams(await text(request))
  const [status, body] = isAuthentic(form) ? door(form) : [401, { error: 'invalid_client' }]
  if (doors.losesAnswer) return void response.destroy()
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function isAuthentic(form: URLSearchParams): boolean {
  const read = readAssertion(form.get('client_assertion') ?? undefined)
  if (isRefusal(read)) return false
  const claims = checkAssertion(read, { clientId: 'notes', issuer: issuer.url, now: new Date() })
  if (isRefusal(claims) || assertions.has(claims.jti)) return false
  assertions.add(claims.jti)
  return !isRefusal(verifyAssertion(read, [{ kid: own.jkt, jwk: own.jwk }], keys))
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

function introspect(form: URLSearchParams): readonly [number, unknown] {
  doors.introspections.push(form)
  const claims = claimsOf(form.get('token') ?? '')
  const use = doors.used.get(claims.jti)
  if (form.get('consume') !== 'true' || doors.isInactive) return [200, { active: false }]
  if (use === undefined) {
    doors.used.set(claims.jti, { id: form.get('consume_id'), receipt: null })
    return [200, { ...claims, active: true, token_type: 'DPoP' }]
  }
  if (use.id !== form.get('consume_id')) return [200, { active: false }]
  return [200, { active: false, consumed: { at: 1, receipt: use.receipt && { outcome: use.receipt, at: 2 } } }]
}

function receive(form: URLSearchParams): readonly [number, unknown] {
  doors.receipts.push(form)
  const use = doors.used.get(form.get('jti') ?? '')
  if (use === undefined) return [404, { error: 'not_found' }]
  if (use.receipt !== null && use.receipt !== form.get('outcome')) return [409, { error: 'conflict' }]
  const status = use.receipt === null ? 201 : 200
  use.receipt = form.get('outcome')
  return [status, {}]
}

const make = (options: Partial<ResourceServerOptions> = {}, key: Signer = signerOf(own)): ResourceServer =>
  createResourceServer({
    issuer: issuer.url,
    resource: ORIGIN,
    origin: ORIGIN,
    replay: createMemoryReplayStore(),
    consume: { clientId: 'notes', key, timeoutSeconds: 1 },
    ...options,
  })

const newToken = (claims: Record<string, unknown> = {}) =>
  actionToken(issuer, { resource: ORIGIN, agent, action: NOTE, now: new Date() }, claims)
/** A request with the token and a fresh proof, or one by another key. */
function requestWith(accessToken: string, key = agent) {
  const dpop = proof(key, { method: 'POST', htu: `${ORIGIN}/notes`, now: new Date(), accessToken })
  return { method: 'POST', url: '/notes', rawHeaders: ['Authorization', `DPoP ${accessToken}`, 'DPoP', dpop] }
}
const authorize = (server: ResourceServer, token: string) => server.authorize(requestWith(token), NOTE)
async function authorized(server: ResourceServer, token: string): Promise<Authorized> {
  const outcome = await authorize(server, token)
  if (isRefusal(outcome)) throw new Error(`${outcome.code}: ${outcome.detail}`)
  return outcome
}

describe('a resource server that consumes', () => {
  test('asks once, as itself, for the one use of the token', async () => {
    const token = newToken()
    expect(await authorized(make(), token)).toMatchObject({ principal: 'alice', agent: 'planner' })
    expect(doors.introspections).toHaveLength(1)
    const form = Object.fromEntries(doors.introspections[0] ?? [])
    expect(form).toMatchObject({ token, consume: 'true', client_id: 'notes' })
    expect(form.consume_id).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  test('the second use, by any of its processes -> call_unfinished: the first may have run', async () => {
    const token = newToken()
    await authorized(make(), token)
    for (const server of [make(), make()]) {
      const outcome = await authorize(server, token)
      expect(outcome).toMatchObject({ code: 'call_unfinished' })
      if (isRefusal(outcome)) {
        expect(server.challenge(outcome)).toMatchObject({ status: 409, body: { error: 'call_may_have_run' } })
      }
    }
    const ids = doors.introspections.map((form) => form.get('consume_id'))
    expect(new Set(ids).size).toBe(1)
    await authorized(make(), newToken())
    expect(doors.introspections.at(-1)?.get('consume_id')).not.toBe(ids[0])
  })

  test('revoked, stopped, or used elsewhere -> 401 invalid_token', async () => {
    const server = make()
    const token = newToken()
    doors.isInactive = true
    const revoked = await authorize(server, token)
    expect(revoked).toMatchObject({ code: 'token_inactive' })
    if (isRefusal(revoked))
      expect(server.challenge(revoked)).toMatchObject({ status: 401, body: { error: 'invalid_token' } })
    doors.isInactive = false
    doors.used.set(claimsOf(token).jti, { id: 'of somebody else', receipt: null })
    expect(await authorize(server, token)).toMatchObject({ code: 'token_inactive' })
  })

  test('a thief, another action, an expired token, a proof used before: the issuer is not asked', async () => {
    const server = make()
    const token = newToken()
    expect(await server.authorize(requestWith(token, makeKey('ES256')), NOTE)).toMatchObject({
      code: 'proof_key_mismatch',
    })
    expect(await server.authorize(requestWith(token), { ...NOTE, text: 'other' })).toMatchObject({
      code: 'action_mismatch',
    })
    expect(await authorize(server, newToken({ exp: 1 }))).toMatchObject({ code: 'token_expired' })
    expect(doors.introspections).toHaveLength(0)
    const request = requestWith(token)
    expect(isRefusal(await server.authorize(request, NOTE))).toBe(false)
    expect(await server.authorize(request, NOTE)).toMatchObject({ code: 'proof_replayed' })
    expect(doors.introspections).toHaveLength(1)
  })

  const json = (status: number, body: unknown) => (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  test.each([
    { name: 'is down', instead: (_: IncomingMessage, response: ServerResponse) => void response.destroy() },
    { name: 'is slow', instead: () => {} },
    { name: 'says 503', instead: json(503, { error: 'temporarily_unavailable' }) },
    { name: 'says 401', instead: json(401, { error: 'invalid_client' }) },
    { name: 'says 429', instead: json(429, { error: 'slow_down' }) },
    { name: 'says 201', instead: json(201, { active: true }) },
    {
      name: 'says no JSON',
      instead: (_: IncomingMessage, response: ServerResponse) => void response.end('active: true'),
    },
    { name: 'says nothing of "active"', instead: json(200, {}) },
    { name: 'says "active": "true"', instead: json(200, { active: 'true' }) },
    { name: 'says yes to another token', instead: json(200, { active: true, jti: 'another' }) },
    { name: 'says yes to no token', instead: json(200, { active: true }) },
    { name: 'says what is no use', instead: json(200, { active: false, consumed: true }) },
    {
      name: 'redirects',
      instead: (_: IncomingMessage, response: ServerResponse) =>
        void response.writeHead(307, { location: 'https://evil.example/' }).end(),
    },
    {
      name: 'does not stop',
      instead: (_: IncomingMessage, response: ServerResponse) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, 0x20))) {}
        }
        response.on('drain', more)
        more()
      },
    },
  ])('an issuer that $name -> a fault with status 503, and nothing is let through', async ({ instead }) => {
    doors.instead = instead
    const failure = await authorize(make(), newToken()).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(IssuerUnavailableError)
    expect(failure).toMatchObject({ status: 503 })
  })

  test('a key that is not the registered one -> a fault that says so, in the log and to no caller', async () => {
    const server = make({}, signerOf(makeKey('ES256')))
    await expect(authorize(server, newToken())).rejects.toThrow(
      'the issuer answered 401 "invalid_client" at /introspect',
    )
  })

  test('options that prove nothing are refused at start', () => {
    expect(() => make({ consume: { clientId: '', key: signerOf(own) } })).toThrow(TypeError)
    expect(() => make({ consume: { clientId: 'notes', key: {} as Signer } })).toThrow(TypeError)
    expect(() => make({ consume: { clientId: 'notes', key: signerOf(own), timeoutSeconds: 0 } })).toThrow(TypeError)
  })
})

describe('consume and kept results', () => {
  const durable = (): ResultStore => ({ ...createMemoryResultStore(), isDurable: true })
  const run = (server: ResourceServer, token: string, effect = async () => ({ body: 'done' })) =>
    executeOnce(server, { from: requestWith(token), actual: NOTE }, effect)
  const never = async (): Promise<never> => {
    throw new Error('this effect must not run')
  }

  test.each([
    { name: 'in memory', results: createMemoryResultStore },
    { name: 'durable', results: durable },
  ])('the retry of a call that ran gets the kept answer ($name)', async ({ results }) => {
    const [server, token] = [make({ results: results() }), newToken()]
    expect(await run(server, token)).toEqual({ answer: { body: 'done' }, isKept: false })
    expect(await run(server, token, never)).toMatchObject({ isKept: true })
  })

  test('consumed, and no process claimed it: where claims are durable it never began, and runs now, once', async () => {
    const [server, token] = [make({ results: durable() }), newToken()]
    doors.losesAnswer = true
    await expect(run(server, token, never)).rejects.toBeInstanceOf(IssuerUnavailableError)
    doors.losesAnswer = false
    expect(await run(server, token)).toEqual({ answer: { body: 'done' }, isKept: false })
    expect(await run(server, token, never)).toMatchObject({ isKept: true })
  })

  test('consumed, and claims may be forgotten: call_unfinished, and it does not run', async () => {
    const [server, token] = [make({ results: createMemoryResultStore() }), newToken()]
    doors.losesAnswer = true
    await expect(run(server, token, never)).rejects.toBeInstanceOf(IssuerUnavailableError)
    doors.losesAnswer = false
    expect(await run(server, token, never)).toMatchObject({ code: 'call_unfinished' })
  })

  test('consumed, and there is a receipt: call_finished, whatever the store knows', async () => {
    const [server, token] = [make({ results: durable() }), newToken()]
    doors.losesAnswer = true
    await expect(run(server, token, never)).rejects.toBeInstanceOf(IssuerUnavailableError)
    doors.losesAnswer = false
    expect(await server.receipt({ claims: claimsOf(token) }, { outcome: 'failed' })).toBe('recorded')
    expect(await run(server, token, never)).toMatchObject({ code: 'call_finished' })
  })

  test('revoked -> nothing runs, and what was kept is not told', async () => {
    const [server, token] = [make({ results: durable() }), newToken()]
    await run(server, token)
    doors.isInactive = true
    expect(await run(server, token, never)).toMatchObject({ code: 'token_inactive' })
  })

  test('20 tries at once -> one runs', async () => {
    const token = newToken()
    const server = make({ results: durable() })
    let runs = 0
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        run(server, token, async () => {
          runs++
          await sleep(20)
          return { body: 'done' }
        }),
      ),
    )
    expect(runs).toBe(1)
    const codes = outcomes.map((outcome) => (isRefusal(outcome) ? outcome.code : outcome.isKept ? 'kept' : 'ran'))
    expect(codes.filter((code) => code !== 'call_running' && code !== 'kept')).toEqual(['ran'])
  })
})

describe('receipt', () => {
  test('says what came of it; the same again is recorded; another one is a conflict; a stranger is unknown', async () => {
    const server = make()
    const call = await authorized(server, newToken())
    expect(await server.receipt(call, { outcome: 'failed', detail: 'mailbox full' })).toBe('recorded')
    expect(Object.fromEntries(doors.receipts[0] ?? [])).toMatchObject({
      jti: call.claims.jti,
      outcome: 'failed',
      detail: 'mailbox full',
    })
    expect(await server.receipt(call, { outcome: 'failed', detail: 'mailbox full' })).toBe('recorded')
    expect(await server.receipt(call, { outcome: 'succeeded' })).toBe('conflict')
    expect(await server.receipt({ claims: { ...call.claims, jti: 'x' } }, { outcome: 'refused' })).toBe('unknown')
  })

  test('what is no receipt is not sent; an issuer that is away is a fault', async () => {
    const server = make()
    const call = await authorized(server, newToken())
    const bad = [
      { outcome: 'done' },
      { outcome: 'failed', detail: 'x'.repeat(1_001) },
      { outcome: 'failed', detail: 'a\nb' },
    ]
    for (const one of bad) await expect(server.receipt(call, one as never)).rejects.toThrow(TypeError)
    expect(doors.receipts).toHaveLength(0)
    expect(await server.receipt(call, { outcome: 'failed', detail: '😀'.repeat(1_000) })).toBe('recorded')
    doors.losesAnswer = true
    await expect(server.receipt(call, { outcome: 'failed' })).rejects.toBeInstanceOf(IssuerUnavailableError)
    const offline = createResourceServer({
      issuer: issuer.url,
      resource: ORIGIN,
      origin: ORIGIN,
      replay: createMemoryReplayStore(),
    })
    await expect(offline.receipt(call, { outcome: 'succeeded' })).rejects.toThrow(TypeError)
  })
})
