import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { fetchCompatible } from '../../../src/adapters/net/fetch-compatible.ts'
import { GuardedFetchError, type GuardedFetchOptions, guardedFetch } from '../../../src/adapters/net/guarded-fetch.ts'
import { isPublicAddress } from '../../../src/adapters/net/public-address.ts'

const servers: Server[] = []
afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => new Promise((done) => server.closeAllConnections() ?? server.close(done))),
  )
})

/** A server on this machine, and what it was asked. */
async function local(listener: RequestListener): Promise<{ readonly port: number; readonly asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers.host}${request.url}`)
    listener(request, response)
  })
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return { port: (server.address() as AddressInfo).port, asked }
}

const ok: RequestListener = (_, response) => response.end('hello')
const never: GuardedFetchOptions['resolve'] = () => Promise.reject(new Error('nobody asked for a name'))

async function kindOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => 'answered',
    (e: unknown) => e,
  )
  return error instanceof GuardedFetchError ? error.kind : String(error)
}

describe('an address', () => {
  test.each([
    ...[
      '127.0.0.1',
      '127.255.255.254',
      '0.0.0.0',
      '0.1.2.3',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
    ],
    ...['169.254.169.254', '100.64.0.1', '192.0.0.1', '192.0.2.1', '192.88.99.1', '198.18.0.1', '198.51.100.1'],
    ...['203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
    ...['2130706433', '0x7f.1', '0177.0.0.1', '127.1', '134744072', '', 'localhost', '8.8.8.8 ', '8.8.8.8:80'],
    ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fc00::1', 'fd12:3456::1', 'fec0::1', 'ff02::1', '100::1'],
    ...[
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::ffff:7f00:1',
      '::127.0.0.1',
      '::7f00:1',
      '::8.8.8.8',
      '::ffff:0:7f00:1',
    ],
    ...['64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::a00:1', '2002:7f00:1::', '2002:808:808::1', '2001::1'],
    ...['2001:db8::1', '3fff::1', '2001:2::1', '2001:10::1', '5f00::1', '4000::1', '2606:4700::1111%eth0'],
  ])('%s is not of the public internet', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700:4700::1111', '2a00:1450:4001:80b::200e'])(
    '%s is',
    (address) => {
      expect(isPublicAddress(address)).toBe(true)
    },
  )
})

describe('the guard', () => {
  test.each<[string, string]>([
    ['http', 'http://hooks.example/'],
    ['another protocol', 'ftp://hooks.example/'],
    ['a file', 'file:///etc/passwd'],
    ['data', 'data:text/plain,hello'],
    ['credentials', 'https://user:secret@hooks.example/'],
    ['a user alone', 'https://user@hooks.example/'],
    ['another port', 'https://hooks.example:8443/'],
    ['the port of another protocol', 'https://hooks.example:22/'],
    ['no URL', 'hooks.example'],
    ['a long one', `https://hooks.example/${'a'.repeat(2_048)}`],
    ['loopback', 'https://127.0.0.1/'],
    ['loopback, short', 'https://127.1/'],
    ['a decimal host', 'https://2130706433/'],
    ['a hexadecimal host', 'https://0x7f000001/'],
    ['an octal host', 'https://0177.0.0.1/'],
    ['a host of wide digits', 'https://１２７.0.0.1/'],
    ['a host with a dot at its end', 'https://127.0.0.1./'],
    ['nothing', 'https://0/'],
    ['a private host', 'https://10.1.2.3/'],
    ['a decimal private host', 'https://167772161/'],
    ['link-local', 'https://169.254.169.254/latest/meta-data/'],
    ['IPv6 loopback', 'https://[::1]/'],
    ['IPv6 nothing', 'https://[::]/'],
    ['IPv6 link-local', 'https://[fe80::1]/'],
    ['IPv6 unique local', 'https://[fd00::1]/'],
    ['IPv4-mapped', 'https://[::ffff:127.0.0.1]/'],
    ['IPv4-mapped in hex', 'https://[::ffff:a9fe:a9fe]/'],
    ['IPv4-compatible', 'https://[::127.0.0.1]/'],
    ['NAT64', 'https://[64:ff9b::7f00:1]/'],
    ['6to4', 'https://[2002:7f00:1::]/'],
  ])('does not ask %s', async (_, url) => {
    const ask = guardedFetch({ allowLoopback: false, resolve: async () => ['8.8.8.8'], timeoutSeconds: 1 })
    expect(await kindOf(ask(url))).toBe('refused')
  })

  test.each<[string, readonly string[]]>([
    ['loopback', ['127.0.0.1']],
    ['a private address', ['10.0.0.1']],
    ['cloud metadata', ['169.254.169.254']],
    ['IPv6 loopback', ['::1']],
    ['an IPv4-mapped address', ['::ffff:10.0.0.1']],
    ['a public address and a private one', ['8.8.8.8', '192.168.0.1']],
    ['nothing', []],
    ['more than anybody has', Array(33).fill('8.8.8.8')],
  ])('does not ask a name that stands for %s', async (_, addresses) => {
    const ask = guardedFetch({ allowLoopback: false, resolve: async () => addresses })
    expect(await kindOf(ask('https://hooks.example/'))).toBe('refused')
  })

  test('does not ask names of this machine, resolved by the system', async () => {
    const ask = guardedFetch({ allowLoopback: false })
    expect(await kindOf(ask('https://localhost/'))).toBe('refused')
    // Not every system resolves it.
    expect(['refused', 'unreachable']).toContain(await kindOf(ask('https://localhost./')))
  })

  test('resolves a name once, and connects to what it found', async () => {
    const { port, asked } = await local(ok)
    const names: string[] = []
    const answers = [['127.0.0.1'], ['10.0.0.1']]
    const ask = guardedFetch({
      allowLoopback: true,
      resolve: async (name) => {
        names.push(name)
        return answers.shift() ?? []
      },
    })
    const answer = await ask(`http://hooks.example:${port}/ping?a=1`)
    expect(Buffer.from(answer.body).toString()).toBe('hello')
    expect(names).toEqual(['hooks.example'])
    expect(asked).toEqual([`GET hooks.example:${port}/ping?a=1`])
    // The name has moved inside meanwhile.
    expect(await kindOf(ask(`http://hooks.example:${port}/`))).toBe('refused')
    expect(asked).toHaveLength(1)
  })

  test('asks this machine only where that is allowed, and nothing else by http', async () => {
    const { port, asked } = await local(ok)
    expect(await kindOf(guardedFetch({ allowLoopback: false, ports: [443, port] })(`http://127.0.0.1:${port}/`))).toBe(
      'refused',
    )
    const ask = guardedFetch({ allowLoopback: true, resolve: async () => ['8.8.8.8'] })
    expect(await kindOf(ask('http://hooks.example/'))).toBe('refused')
    expect(await kindOf(ask('https://hooks.example:8443/'))).toBe('refused')
    expect(await kindOf(ask('http://10.0.0.1/'))).toBe('refused')
    expect(asked).toEqual([])
    expect((await ask(`http://127.0.0.1:${port}/`)).status).toBe(200)
  })

  test('follows no redirect', async () => {
    const inside = await local(ok)
    const { port } = await local((_, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${inside.port}/` }).end()
    })
    const ask = guardedFetch({ allowLoopback: true, resolve: never })
    expect((await ask(`http://127.0.0.1:${port}/`)).status).toBe(302)
    const fetchLike = fetchCompatible(ask)
    expect((await fetchLike(`http://127.0.0.1:${port}/`, { redirect: 'manual' })).status).toBe(302)
    await expect(fetchLike(`http://127.0.0.1:${port}/`)).rejects.toThrow(TypeError)
    expect(inside.asked).toEqual([])
  })

  test('waits no longer than it may, for an answer or for the end of one', async () => {
    const silent = await local(() => {})
    const dripping = await local((_, response) => {
      const timer = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(timer))
    })
    const ask = guardedFetch({ allowLoopback: true, timeoutSeconds: 0.2, resolve: () => new Promise(() => {}) })
    expect(await kindOf(ask(`http://127.0.0.1:${silent.port}/`))).toBe('timed_out')
    expect(await kindOf(ask(`http://127.0.0.1:${dripping.port}/`))).toBe('timed_out')
    expect(await kindOf(ask('https://hooks.example/'))).toBe('timed_out')
  })

  test('reads no more than it may, and nothing that could unpack to more', async () => {
    const large = await local((_, response) => response.end('a'.repeat(1_001)))
    const packed = await local((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'))
    const ask = guardedFetch({ allowLoopback: true, maxBytes: 1_000 })
    expect(await kindOf(ask(`http://127.0.0.1:${large.port}/`))).toBe('too_large')
    expect(await kindOf(ask(`http://127.0.0.1:${packed.port}/`))).toBe('unexpected_answer')
    expect(await kindOf(ask(`http://127.0.0.1:${large.port}/`, { method: 'POST', body: 'a'.repeat(65_537) }))).toBe(
      'too_large',
    )
  })

  test('asks no more at a time than it may, and goes on afterwards', async () => {
    const { port } = await local(() => {})
    const ask = guardedFetch({ allowLoopback: true, maxConcurrent: 2, timeoutSeconds: 0.2 })
    const url = `http://127.0.0.1:${port}/`
    const kinds = await Promise.all([kindOf(ask(url)), kindOf(ask(url)), kindOf(ask(url))])
    expect(kinds.sort()).toEqual(['busy', 'timed_out', 'timed_out'])
    expect(await kindOf(ask(url))).toBe('timed_out')
  })

  test('stops when its caller does, and says why', async () => {
    const { port } = await local(() => {})
    const controller = new AbortController()
    const asking = guardedFetch({ allowLoopback: true })(`http://127.0.0.1:${port}/`, { signal: controller.signal })
    setTimeout(() => controller.abort(new Error('enough')), 20)
    await expect(asking).rejects.toThrow('enough')
  })

  test('that was stopped before its name was found fails once, and not the process with it', async () => {
    const ask = guardedFetch({ allowLoopback: false, resolve: () => Promise.reject(new Error('no such name')) })
    await expect(ask('https://a.example/', { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    )
    // A rejection that nobody handles shows in a later turn of the event loop, and fails the run.
    await new Promise(setImmediate)
  })

  test('says nothing of what was asked in its errors', async () => {
    const ask = guardedFetch({ allowLoopback: true })
    const error = await ask('http://127.0.0.1:1/?token=s3cret').catch((e: unknown) => e)
    expect(error).toMatchObject({ kind: 'unreachable', message: 'it cannot be reached (ECONNREFUSED)' })
  })
})

describe('the guard as a fetch', () => {
  test('sends what it is given, and says what came', async () => {
    const seen: unknown[] = []
    const { port } = await local((request, response) => {
      let text = ''
      request.on('data', (chunk) => {
        text += chunk
      })
      request.on('end', () => {
        const { host, 'content-type': type, 'x-a': a, connection } = request.headers
        seen.push({ method: request.method, host, type, a, connection, text })
        response.writeHead(201, { 'content-type': 'application/json', 'x-b': '1' }).end('{"a":1}')
      })
    })
    const fetchLike = fetchCompatible(guardedFetch({ allowLoopback: true }))
    const response = await fetchLike(new URL(`http://127.0.0.1:${port}/x`), {
      method: 'POST',
      headers: { 'x-a': 'b', host: 'elsewhere.example', connection: 'upgrade' },
      body: new URLSearchParams({ a: 'b c' }),
    })
    expect(response).toBeInstanceOf(Response)
    expect([response.status, response.headers.get('x-b'), response.url]).toEqual([
      201,
      '1',
      `http://127.0.0.1:${port}/x`,
    ])
    expect(await response.json()).toEqual({ a: 1 })
    expect(seen).toEqual([
      {
        ...{ method: 'POST', host: `127.0.0.1:${port}`, a: 'b', connection: 'close', text: 'a=b+c' },
        type: 'application/x-www-form-urlencoded;charset=UTF-8',
      },
    ])
  })

  test('goes through the guard, whatever else its caller brings', async () => {
    const around: object = { dispatcher: { dispatch: () => expect.unreachable() } }
    const fetchLike = fetchCompatible(guardedFetch({ allowLoopback: false }))
    await expect(fetchLike('https://127.0.0.1/', around)).rejects.toThrow(GuardedFetchError)
    await expect(fetchLike('https://[::ffff:127.0.0.1]/')).rejects.toThrow(GuardedFetchError)
  })
})

describe('an answer that is none', () => {
  /** Says this as soon as it is asked anything, and leaves the connection open. */
  const saying = async (text: string): Promise<{ readonly port: number; readonly close: () => void }> => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write(text))
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return { port: (server.address() as AddressInfo).port, close: () => server.close() }
  }

  test.each([
    ['it changes the protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
    ['it goes on for ever before it begins', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['it has no end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n'],
    ['it is not HTTP', '220 mail.example ESMTP\r\n'],
  ])('%s: the request ends, and its place is free again', { timeout: 10_000 }, async (_, text) => {
    const { port, close } = await saying(text)
    const fetchOnce = guardedFetch({ allowLoopback: true, timeoutSeconds: 1, maxConcurrent: 1 })
    for (let i = 0; i < 2; i++) {
      expect(await kindOf(fetchOnce(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{}' }))).toMatch(
        /^(?:timed_out|unreachable|unexpected_answer)$/,
      )
    }
    close()
  })
})
