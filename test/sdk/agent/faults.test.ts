import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type AgentKey,
  type AgentOptions,
  createAgent,
  createKey,
  type Signer,
  WritFault,
} from '../../../src/sdk/agent/index.ts'
import { expectNotShown, granted, refused } from './agents.ts'
import { answer, jwtParts, startTinyIssuer, startTinyServer, type TinyServer } from './tiny-server.ts'

const SECRET = 'eyJhbGciOiJFUzI1NiJ9.c3ViamVjdC10b2tlbg.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg'
const wish = {
  subjectToken: SECRET,
  resource: 'https://mail.example',
  action: { type: 'email_send', to: ['a@b.example'] },
}
const TOKEN = {
  access_token: 'aaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbb.cccccccccccccccccccccc',
  issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  token_type: 'DPoP',
  expires_in: 60,
  authorization_details: [{ type: 'email_send', to: ['a@b.example'], locations: ['https://mail.example'] }],
}

let key: AgentKey
beforeAll(async () => {
  key = await createKey()
})
const open: TinyServer[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})
const issuer = async (...parts: Parameters<typeof startTinyIssuer>) => {
  const server = await startTinyIssuer(...parts)
  open.push(server)
  return server
}
const agentAt = (origin: string, options: Partial<AgentOptions> = {}) =>
  createAgent({ issuer: origin, id: 'planner', key, ...options })

const faultOf = async (promise: Promise<unknown>): Promise<WritFault> => {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(WritFault)
  expectNotShown(thrown, SECRET, TOKEN.access_token)
  return thrown as WritFault
}

describe('an issuer', () => {
  test.each([
    'http://as.example',
    'https://as.example/',
    'https://as.example/tenant',
    'https://AS.example',
    'https://user@as.example',
    'as.example',
    'ftp://as.example',
    '',
  ])('%s is refused before anything is sent', (origin) => {
    expect(() => agentAt(origin)).toThrow('issuer must be an origin')
  })

  test.each<[string, object, RegExp]>([
    ['names another issuer (RFC 8414 §3.3)', { issuer: 'https://evil.example' }, /another issuer/],
    ['names no issuer', { issuer: undefined }, /another issuer/],
    ['sends its agents elsewhere', { token_endpoint: 'https://evil.example/token' }, /token endpoint/],
    ['has no token endpoint', { token_endpoint: undefined }, /token endpoint/],
    ['exchanges no tokens', { grant_types_supported: ['client_credentials'] }, /does not exchange/],
    ['does not take the algorithm of the key', { dpop_signing_alg_values_supported: ['RS256'] }, /does not take ES256/],
  ])('whose metadata %s is asked for nothing', async (_name, metadata, message) => {
    const server = await issuer((_request, response) => answer(response, 200, TOKEN), metadata)
    const fault = await faultOf(agentAt(server.origin).exchange(wish))
    expect([fault.kind, fault.message]).toEqual(['unexpected_answer', expect.stringMatching(message)])
    expect(server.received.map(({ method }) => method)).toEqual(['GET'])
  })

  test('with a slash at the end of its name in the metadata is another one', async () => {
    const server = await startTinyServer((_request, response, { origin }) =>
      answer(response, 200, { issuer: `${origin}/`, token_endpoint: `${origin}/token` }),
    )
    open.push(server)
    expect((await faultOf(agentAt(server.origin).discover())).message).toContain('another issuer')
  })

  test('whose metadata could not be had is asked again the next time', async () => {
    let isUp = false
    const server = await startTinyServer((request, response, { origin }) => {
      if (!isUp) return answer(response, 503, '')
      answer(response, 200, {
        issuer: origin,
        token_endpoint: `${origin}${request.url === '/token' ? '' : '/token'}`,
        grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      })
    })
    open.push(server)
    const agent = agentAt(server.origin)
    expect((await faultOf(agent.discover())).kind).toBe('unavailable')
    isUp = true
    expect((await agent.discover()).issuer).toBe(server.origin)
  })
})

