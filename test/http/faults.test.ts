import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import Koa from 'koa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faults, faultsOfKoa } from '../../src/http/faults.ts'

/** The layer itself, in front of doors that break after they have begun to answer. */
const WHOLE = 'x'.repeat(8 * 1024 * 1024)
const logged: string[] = []
const app = new Koa()
const ofKoa: unknown[] = []
app.on('error', faultsOfKoa({ logFault: ({ error }) => void ofKoa.push(error) }))
app.use(faults({ isUnavailable: () => false, logFault: ({ path }) => void logged.push(path) }))
const followed = new PassThrough()
app.use(async (context) => {
  const { path, res } = context
  if (path === '/followed') {
    context.res.on('close', () => followed.destroy())
    context.body = followed
    followed.write('data')
    return
  }
  if (path === '/whole') res.end(WHOLE)
  else res.write('half of ')
  throw new Error('too late')
})
const server = createServer(app.callback())
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

test('a fault in the middle of an answer ends the connection, one after a whole answer leaves it whole; both are logged', async () => {
  await expect(fetch(`${url}/half`).then((answer) => answer.text())).rejects.toThrow()
  expect((await (await fetch(`${url}/whole`)).text()).length).toBe(WHOLE.length)
  expect(logged).toEqual(['/half', '/whole'])
})

test('a follower who hangs up is no fault', async () => {
  ofKoa.length = 0
  const abort = new AbortController()
  const answer = await fetch(`${url}/followed`, { signal: abort.signal })
  await answer.body?.getReader().read()
  abort.abort()
  await expect.poll(() => followed.closed).toBe(true)
  // What Koa says of it comes with the same turn of the event loop, or the next.
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(ofKoa).toEqual([])
})
