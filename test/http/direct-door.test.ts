import { once } from 'node:events'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, exchangeRequest, FORM, oauthRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

const KiB = 1024
const MiB = 1024 * KiB
let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

type Request = Parameters<typeof send>[1]
const GZIP = ['Content-Encoding', 'gzip'] as const
const JSON_TYPE = ['Content-Type', 'application/json'] as const
const REQUEST_ID = ['X-Request-Id', 'mine'] as const
const ofWorld = (form: Record<string, string | undefined> = {}): Request => {
  const { url: _, ...request } = exchangeRequest(server.issuer, world.agent, world.wish, { form })
  return request
}

/** `/token` is served before Koa, `/token?` behind it: by the same door. */
describe('POST /token answers as behind Koa, with the same headers', () => {
  const cases: readonly (readonly [string, () => Request])[] = [
    ['an exchange', ofWorld],
    ['a request id of its own', () => ({ ...ofWorld(), headers: [...(ofWorld()?.headers ?? []), REQUEST_ID] })],
    ['a refusal', () => ofWorld({ resource: 'https://elsewhere.example' })],
    ['a malformed action', () => ofWorld({ authorization_details: '[' })],
    ['no credentials', () => ({ headers: [FORM], body: 'grant_type=client_credentials' })],
    ['no grant', () => ({ headers: [FORM], body: '' })],
    ['another grant', () => ({ headers: [FORM], body: 'grant_type=password' })],
    ['no form', () => ({ headers: [JSON_TYPE], body: '{}' })],
    ['a compressed form', () => ({ headers: [FORM, GZIP], body: gzipSync('a=b') })],
    ['a body that is too large', () => ({ headers: [FORM], body: 'a'.repeat(300 * KiB) })],
    [
      'an agent token, by oidc-provider',
      () => oauthRequest(server.issuer, '/token', world.agent, { grant_type: 'client_credentials' }),
    ],
  ]
  test.each(cases)('%s', async (_what, request) => {
    const shown = ({ status, headers, body }: Answer) => ({
      status,
      headers: Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, CHANGING.has(name) && value !== 'mine' ? '' : value]),
      ),
      ...(status === 200 ? { members: Object.keys(body) } : { body }),
    })
    const direct = await send(`${server.issuer}/token`, request())
    expect(shown(direct)).toEqual(shown(await send(`${server.issuer}/token?`, request())))
  })
  const CHANGING: ReadonlySet<string> = new Set(['date', 'x-request-id', 'content-length'])
})

describe.each(['/token', '/introspect'])('%s: a body that nobody reads', (path) => {
  /** What is answered to pieces that come one after the other on one connection, and to one request more. */
  async function answered(...pieces: readonly string[]): Promise<readonly string[]> {
    const socket = connect(server.port, '127.0.0.1')
    let received = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text
    })
    const ended = once(socket, 'close')
    for (const piece of [...pieces, 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n']) {
      await new Promise((resolve) => socket.write(piece, resolve))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await ended
    return received.match(/HTTP\/1\.1 \d{3}/g) ?? []
  }
  const head = (type: string, length: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\n${length}\r\n\r\n`
  const chunked = (bytes: number) => `${bytes.toString(16)}\r\n${'a'.repeat(bytes)}\r\n0\r\n\r\n`

  // As a client does that sends first and listens then, on a connection that it keeps.
  test.each([
    ['too much of it', 413, [head(FORM[1], `Content-Length: ${MiB}`), 'a'.repeat(MiB)]],
    ['too much of it, in chunks', 413, [head(FORM[1], 'Transfer-Encoding: chunked'), chunked(MiB)]],
    ['no form', 415, [head('text/plain', 'Content-Length: 7'), 'token=x']],
    ['no form, in chunks', 415, [head('text/plain', 'Transfer-Encoding: chunked'), chunked(7)]],
  ])('%s: %d, and the next request is answered', async (_what, status, pieces) => {
    expect(await answered(...pieces)).toEqual([`HTTP/1.1 ${status}`, 'HTTP/1.1 200'])
  })

  test('one without end ends the connection', async () => {
    const socket = connect(server.port, '127.0.0.1')
    let received = ''
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text
    })
    socket.on('error', () => {})
    const ended = new Promise((resolve) => socket.on('close', resolve))
    socket.write(head(FORM[1], 'Transfer-Encoding: chunked'))
    const chunk = chunked(MiB).slice(0, -5)
    const send = () => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', send)
    send()
    await ended
    expect(received).toMatch(/^HTTP\/1\.1 413 /)
  })
})