describe('what breaks is thrown, with its kind', () => {
  test.each<[string, number, unknown, Record<string, string>, object]>([
    [
      '503',
      503,
      { error: 'temporarily_unavailable' },
      { 'retry-after': '7' },
      { kind: 'unavailable', retryAfterSeconds: 7 },
    ],
    ['503 of a proxy', 503, '<html>', {}, { kind: 'unavailable', status: 503 }],
    ['500', 500, { error: 'server_error' }, { 'x-request-id': 'abc-1' }, { kind: 'server_error', requestId: 'abc-1' }],
    ['502 that repeats what it was sent', 502, SECRET, { 'x-request-id': SECRET.repeat(2) }, { kind: 'server_error' }],
    ['200 without JSON', 200, 'hello', {}, { kind: 'unexpected_answer' }],
    ['200 with an array', 200, [], {}, { kind: 'unexpected_answer' }],
    ['400 without a word', 400, '', {}, { kind: 'unexpected_answer', status: 400 }],
    ['403 of a proxy', 403, '<html>', {}, { kind: 'unexpected_answer', status: 403 }],
    ['a bearer token (RFC 9449 §5)', 200, { ...TOKEN, token_type: 'Bearer' }, {}, { kind: 'unexpected_answer' }],
    ['a token that no header can hold', 200, { ...TOKEN, access_token: 'a\r\nb' }, {}, { kind: 'unexpected_answer' }],
    ['no lifetime', 200, { ...TOKEN, expires_in: undefined }, {}, { kind: 'unexpected_answer' }],
    ['no action', 200, { ...TOKEN, authorization_details: [] }, {}, { kind: 'unexpected_answer' }],
    ['another type of token', 200, { ...TOKEN, issued_token_type: 'x' }, {}, { kind: 'unexpected_answer' }],
    ['an answer of 5 MB', 200, ' '.repeat(5_000_000), {}, { kind: 'unexpected_answer', message: /too large/ }],
  ])('%s', async (_name, status, body, headers, expected) => {
    const server = await issuer((_request, response) => answer(response, status, body, headers))
    const fault = await faultOf(agentAt(server.origin).exchange(wish))
    const { message, ...members } = expected as { message?: RegExp }
    expect(fault).toMatchObject(members)
    if (message !== undefined) expect(fault.message).toMatch(message)
  })

  test.each([301, 302, 303, 307, 308])('a redirect (%i) is not followed, whatever it is for', async (status) => {
    const elsewhere = await issuer((_request, response) => answer(response, 200, TOKEN))
    const server = await issuer((_request, response) =>
      answer(response, status, '', { location: `${elsewhere.origin}/token` }),
    )
    expect((await faultOf(agentAt(server.origin).exchange(wish))).message).toContain('redirects')
    expect(elsewhere.received).toEqual([])
  })

  test('nobody listens', async () => {
    const server = await issuer(() => {})
    await open.pop()?.close()
    const fault = await faultOf(agentAt(server.origin).exchange(wish))
    expect([fault.kind, fault.message]).toEqual(['unreachable', 'the server cannot be reached (ECONNREFUSED)'])
  })

  test('the connection is cut in the middle of an answer', async () => {
    const server = await issuer((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{')
      setImmediate(() => response.destroy())
    })
    expect((await faultOf(agentAt(server.origin).exchange(wish))).kind).toBe('unreachable')
  })

  test('no answer, and half of one', async () => {
    for (const half of [false, true]) {
      const server = await issuer((_request, response) => void (half && response.writeHead(200) && response.write('{')))
      const fault = await faultOf(agentAt(server.origin, { timeoutSeconds: 0.2 }).exchange(wish))
      expect(fault.kind).toBe('timed_out')
    }
  })

  test('a caller who does not want to wait gets the reason he gave', async () => {
    const server = await issuer(() => {})
    const reason = new Error('enough')
    const controller = new AbortController()
    const exchange = agentAt(server.origin).exchange({ ...wish, signal: controller.signal })
    controller.abort(reason)
    await expect(exchange).rejects.toBe(reason)
  })

  test('a signer that fails, or answers something else', async () => {
    const server = await issuer((_request, response) => answer(response, 200, TOKEN))
    const { alg, publicJwk } = key
    const away = new Error('the key service is away')
    const signers: Signer['sign'][] = [
      () => Promise.reject(away),
      async () => new Uint8Array(70),
      async () => 'x'.repeat(64) as never,
    ]
    const faults = []
    for (const sign of signers) {
      faults.push(await faultOf(agentAt(server.origin, { key: { alg, publicJwk, sign } }).exchange(wish)))
    }
    expect(faults.map(({ kind }) => kind)).toEqual(Array(3).fill('signer_failed'))
    expect(faults[0]?.cause).toBe(away)
    expect(server.received.map(({ method }) => method)).toEqual(['GET', 'GET', 'GET'])
  })

  test('a key outside this process signs as well as one inside', async () => {
    const server = await issuer((_request, response) => answer(response, 200, TOKEN))
    const { alg, publicJwk } = key
    const remote: Signer = {
      alg,
      publicJwk,
      sign: async (data) => Uint8Array.from(JSON.parse(JSON.stringify([...(await key.sign(data))]))),
    }
    expect(granted(await agentAt(server.origin, { key: remote }).exchange(wish)).token).toBe(TOKEN.access_token)
    expect(jwtParts(server.received.at(-1)?.headers.dpop).header).toEqual({ typ: 'dpop+jwt', alg, jwk: publicJwk })
  })
})

describe('trying again', () => {
  const busyFor = (times: number, status: number, headers: Record<string, string> = { 'retry-after': '0' }) => {
    let left = times
    return issuer((_request, response) =>
      left-- > 0 ? answer(response, status, { error: 'slow_down' }, headers) : answer(response, 200, TOKEN),
    )
  }
  const posts = ({ received }: TinyServer) => received.filter(({ method }) => method === 'POST')

  test('is not done unless it is configured', async () => {
    const [busy, away] = [await busyFor(1, 429), await busyFor(1, 503)]
    expect(refused(await agentAt(busy.origin).exchange(wish)).kind).toBe('slow_down')
    expect((await faultOf(agentAt(away.origin).exchange(wish))).kind).toBe('unavailable')
    expect([posts(busy).length, posts(away).length]).toEqual([1, 1])
  })

  test.each([429, 503])('after %i everything is new, every time', async (status) => {
    const server = await busyFor(3, status)
    granted(await agentAt(server.origin, { retries: { attempts: 3, maxWaitSeconds: 1 } }).exchange(wish))
    const proofs = posts(server).map(({ headers }) => jwtParts(headers.dpop).claims.jti)
    const assertions = posts(server).map(
      ({ body }) => jwtParts(new URLSearchParams(body).get('client_assertion')).claims.jti,
    )
    expect([new Set(proofs).size, new Set(assertions).size]).toEqual([4, 4])
  })

  test('ends with the last answer', async () => {
    const server = await busyFor(9, 429)
    const agent = agentAt(server.origin, { retries: { attempts: 2, maxWaitSeconds: 1 } })
    expect(refused(await agent.exchange(wish)).kind).toBe('slow_down')
    expect(posts(server)).toHaveLength(3)
  })

  test('does not wait for longer than configured', async () => {
    const server = await busyFor(1, 503, { 'retry-after': '3600' })
    const agent = agentAt(server.origin, { retries: { attempts: 3, maxWaitSeconds: 2 } })
    expect((await faultOf(agent.exchange(wish))).retryAfterSeconds).toBe(3_600)
    expect(posts(server)).toHaveLength(1)
  })

  test('can be called off while it waits', async () => {
    const server = await busyFor(1, 429, { 'retry-after': '60' })
    const agent = agentAt(server.origin, { retries: { attempts: 1, maxWaitSeconds: 60 } })
    const reason = new Error('enough')
    await expect(agent.exchange({ ...wish, signal: after(300, reason) })).rejects.toBe(reason)
  })

  test.each([400, 401, 403, 500, 502])('is not done after %i', async (status) => {
    const server = await busyFor(1, status)
    await agentAt(server.origin, { retries: { attempts: 3, maxWaitSeconds: 1 } })
      .exchange(wish)
      .catch(() => undefined)
    // `slow_down` is what a server says with 429; the words alone are believed too.
    expect(posts(server).length).toBe(status < 500 ? 2 : 1)
  })

  test.each([0, -1, Number.NaN, 601])('timeoutSeconds: %d is refused', (timeoutSeconds) => {
    expect(() => agentAt('https://as.example', { timeoutSeconds })).toThrow('timeoutSeconds must')
  })

  test.each([
    [{ attempts: 11, maxWaitSeconds: 1 }, 'attempts'],
    [{ attempts: 1.5, maxWaitSeconds: 1 }, 'attempts'],
    [{ attempts: 1, maxWaitSeconds: Number.POSITIVE_INFINITY }, 'maxWaitSeconds'],
  ])('%j is refused', (retries, named) => {
    expect(() => agentAt('https://as.example', { retries })).toThrow(`retries.${named}`)
  })
})

function after(milliseconds: number, reason: Error): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(reason), milliseconds)
  return controller.signal
}
