import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readBody } from '../../src/http/read-body.ts'

const arrived: IncomingMessage[] = []
const server = createServer((request) => arrived.push(request))
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => server.close())

test.each([
  ['all of it had come', 'hello'],
  ['half of it had come', 'he'],
])('a body whose sender hung up before it was read ends at once: %s', async (_what, body) => {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n${body}`)
  await once(server, 'request')
  const request = arrived.pop() as IncomingMessage
  // As at the admin API, which asks the database who calls before it reads what he sends.
  socket.destroy()
  await new Promise((resolve) => request.on('close', resolve))
  expect(await readBody(request, 100)).toMatchObject({ code: 'request_malformed' })
})
