import { connect } from 'node:net'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, oauthRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'
import { proof } from '../wire/signing.ts'
import { expectRefused } from './oauth/answers.ts'

const KiB = 1024
const MiB = 1024 * KiB

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

const OAUTH = ['/token', '/introspect', '/revoke', '/attestation'] as const
const ADMIN: readonly (readonly [string, string])[] = [
  ['POST', '/admin/agents'],
  ['POST', '/admin/principals'],
  ['POST', '/admin/resources'],
  ['POST', '/admin/action-types'],
  ['POST', '/admin/delegations'],
  ['POST', '/admin/agents/x/keys'],
  ['POST', '/admin/agents/x/suspend'],
  ['POST', '/admin/signing-keys/rotate'],
  ['PATCH', '/admin/agents/x'],
]

/** What no answer ever holds: a stack, a path of the machine, the words of a database or a library. */
const INSIDES = /node_modules|\.ts:\d|\.js:\d|\bat \w+ \(|file:\/\/|\/src\/|Error:|SELECT |pglite|prisma|zod|\[object/i

function expectClear(answer: Answer, kind: 'oauth' | 'problem', statuses: readonly number[] = []): void {
  const { status, headers, body, text } = answer
  expect(status, text).toBeGreaterThanOrEqual(400)
  expect(status, text).toBeLessThan(500)
  if (statuses.length > 0) expect(statuses, text).toContain(status)
  // Chance made an id once that had the name of a library in it.
  expect(text.replace(/"request_id":"[^"]*"/, '')).not.toMatch(INSIDES)
  if (kind === 'oauth') {
    expectRefused(answer, status, body?.error)
    return
  }
  expect(headers['content-type']).toBe('application/problem+json')
  expect(headers['cache-control']).toBe('no-store')
  expect(headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]{1,64}$/)
  expect(body).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) })
}

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))))
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const deepObject = (levels: number) => ['{"a":'.repeat(levels), '1', '}'.repeat(levels)].join('')

test.each([
  { what: 'a target that is no URL', head: 'GET http://[ HTTP/1.1', status: 404 },
  { what: 'a target without a slash', head: 'GET healthz HTTP/1.1', status: 400 },
  {
    what: 'the absolute form (RFC 9112 §3.2.2), of whatever host',
    head: 'GET http://evil.example/healthz HTTP/1.1',
    status: 200,
  },
  { what: 'no HTTP at all', head: 'hello', status: 400 },
  { what: 'headers beyond every measure', head: `GET /healthz HTTP/1.1\r\nX-A: ${'a'.repeat(64 * KiB)}`, status: 431 },
  { what: 'an expectation that is not understood', head: 'GET /healthz HTTP/1.1\r\nExpect: a miracle', status: 417 },
])('$what -> $status, as JSON, with a request id', async ({ head, status }) => {
  const text = await new Promise<string>((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () =>
      socket.write(`${head}\r\nHost: x\r\nConnection: close\r\n\r\n`),
    )
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.on('end', () => resolve(received))
    socket.on('error', reject)
  })
  expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  expect(text).toMatch(/^x-request-id: [A-Za-z0-9._-]{1,64}\r$/im)
  expect(text).toMatch(/^content-type: application\/json/im)
  expect(text).not.toMatch(INSIDES)
})

