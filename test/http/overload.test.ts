import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { overloadGuard } from '../../src/adapters/overload.ts'
import { send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

/** The server runs in this process, so that what holds up the test's event loop holds up the server's. */
let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer({ shedOverload: true, metricsPort: 0 })
  world = await createWorld(server)
})
afterAll(() => server?.close())

let hog: NodeJS.Timeout | undefined
/** Keeps the event loop busy: every turn of it takes this long. */
const keepBusy = (milliseconds: number) => {
  hog = setInterval(() => {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
  }, 0)
}
afterEach(() => clearInterval(hog))

test('beyond capacity: 503 with Retry-After before anything is read, in the words of each door; probes are answered; counted', async () => {
  keepBusy(200)
  await sleep(1_000)
  const answers = {
    token: await world.exchange(),
    nonsense: await send(`${server.issuer}/token`, { method: 'POST', body: 'not a form' }),
    admin: await world.api.call('GET', '/admin/agents'),
  }
  const probe = await send(`${server.issuer}/healthz`)
  clearInterval(hog)
  for (const [door, { status, headers, body }] of Object.entries(answers)) {
    expect({ door, status }).toEqual({ door, status: 503 })
    expect(headers['retry-after'], door).toBe('1')
    expect(headers['cache-control'], door).toBe('no-store')
    expect(headers['x-request-id'], door).toMatch(/^\S{16}$/)
    if (door === 'admin') {
      expect(headers['content-type']).toBe('application/problem+json')
      expect(body).toMatchObject({ status: 503, request_id: headers['x-request-id'] })
    } else expect(body.error).toBe('temporarily_unavailable')
  }
  expect(probe.status).toBe(200)
  await expect.poll(async () => (await world.exchange()).status, { timeout: 10_000 }).toBe(200)
  const { text } = await send(`http://127.0.0.1:${server.metricsPort}/metrics`)
  expect(Number(/^writ_shed_total (\d+)$/m.exec(text)?.[1])).toBeGreaterThanOrEqual(3)
})

test('a single long turn of the loop sheds nothing', async () => {
  for (let n = 0; n < 5; n += 1) {
    const end = performance.now() + 200
    while (performance.now() < end);
    const [exchange] = await Promise.all([world.exchange(), sleep(50)])
    expect(exchange.status).toBe(200)
  }
})

test('issuances that pile up before the database are beyond capacity as well', () => {
  for (const [behindMs, isOver] of [
    [0, false],
    [200, false],
    [201, true],
  ] as const) {
    const guard = overloadGuard(() => behindMs)
    expect(guard.isOver()).toBe(isOver)
    guard.stop()
  }
})

test('off by default: late, and answered', async () => {
  const plain = await startTestServer()
  const own = await createWorld(plain)
  keepBusy(200)
  await sleep(1_000)
  expect((await own.exchange()).status).toBe(200)
  clearInterval(hog)
  await plain.close()
})
