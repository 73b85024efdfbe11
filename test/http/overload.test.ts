import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { overloadGuard } from '../../src/adapters/overload.ts'
import { shedding } from '../../src/http/shed.ts'
import { send } from '../support/clients.ts'

/** The layer itself in front of requests that stay under way; the whole server beyond its capacity is in test/pg/overload.test.ts. */
const MIN_IN_FLIGHT = 32
let isOver = false
let shed = 0
const held: ServerResponse[] = []
const server = createServer(
  shedding(
    () => isOver,
    () => {
      shed += 1
    },
    (request, response) => {
      if (request.url === '/hold' || request.url === '/revocations') held.push(response)
      else response.end('{}')
    },
  ),
)
let url: string
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

test('turned away only beyond capacity and with enough under way, in the words of each door; probes are answered', async () => {
  const statusOf = async (path: string) => (await send(`${url}${path}`, { method: 'POST', body: 'x' })).status
  // Followers of the feed have nothing to do: they do not count.
  const following = Array.from({ length: MIN_IN_FLIGHT }, () => send(`${url}/revocations`))
  await expect.poll(() => held.length).toBe(MIN_IN_FLIGHT)
  const followed = held.splice(0)
  isOver = true
  expect(await statusOf('/token')).toBe(200)
  const holding = Array.from({ length: MIN_IN_FLIGHT }, () => send(`${url}/hold`))
  await expect.poll(() => held.length).toBe(MIN_IN_FLIGHT)
  const token = await send(`${url}/token`, { method: 'POST', body: 'x' })
  const admin = await send(`${url}/admin/agents`)
  for (const { status, headers } of [token, admin]) {
    expect(status).toBe(503)
    expect(headers['retry-after']).toBe('1')
    expect(headers['cache-control']).toBe('no-store')
    expect(headers['x-request-id']).toMatch(/^\S{16}$/)
  }
  expect(token.body.error).toBe('temporarily_unavailable')
  expect(admin.headers['content-type']).toBe('application/problem+json')
  expect(admin.body).toMatchObject({ status: 503, request_id: admin.headers['x-request-id'] })
  expect([await statusOf('/healthz'), await statusOf('/readyz')]).toEqual([200, 200])
  expect(shed).toBe(2)

  isOver = false
  expect(await statusOf('/token')).toBe(200)
  isOver = true
  // One fewer under way: it is not the requests that make it late.
  held.pop()?.end('{}')
  await expect.poll(() => statusOf('/token')).toBe(200)
  for (const response of [...held, ...followed]) response.end('{}')
  await Promise.all([...holding, ...following])
})

test('requests whose connection broke are under way no more, pipelined ones among them', async () => {
  isOver = false
  const [before, shedBefore] = [held.length, shed]
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET /hold HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2 * MIN_IN_FLIGHT))
  await expect.poll(() => held.length - before).toBe(2 * MIN_IN_FLIGHT)
  const { socket: accepted } = held.at(-1)?.req ?? {}
  const closed = new Promise((resolve) => accepted?.once('close', resolve))
  socket.destroy()
  await closed
  isOver = true
  expect((await send(`${url}/token`, { method: 'POST', body: 'x' })).status).toBe(200)
  expect(shed).toBe(shedBefore)
})

test('a loop that stays late is beyond capacity until it is not; so is a database that is behind', async () => {
  const busy = (milliseconds: number) => {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
  }
  const guard = overloadGuard(() => 0)
  // Where the machine takes this process off for a while, a sample between two stalls is in time, and they are not in a row.
  for (let stalls = 0; stalls < 50 && !guard.isOver(); stalls++) {
    await new Promise((resolve) => setTimeout(resolve, 0))
    busy(200)
    // The guard's timer is due, and runs before this one.
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(guard.isOver()).toBe(true)
  await expect.poll(() => guard.isOver(), { timeout: 20_000 }).toBe(false)
  guard.stop()
  for (const [behindMs, isExpected] of [
    [200, false],
    [201, true],
  ] as const) {
    const behind = overloadGuard(() => behindMs)
    expect(behind.isOver()).toBe(isExpected)
    behind.stop()
  }
})