describe('forms that are none', () => {
  const bodies: readonly [string, string | Buffer, number][] = [
    ['1 MiB of one letter', 'a'.repeat(MiB), 413],
    ['1 MiB of &', '&'.repeat(MiB), 413],
    ['1 MiB of parameters', 'a=b&'.repeat(MiB / 4), 413],
    ['200 kB of &', '&'.repeat(200 * KiB), 400],
    ['200 kB of %', '%'.repeat(200 * KiB), 400],
    ['200 kB of =', '='.repeat(200 * KiB), 400],
    ['65 parameters', Array.from({ length: 65 }, (_, i) => `p${i}=1`).join('&'), 400],
    ['nothing', '', 400],
    ['a parameter twice', 'grant_type=a&grant_type=a&token=x&token=x', 400],
    ['JSON', '{"grant_type":"client_credentials","token":"x"}', 400],
    ['20,000 brackets', deep(20_000), 400],
    ['invalid UTF-8', bytes('token=', [0xff, 0xfe]), 400],
    ['UTF-8 cut short', bytes('token=', [0xe2, 0x82]), 400],
    ['an overlong encoding', bytes('token=', [0xc0, 0xaf]), 400],
    ['a surrogate in UTF-8', bytes('token=', [0xed, 0xa0, 0x80]), 400],
    ['a byte order mark', bytes([0xef, 0xbb, 0xbf], 'token=x'), 400],
    ['a raw U+0000', bytes('token=a', [0], 'b'), 400],
    ['an escaped U+0000', 'token=a%00b', 400],
    ['a bad escape', 'token=%zz', 400],
    ['half an escape', 'token=%', 400],
    ['an escape that is not UTF-8', 'token=%ff', 400],
    ['an escaped surrogate', 'token=%ed%a0%80', 400],
    ['prototype keys', '__proto__=a&constructor=b&prototype[x]=c', 400],
    ['nested names', 'token[a]=1&token[b]=2', 400],
  ]
  test.each(OAUTH.flatMap((path) => bodies.map(([name, body, status]) => ({ path, name, body, status }))))(
    '$path: $name',
    async ({ path, body, status }) => {
      const type: [string, string] = ['Content-Type', 'application/x-www-form-urlencoded']
      const answer = await send(`${server.issuer}${path}`, { headers: [type], body })
      // Without credentials some of these are refused for that.
      expectClear(answer, 'oauth', status === 400 ? [400, 401] : [status])
    },
  )

  test.each(OAUTH)('%s: in chunks, 1 MiB, without a length', async (path) => {
    const headers: [string, string][] = [
      ['Content-Type', 'application/x-www-form-urlencoded'],
      ['Transfer-Encoding', 'chunked'],
    ]
    expectClear(await send(`${server.issuer}${path}`, { headers, body: 'a'.repeat(MiB) }), 'oauth', [413])
  })

  test.each(
    OAUTH.flatMap((path) => ['gzip', 'br', 'deflate', 'identity', 'x'].map((encoding) => ({ path, encoding }))),
  )('$path: content encoding $encoding', async ({ path, encoding }) => {
    const form = 'token=x'.repeat(1_000)
    const body = encoding === 'br' ? brotliCompressSync(form) : gzipSync(form)
    const headers: [string, string][] = [
      ['Content-Type', 'application/x-www-form-urlencoded'],
      ['Content-Encoding', encoding],
    ]
    expectClear(await send(`${server.issuer}${path}`, { headers, body }), 'oauth', [415])
  })

  const types = [
    '',
    'text/plain',
    'application/json',
    'application/x-www-form-urlencoded; charset=utf-16',
    ';',
    'a'.repeat(8_000),
  ]
  test.each(OAUTH.flatMap((path) => types.map((type) => ({ path, type }))))(
    '$path: content type "$type"',
    async ({ path, type }) => {
      const answer = await send(`${server.issuer}${path}`, { headers: [['Content-Type', type]], body: 'token=x' })
      expectClear(answer, 'oauth', [415])
    },
  )

  test.each(
    OAUTH.flatMap((path) =>
      ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'].map((method) => ({ path, method })),
    ),
  )('$method $path', async ({ path, method }) => {
    const answer = await send(`${server.issuer}${path}`, { method })
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST'])
    if (method !== 'HEAD') expectClear(answer, 'oauth', [405])
  })
})

