import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MetricsPortRefused } from '../../src/adapters/metrics/metrics-listener.ts'
import { oauthRequest, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer({ metricsPort: 0 })
  world = await createWorld(server)
})
afterAll(() => server?.close())

const metricsUrl = () => `http://127.0.0.1:${server.metricsPort}/metrics`
const read = async () => (await send(metricsUrl())).text
/** One value, by its whole name with labels; 0 where it is not there yet. */
const metric = (text: string, name: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1) ?? 0,
  )

test('requests are counted by route and outcome, refusals by code, exchanges by how long they took', async () => {
  const before = await read()
  for (let n = 0; n < 3; n += 1) expect((await world.exchange()).status).toBe(200)
  const refused = await world.exchange({}, { action: { ...world.action, to: ['bob@elsewhere.example'] } })
  expect(refused.status).toBe(400)
  expect((await send(`${server.issuer}/no/such/path`)).status).toBe(404)
  expect((await world.api.call('GET', `/admin/agents/${world.agent.id}`)).status).toBe(200)
  expect((await world.api.call('GET', '/admin/agents/nobody')).status).toBe(404)
  const after = await read()
  const grown = (name: string) => metric(after, name) - metric(before, name)
  expect(grown('writ_requests_total{route="/token",outcome="ok"}')).toBe(3)
  expect(grown('writ_requests_total{route="/token",outcome="refused"}')).toBe(1)
  expect(grown('writ_requests_total{route="/admin/agents/:id",outcome="ok"}')).toBe(1)
  expect(grown('writ_requests_total{route="none",outcome="refused"}')).toBe(1)
  expect(grown('writ_refusals_total{code="action_not_permitted"}')).toBe(1)
  expect(grown('writ_refusals_total{code="not_found"}')).toBe(1)
  expect(grown('writ_exchange_seconds_count{outcome="ok"}')).toBe(3)
  expect(grown('writ_exchange_seconds_bucket{le="+Inf",outcome="refused"}')).toBe(1)
  expect(grown('writ_exchange_seconds_sum{outcome="ok"}')).toBeGreaterThan(0)
})

test('the queue, the event loop and the requests turned away are there; connections where the database has some', async () => {
  const text = await read()
  expect(text).toMatch(/^writ_commits_waiting 0$/m)
  expect(text).toMatch(/^writ_shed_total 0$/m)
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m)
  expect(text.includes('writ_database_connections ')).toBe(server.databaseUrl !== undefined)
})

test('a client credentials grant is no exchange', async () => {
  const before = metric(await read(), 'writ_exchange_seconds_count{outcome="ok"}')
  const request = oauthRequest(server.issuer, '/token', world.agent, { grant_type: 'client_credentials' })
  expect((await send(request.url, request)).status).toBe(200)
  expect(metric(await read(), 'writ_exchange_seconds_count{outcome="ok"}')).toBe(before)
})

test('no label says who called', async () => {
  const text = await read()
  for (const id of [
    world.agent.id,
    world.principal,
    world.resource.id,
    world.delegation.id,
    world.identifier,
    'nobody',
  ]) {
    expect(text).not.toContain(id)
  }
  expect(
    new Set(text.match(/\b(?:route|outcome|code|le|version|major|minor|patch|type|kind|space|quantile)(?==")/g)),
  ).toEqual(new Set([...text.matchAll(/[{,]([a-z_]+)="/g)].map(([, name]) => name)))
})

test('nothing else is there, and the metrics are nowhere else', async () => {
  expect((await send(metricsUrl().replace('/metrics', '/'))).status).toBe(404)
  expect((await send(`${metricsUrl()}?x`)).status).toBe(404)
  expect((await send(metricsUrl(), { method: 'POST' })).status).toBe(404)
  expect((await send(`${server.issuer}/metrics`)).status).toBe(404)
})

test('a port that is taken stops the start', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as { port: number }
  await expect(startTestServer({ metricsPort: port })).rejects.toThrow(MetricsPortRefused)
  other.close()
})

test('off by default, and then not even loaded', async () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  for (const file of files) {
    expect(readFileSync(`src/${file}`, 'utf8'), file).not.toMatch(
      /^import (?!type).*'(prom-client|@opentelemetry\/.*)'/m,
    )
  }
  const plain = await startTestServer()
  expect(plain.metricsPort).toBeUndefined()
  expect(await plain.metrics()).toEqual([])
  await plain.close()
})
