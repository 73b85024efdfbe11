import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { closedLoop } from '../bench/harness/closed-loop.ts'
import { openConnection } from '../bench/harness/connection.ts'
import { openLoop } from '../bench/harness/open-loop.ts'
import { seededRandom } from '../bench/harness/statistics.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function serve(listener: RequestListener) {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

const answer: RequestListener = (request, response) => {
  const body = `you asked for ${request.url}`
  response.writeHead(request.url === '/7' ? 400 : 200, { 'Content-Length': Buffer.byteLength(body) }).end(body)
}
const requests = (count: number) =>
  Array.from({ length: count }, (_, i) => Buffer.from(`GET /${i} HTTP/1.1\r\nHost: bench\r\n\r\n`))

test('the closed loop sends each request once and keeps the order of the answers', async () => {
  const seen: (string | undefined)[] = []
  const target = await serve((request, response) => {
    seen.push(request.url)
    answer(request, response)
  })
  const { answers } = await closedLoop(target, requests(50), 4)
  expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 50 }, (_, i) => `you asked for /${i}`))
  expect(answers.flatMap(({ status }, i) => (status === 200 ? [] : [[i, status]]))).toEqual([[7, 400]])
  expect(new Set(seen).size).toBe(50)
})

test('the closed loop has no more in flight than it was told', async () => {
  let [inFlight, most] = [0, 0]
  const target = await serve((request, response) => {
    most = Math.max(most, ++inFlight)
    setImmediate(() => {
      inFlight--
      answer(request, response)
    })
  })
  await closedLoop(target, requests(60), 3)
  expect(most).toBeLessThanOrEqual(3)
})

test('the open loop counts what failed and has a latency for each request', async () => {
  const { latencies, failed } = await openLoop(await serve(answer), requests(100), 5_000, seededRandom(1))
  expect(failed).toBe(1)
  expect([...latencies].every((latency) => latency > 0)).toBe(true)
})

test('the open loop goes on sending while a server stalls, and counts the wait of those that came meanwhile', async () => {
  const held: (() => void)[] = []
  const target = await serve((request, response) => {
    held.push(() => answer(request, response))
    // Nobody is answered before all of them have come: a closed loop would wait here for ever.
    if (held.length === 100) for (const release of held.splice(0)) release()
  })
  const { latencies } = await openLoop(target, requests(100), 1_000, seededRandom(1))
  // All were answered at one moment, so the first to come waited longest, from the time it was meant to be sent.
  expect((latencies[0] as number) - (latencies[99] as number)).toBeGreaterThan(50)
})

test('a connection that was closed while it was idle fails, and is not waited for', async () => {
  const target = await serve(answer)
  const { exchange } = await openConnection(target)
  const [request] = requests(1)
  expect((await exchange(request as Buffer)).status).toBe(200)
  servers[0]?.closeAllConnections()
  await expect
    .poll(() =>
      exchange(request as Buffer).then(
        () => 'answered',
        ({ message }: Error) => message,
      ),
    )
    .toBe('the connection was closed')
})