describe('garbage from an agent that is who it says', () => {
  const { body: _, ...rest } = { body: '', type: 'email_send', to: ['bob@example.com'], subject: 'a' }
  const text = JSON.stringify(rest).slice(1, -1)
  const details: readonly [string, string][] = [
    ['20,000 brackets', deep(20_000)],
    ['10,000 objects', deepObject(10_000)],
    ['20,000 brackets in a member', `[{${text},"body":${deep(20_000)}}]`],
    ['20,000 brackets that never close', '['.repeat(20_000)],
    ['33 levels', `[{${text},"body":${deep(33)}}]`],
    ['20,000 elements', `[${'{},'.repeat(20_000)}{}]`],
    ['4,000 members', `[{${Array.from({ length: 4_000 }, (_member, i) => `"m${i}":1`).join(',')}}]`],
    ['a member twice', `[{${text},"body":"a","body":"b"}]`],
    ['a member twice in two spellings', `[{${text},"body":"a","b\\u006fdy":"b"}]`],
    ['__proto__', `[{${text},"body":"a","__proto__":{"to":["eve@evil.example"]}}]`],
    ['__proto__ in escapes', `[{${text},"body":"a","\\u005f_proto__":{}}]`],
    ['constructor', `[{${text},"body":"a","constructor":{"prototype":{}}}]`],
    ['a lone surrogate', `[{${text},"body":"\\ud800"}]`],
    ['surrogates in the wrong order', `[{${text},"body":"\\udc00\\ud800"}]`],
    ['an escaped U+0000', `[{${text},"body":"a\\u0000b"}]`],
    ['2^53', `[{${text},"body":9007199254740992}]`],
    ['-2^53', `[{${text},"body":-9007199254740992}]`],
    ['1e400', `[{${text},"body":1e400}]`],
    ['-0', `[{${text},"body":-0}]`],
    ['a number of 60,000 digits', `[{${text},"body":${'9'.repeat(60_000)}}]`],
    ['NaN', `[{${text},"body":NaN}]`],
    ['a string of 10,000 escapes', `[{${text},"body":"${'\\u0061'.repeat(10_000)}","x":1}]`],
    ['a control character', `[{${text},"body":"a\nb"}]`],
    ['text after the end', `[{${text},"body":"a"}] x`],
  ]
  test.each(details)('authorization_details: %s', async (_name, authorization_details) => {
    const answer = await world.exchange({ form: { authorization_details } })
    expectClear(answer, 'oauth', [400])
    expect(answer.body.error).toBe('invalid_authorization_details')
  })

  const b64 = (value: string) => Buffer.from(value).toString('base64url')
  const tokens: readonly [string, string][] = [
    ['1,000-deep header', `${b64(deepObject(1_000))}.${b64('{}')}.AA`],
    ['2,500-deep claims', `${b64('{"alg":"ES256"}')}.${b64(deep(2_500))}.AA`],
    ['8,000 dots', '.'.repeat(8_000)],
    ['padding', 'e30=.e30=.e30='],
    ['base64 instead of base64url', '+/+/.+/+/.+/+/'],
    ['a header that is an array', `${b64('[]')}.${b64('{}')}.AA`],
    ['a header with __proto__', `${b64('{"__proto__":{"alg":"ES256"}}')}.${b64('{}')}.AA`],
    ['a header with alg twice', `${b64('{"alg":"ES256","alg":"none"}')}.${b64('{}')}.AA`],
    [
      'claims that are not UTF-8',
      `${b64('{"alg":"ES256"}')}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.AA`,
    ],
    ['emoji', '😀.😀.😀'],
  ]
  test.each(tokens)('a JWT everywhere: %s', async (_name, token) => {
    expectClear(await world.exchange({ form: { client_assertion: token } }), 'oauth', [401])
    expectClear(await world.exchange({ form: { subject_token: token } }), 'oauth', [400])
    const asProof = Buffer.from(token).toString('latin1')
    expectClear(await world.exchange({ proofs: [asProof] }), 'oauth', [400])
    const { url, ...request } = oauthRequest(server.issuer, '/introspect', world.resource, { token }, {}, false)
    expect((await send(url, request)).body).toStrictEqual({ active: false })
  })

  test('two DPoP headers, two Authorization headers, in any spelling', async () => {
    const one = () => proof(world.agent.key, { method: 'POST', htu: `${server.issuer}/token`, now: new Date() })
    for (const headers of [
      [['DPoP', one()]],
      [['dpop', one()]],
      [['DPOP', '']],
      [
        ['Authorization', 'x'],
        ['authorization', 'y'],
      ],
    ] as [string, string][][]) {
      expectClear(await world.exchange({ headers }), 'oauth', [400])
    }
  })
})

