import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exchangeRequest } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { expectRefused } from './answers.ts'

const KiB = 1024
const MiB = 1024 * KiB
const ENDPOINTS = ['/token', '/introspect', '/revoke', '/attestation'] as const
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

describe('a pattern that backtracks', () => {
  test('is matched in linear time: the answer is a refusal, at once', async () => {
    const type = 'stalling'
    const schema = {
      type: 'object',
      properties: { text: { type: 'string', maxLength: 65_536, pattern: '^(a+)+$' } },
      required: ['text'],
      additionalProperties: false,
    }
    const registered = await world.api.call('POST', '/admin/action-types', {
      ...{ type, title: 'Stall', schema, template: 'Say {text}', risk: 'read' },
    })
    expect(registered.status, registered.text).toBe(201)
    const here = await createWorld(server, { bounds: [{ type, text: { $any: true } }], action: { type, text: 'aaa' } })
    expect((await here.exchange()).status).toBe(200)
    for (const length of [28, 1_000, 60_000]) {
      const startedAt = performance.now()
      const answer = await here.exchange({}, { action: { type, text: `${'a'.repeat(length)}!` } })
      const took = performance.now() - startedAt
      console.log(`^(a+)+$ against ${length} characters: ${took.toFixed(0)} ms`)
      expectRefused(answer, 400, 'invalid_authorization_details')
      expect(took).toBeLessThan(5_000)
    }
  })

  test('what the linear engine cannot do is refused when it is written', async () => {
    for (const pattern of [
      '(a)\\1',
      '(?=a)',
      '(?<!a)b',
      '(?<=a)b',
      '(((((a{1000}){1000}){1000})))',
      '(',
      'a'.repeat(2_000),
    ]) {
      const schema = {
        type: 'object',
        properties: { text: { type: 'string', maxLength: 10, pattern } },
        additionalProperties: false,
      }
      const answer = await world.api.call('POST', '/admin/action-types', {
        ...{ type: 'refused', title: 'x', schema, template: 'x', risk: 'read' },
      })
      expect([pattern.slice(0, 20), answer.status], answer.text).toEqual([pattern.slice(0, 20), 422])
    }
  })
})

/**
 * Garbage comes from another thread, so that what is measured here is the server's time and not the sender's. The embedded
 * database works in this thread too. The bound is generous, for machines differ; the figure is what counts.
 */
test('while garbage flows in, honest requests are answered', { timeout: 60_000 }, async () => {
  const heavy = (authorization_details: string) => {
    const { url, headers, body } = exchangeRequest(server.issuer, world.agent, world.wish, {
      form: { authorization_details },
    })
    return { url, headers, body: String(body) }
  }
  const form = [['Content-Type', 'application/x-www-form-urlencoded']]
  const requests = [
    ...Array.from({ length: 60 }, () => [heavy(deep(20_000)), heavy(`[${'{"a":1},'.repeat(7_000)}1]`)]).flat(),
    ...Array.from({ length: 20 }, () => heavy(`[{"type":"stalling","text":"${'a'.repeat(60_000)}!"}]`)),
    ...ENDPOINTS.flatMap((path) =>
      ['a'.repeat(MiB), '&'.repeat(200 * KiB), '%41'.repeat(60 * KiB)].map((body) => ({
        url: `${server.issuer}${path}`,
        headers: form,
        body,
      })),
    ),
  ]
  const idle: number[] = []
  for (let times = 0; times < 30; times++) idle.push(await honestExchange())
  const garbage = new Worker(SENDER, { eval: true, workerData: requests })
  const sent = new Promise<{ statuses: Record<string, number> }>((resolve, reject) => {
    garbage.once('message', resolve).once('error', reject)
  })
  let isDone = false
  void sent.finally(() => {
    isDone = true
  })
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const loaded: number[] = []
  do loaded.push(await honestExchange())
  while (!isDone)
  delay.disable()
  const { statuses } = await sent
  await garbage.terminate()
  const worst = delay.max / 1e6
  console.log(
    `garbage ${JSON.stringify(statuses)}: event loop delayed by at most ${worst.toFixed(0)} ms; ` +
      `${loaded.length} honest exchanges ${spread(loaded)}, ${idle.length} without garbage ${spread(idle)}`,
  )
  for (const status of Object.keys(statuses)) expect(status).toMatch(/^4\d\d$/)
  expect(worst).toBeLessThan(1_000)
})

/** How long an exchange takes that must succeed. Unit: milliseconds. */
async function honestExchange(): Promise<number> {
  const startedAt = performance.now()
  const answer = await world.exchange()
  expect(answer.status, answer.text).toBe(200)
  return performance.now() - startedAt
}

function spread(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((a, b) => a - b)
  return `median ${sorted[sorted.length >> 1]?.toFixed(0)} ms, slowest ${sorted.at(-1)?.toFixed(0)} ms`
}

/** Sends each request, eight at a time, and counts the answers. */
const SENDER = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { request } = require('node:http')
  const statuses = {}
  const count = (outcome) => { statuses[outcome] = (statuses[outcome] ?? 0) + 1 }
  const sendOne = ({ url, headers, body }) => new Promise((resolve) => {
    const outgoing = request(url, { method: 'POST', headers: Object.fromEntries(headers), agent: false }, (response) => {
      response.resume().on('end', () => { count(response.statusCode); resolve() })
    })
    outgoing.on('error', (error) => { count(error.code); resolve() })
    outgoing.end(body)
  })
  const queue = [...workerData]
  const work = async () => { for (let next = queue.shift(); next; next = queue.shift()) await sendOne(next) }
  Promise.all(Array.from({ length: 8 }, work)).then(() => parentPort.postMessage({ statuses }))
`
