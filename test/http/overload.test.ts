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
let told = 0
const held: ServerResponse[] = []
const server = createServer(
  shedding(
    { isOver: () => isOver, answered: () => void told++ },
    () => {
      shed += 1
    },
    (request, response) => {
      if (request.url?.startsWith('/revocations')) {
        response.setHeader('Content-Type', 'text/event-stream').flushHeaders()
        held.push(response)
      } else if (request.url === '/hold') held.push(response)
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
  // Followers of the feed have nothing to do: they do not count, however they write its path.
  const following = Array.from({ length: MIN_IN_FLIGHT }, (_, n) =>
    send(`${url}/revocations${n % 2 === 0 ? '' : '?x'}`),
  )
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

test('bodies that never end are not enough under way, however late the loop comes round', async () => {
  isOver = false
  const before = held.length
  const sockets = Array.from({ length: 2 * MIN_IN_FLIGHT }, () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write('POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx')
    return socket
  })
  await expect.poll(() => held.length - before).toBe(2 * MIN_IN_FLIGHT)
  isOver = true
  expect((await send(`${url}/token`, { method: 'POST', body: 'x' })).status).toBe(200)
  for (const socket of sockets) socket.destroy()
})

test('requests whose connection broke are under way no more, pipelined ones among them', async () => {
  isOver = false
  const [before, shedBefore] = [held.length, shed]
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET /hold HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2 * MIN_IN_FLIGHT))
  await expect.poll(() => held.length - before).toBe(2 * MIN_IN_FLIGHT)
  const { socket: accepted } = held.at(-1)?.req ?? {}
  const closed = new Promise((resolve) => accepted?.once('close', resolve))
  const toldBefore = told
  socket.destroy()
  await closed
  expect(told - toldBefore).toBe(2 * MIN_IN_FLIGHT)
  isOver = true
  expect((await send(`${url}/token`, { method: 'POST', body: 'x' })).status).toBe(200)
  expect(shed).toBe(shedBefore)
})

test('who sends slowly, or holds a page open, is no work: only what has come whole counts', async () => {
  const waiting: ServerResponse[] = []
  let [turnedAway, done] = [0, 0]
  const slow = createServer(
    shedding(
      { isOver: (underWay) => underWay > 100, answered: () => {} },
      () => {
        turnedAway += 1
      },
      (request, response) => {
        if (request.url === '/token') {
          done += 1
          return response.end('{}')
        }
        request.resume()
        if (request.url === '/me/events') response.setHeader('Content-Type', 'text/event-stream').flushHeaders()
        waiting.push(response)
        return undefined
      },
    ),
  )
  slow.listen(0, '127.0.0.1')
  await once(slow, 'listening')
  const { port } = slow.address() as AddressInfo
  const open = (text: string) =>
    Array.from({ length: 120 }, () => {
      const socket = connect(port, '127.0.0.1')
      socket.write(text)
      return socket
    })
  const statusOf = async () => (await send(`http://127.0.0.1:${port}/token`, { method: 'POST', body: 'x' })).status
  // Answers that stand behind one that is not there yet, or that nobody reads, are done.
  const pipeline = connect(port, '127.0.0.1')
  pipeline.write(`GET /first HTTP/1.1\r\nHost: x\r\n\r\n${'GET /token HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(150)}`)
  await expect.poll(() => waiting.length).toBe(1)
  await expect.poll(() => done).toBe(150)
  expect([await statusOf(), turnedAway]).toEqual([200, 0])
  const sockets = open('GET /me/events HTTP/1.1\r\nHost: x\r\n\r\n')
  sockets.push(...open('POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx'))
  await expect.poll(() => waiting.length).toBe(241)
  expect([await statusOf(), turnedAway]).toEqual([200, 0])
  sockets.push(...open('GET /whole HTTP/1.1\r\nHost: x\r\n\r\n'))
  await expect.poll(statusOf).toBe(503)
  for (const socket of [...sockets, pipeline]) socket.destroy()
  slow.closeAllConnections()
  slow.close()
})

test('a loop that stays late is beyond capacity until it is not; so is a database that is behind', async () => {
  const busy = (milliseconds: number) => {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
  }
  const guard = overloadGuard(() => 0)
  // Where the machine takes this process off for a while, a sample between two stalls is in time, and they are not in a row.
  for (let stalls = 0; stalls < 50 && !guard.isOver(0); stalls++) {
    await new Promise((resolve) => setTimeout(resolve, 0))
    busy(200)
    // The guard's timer is due, and runs before this one.
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  expect(guard.isOver(0)).toBe(true)
  await expect.poll(() => guard.isOver(0), { timeout: 20_000 }).toBe(false)
  guard.stop()
  for (const [behindMs, isExpected] of [
    [100, false],
    [101, true],
  ] as const) {
    const behind = overloadGuard(() => behindMs)
    expect(behind.isOver(0)).toBe(isExpected)
    behind.stop()
  }
})

test('a loop without rest has a limit of what is under way: what it answers in a tenth of a second, and never few', async () => {
  const guard = overloadGuard(() => 0)
  let isWorking = true
  const work = (async () => {
    while (isWorking) {
      const end = performance.now() + 2
      while (performance.now() < end);
      for (let i = 0; i < 8; i++) guard.answered() // four a millisecond, so some four hundred in a tenth of a second
      await new Promise(setImmediate)
    }
  })()
  await expect.poll(() => guard.isOver(1_000), { timeout: 20_000 }).toBe(true)
  expect(guard.isOver(128)).toBe(false)
  isWorking = false
  await work
  // With rest: however many wait, they wait for something else.
  await expect.poll(() => guard.isOver(100_000), { timeout: 20_000 }).toBe(false)
  guard.stop()
})
