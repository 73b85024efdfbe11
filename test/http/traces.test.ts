import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { exchangeRequest, oauthRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

interface SpanReceived {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[]
}

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'

/** A collector that takes what comes (OTLP over HTTP, JSON). */
let collector: Server
const bodies: string[] = []
let server: TestServer
let world: World
/** Everything the client sent or was sent that is worth stealing. */
const secrets: string[] = []

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    if (request.url === '/v1/traces') bodies.push(await text(request))
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}')
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const otlpEndpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
  server = await startTestServer({ otlpEndpoint, serviceName: 'writ-test' })
  world = await createWorld(server)
  const exchange = async (traceparent: string, wish: object = {}) => {
    const { url, headers, body } = exchangeRequest(server.issuer, world.agent, { ...world.wish, ...wish })
    secrets.push(...new URLSearchParams(String(body)).values())
    secrets.push(...headers.filter(([name]) => name.toLowerCase() === 'dpop').map(([, proof]) => proof))
    const answer = await send(url, { method: 'POST', headers: [...headers, ['traceparent', traceparent]], body })
    if (answer.body.access_token !== undefined) secrets.push(answer.body.access_token)
    return answer.status
  }
  expect(await exchange(`00-${TRACE}-${PARENT}-01`)).toBe(200)
  expect(
    await exchange(`00-${TRACE}-${PARENT}-01`, { action: { ...world.action, to: ['bob@elsewhere.example'] } }),
  ).toBe(400)
  // Not sampled by its caller, and what is no traceparent.
  expect(await exchange(`00-${'a'.repeat(32)}-${PARENT}-00`)).toBe(200)
  expect(await exchange(`00-${'0'.repeat(32)}-${PARENT}-01`)).toBe(200)
  expect(await exchange(`01-${'b'.repeat(32)}-${PARENT}-01`)).toBe(200)
  const request = oauthRequest(server.issuer, '/token', world.agent, { grant_type: 'client_credentials' })
  secrets.push((await send(request.url, request)).body.access_token)
  // What is not sent yet is sent when the server closes.
  await server.close()
})
afterAll(() => {
  collector.close()
})

const received = () => bodies.flatMap((body) => JSON.parse(body).resourceSpans as ResourceSpans[])
interface ResourceSpans {
  readonly resource: { readonly attributes: SpanReceived['attributes'] }
  readonly scopeSpans: readonly { readonly spans: readonly SpanReceived[] }[]
}
const spans = () => received().flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
const attribute = (span: SpanReceived | undefined, name: string) =>
  Object.values(span?.attributes.find(({ key }) => key === name)?.value ?? {})[0]

test('an exchange is a span below its caller’s, and its steps are spans below it', () => {
  const [granted, refused, ...more] = spans().filter(({ parentSpanId }) => parentSpanId === PARENT)
  expect(more).toEqual([])
  expect([granted?.traceId, refused?.traceId]).toEqual([TRACE, TRACE])
  expect(granted?.name).toBe('POST /token')
  expect(attribute(granted, 'http.route')).toBe('/token')
  expect(attribute(granted, 'http.response.status_code')).toBe(200)
  expect(attribute(granted, 'writ.refusal')).toBeUndefined()
  expect(attribute(granted, 'writ.request_id')).toMatch(/^\S{16}$/)
  const below = (span: SpanReceived | undefined) =>
    new Set(
      spans()
        .filter(({ parentSpanId }) => parentSpanId === span?.spanId)
        .map(({ name }) => name),
    )
  expect(below(granted)).toEqual(
    new Set(['authenticate', 'read the client', 'verify the subject token', 'read the delegation', 'commit', 'sign']),
  )
  expect(attribute(refused, 'http.response.status_code')).toBe(400)
  expect(attribute(refused, 'writ.refusal')).toBe('action_not_permitted')
  expect(below(refused).has('commit')).toBe(true)
  expect(below(refused).has('sign')).toBe(false)
  const [first] = received()
  expect(first?.resource.attributes).toContainEqual({ key: 'service.name', value: { stringValue: 'writ-test' } })
})

test('what its caller does not sample is not sent; what is no traceparent begins a trace of its own', () => {
  const traces = new Set(spans().map(({ traceId }) => traceId))
  for (const wrong of ['a'.repeat(32), 'b'.repeat(32), '0'.repeat(32)]) expect(traces).not.toContain(wrong)
  const roots = spans().filter(({ name, parentSpanId }) => name === 'POST /token' && !parentSpanId)
  expect(roots.length).toBeGreaterThanOrEqual(3)
})

test('no token, proof, assertion, key or id of a caller is in what was sent', () => {
  expect(secrets.length).toBeGreaterThan(10)
  const all = bodies.join('\n')
  for (const secret of secrets.filter((value) => value.length > 20 && !value.startsWith('urn:'))) {
    expect(all).not.toContain(secret)
  }
  for (const id of [world.agent.id, world.principal, world.resource.id, world.delegation.id]) {
    expect(all).not.toContain(id)
  }
})

test('a collector that is away costs nothing but the spans', async () => {
  const lonely = await startTestServer({ otlpEndpoint: 'http://127.0.0.1:1' })
  const own = await createWorld(lonely)
  expect((await own.exchange()).status).toBe(200)
  await lonely.close()
})