describe('the admin API', () => {
  const bodies: readonly [string, string | Buffer, number][] = [
    ['1 MiB of one letter', 'a'.repeat(MiB), 413],
    ['1 MiB of brackets', '['.repeat(MiB), 413],
    ['20,000 brackets', deep(20_000), 400],
    ['10,000 objects', deepObject(10_000), 400],
    ['20,000 brackets in a member', `{"name":${deep(20_000)}}`, 400],
    ['no JSON', '{', 400],
    ['a member twice', '{"id":"a","id":"b"}', 400],
    ['__proto__', '{"__proto__":{"id":"a"}}', 400],
    ['prototype', '{"prototype":1}', 400],
    ['constructor', '{"constructor":{"prototype":{"x":1}}}', 400],
    ['a lone surrogate', '{"name":"\\ud800"}', 400],
    ['U+0000, escaped', '{"name":"a\\u0000b"}', 400],
    ['U+0000, raw', bytes('{"name":"a', [0], 'b"}'), 400],
    ['2^53', '{"x":9007199254740992}', 400],
    ['1e400', '{"x":1e400}', 400],
    ['invalid UTF-8', bytes('{"name":"', [0xff], '"}'), 400],
    ['a byte order mark', bytes([0xef, 0xbb, 0xbf], '{}'), 400],
    ['an array', '[]', 422],
    ['a string', '"x"', 422],
    ['null', 'null', 422],
    ['a member nobody knows', '{"colour":"blue"}', 422],
  ]
  test.each(
    ADMIN.flatMap(([method, path]) => bodies.map(([name, body, status]) => ({ method, path, name, body, status }))),
  )('$method $path: $name', async ({ method, path, body, status }) => {
    const answer = await call(method, path, body)
    // What is not there may be told before what is wrong with the body.
    expectClear(answer, 'problem', status === 422 ? [422, 404, 428] : [status])
  })

  test.each(ADMIN)('%s %s: other content types, and compressed', async (method, path) => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16', ';']) {
      expectClear(await call(method, path, '{}', [['Content-Type', type]]), 'problem', [415])
    }
    const gzipped = await call(method, path, gzipSync('{}'), [
      ['Content-Type', 'application/json'],
      ['Content-Encoding', 'gzip'],
    ])
    expectClear(gzipped, 'problem', [415])
  })

  test.each(ADMIN)('%s %s: without a token, garbage is not even read', async (method, path) => {
    for (const body of ['{', 'a'.repeat(MiB), deep(20_000)]) {
      const headers: [string, string][] = [['Content-Type', 'application/json']]
      const answer = await send(`${server.issuer}${path}`, { method, headers, body })
      expectClear(answer, 'problem', [401])
      expect(answer.headers['www-authenticate']).toMatch(/^DPoP /)
    }
  })

  test('two Authorization headers, two proofs, a foreign Host, a query nobody knows', async () => {
    const url = `${server.issuer}/admin/agents`
    const accessToken = world.api.token
    const own = () => proof(server.admin.key, { method: 'GET', htu: url, now: new Date(), accessToken })
    const token: [string, string] = ['Authorization', `DPoP ${accessToken}`]
    expectClear(await send(url, { headers: [token, token, ['DPoP', own()]] }), 'problem', [400, 401])
    expectClear(await send(url, { headers: [token, ['DPoP', own()], ['dpop', own()]] }), 'problem', [401])
    expect((await send(url, { headers: [token, ['DPoP', own()], ['Host', 'evil.example']] })).status).toBe(200)
    for (const query of [
      '?limit=201',
      '?limit=-1',
      '?limit=1e2',
      '?cursor=x',
      '?colour=blue',
      '?limit=1&limit=2',
      '?%zz',
      '?a[]=1',
    ]) {
      expectClear(await call('GET', `/admin/agents${query}`), 'problem', [400, 422])
    }
  })

  test.each([
    '%00',
    '%zz',
    '..%2f..%2fetc%2fpasswd',
    'a%0d%0aX-Evil:%201',
    '__proto__',
    'A',
    '%c3%a9',
    'a'.repeat(300),
    "'%20OR%201=1--",
  ])('an id that is %j', async (id) => {
    for (const path of [`/admin/agents/${id}`, `/admin/delegations/${id}`, `/admin/action-types/${id}`]) {
      const answer = await call('GET', path)
      expectClear(answer, 'problem', [400, 404, 422])
      expect(answer.headers).not.toHaveProperty('x-evil')
    }
  })
})

describe('what is hardly HTTP', () => {
  test.each([
    ['no HTTP', 'HELLO\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'a length and chunks',
      'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'two lengths',
      'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde',
      /^HTTP\/1\.1 400 /,
    ],
    ['a length that is no number', 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      'a chunk that is no number',
      'POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      /^HTTP\/1\.1 4\d\d /,
    ],
    ['no Host', 'GET /jwks HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['100 kB of headers', `GET /jwks HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(100 * KiB)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['5,000 headers', `GET /jwks HTTP/1.1\r\nHost: x\r\n${'X: a\r\n'.repeat(5_000)}\r\n`, /^HTTP\/1\.1 (431|200) /],
    ['a header with a line break in it', 'GET /jwks HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a URL of 100 kB', `GET /${'a'.repeat(100 * KiB)} HTTP/1.1\r\nHost: x\r\n\r\n`, /^HTTP\/1\.1 4\d\d /],
    [
      'a foreign absolute URL',
      'GET http://evil.example/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      /^HTTP\/1\.1 404 /,
    ],
    [
      'a path with bad escapes',
      'GET /action-types/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      /^HTTP\/1\.1 4\d\d /,
    ],
    [
      'a path of slashes',
      `GET ${'/'.repeat(8_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      /^HTTP\/1\.1 4\d\d /,
    ],
  ])('%s', async (_name, request, expected) => {
    const text = await raw(request)
    expect(text).toMatch(expected)
    expect(text).not.toMatch(INSIDES)
  })

  test('a request after one that was too large is answered as well', async () => {
    const large = `POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n`
    const chunk = `${(MiB).toString(16)}\r\n${'a'.repeat(MiB)}\r\n0\r\n\r\n`
    const text = await raw(`${large}${chunk}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(text).toMatch(/^HTTP\/1\.1 413 /)
    // Either the connection was closed, or what follows is understood as what it is.
    if (text.split('HTTP/1.1 ').length > 2) expect(text).toMatch(/HTTP\/1\.1 200 OK/)
  })
})

/** A call of the administrator with these bytes for a body. */
function call(
  method: string,
  path: string,
  body?: string | Buffer,
  headers: readonly [string, string][] = [['Content-Type', 'application/json']],
): Promise<Answer> {
  const url = `${server.issuer}${path}`
  const accessToken = world.api.token
  const htu = url.split('?')[0] ?? url
  return send(url, {
    method,
    headers: [
      ['Authorization', `DPoP ${accessToken}`],
      ['DPoP', proof(server.admin.key, { method, htu, now: new Date(), accessToken })],
      ...(method === 'PATCH' ? ([['If-Match', '"1"']] as const) : []),
      ...(body === undefined ? [] : headers),
    ],
    ...(body !== undefined && { body }),
  })
}

/** Whatever the server answers to these bytes, until it closes or is silent for a second. */
function raw(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1')
    const chunks: Buffer[] = []
    const end = () => {
      socket.destroy()
      resolve(Buffer.concat(chunks).toString('latin1'))
    }
    socket.setTimeout(1_000, end)
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('close', end)
    socket.on('error', (error: NodeJS.ErrnoException) => (chunks.length > 0 ? end() : reject(error)))
    socket.write(request)
  })
}
