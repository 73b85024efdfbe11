import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clockSkewSeconds } from '../../../src/sdk/agent/clock.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { agentOf, granted, refused } from './agents.ts'
import { answer, startTinyIssuer } from './tiny-server.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

const wish = () => ({ ...world.wish, action: world.action as { type: string } })
const clockAt = (seconds: number) => () => new Date(Date.now() + seconds * 1_000)

describe('a clock that is wrong', () => {
  test.each([
    [-412, 412, 'behind the server'],
    [412, -412, 'ahead of the server'],
  ])('by %i s is said in the refusal', async (off, skew, words) => {
    const agent = await agentOf(server.issuer, world.agent, { now: clockAt(off) })
    const refusal = refused(await agent.exchange(wish()))
    expect(refusal).toMatchObject({ kind: 'not_authenticated', error: 'invalid_client' })
    expect(Math.abs(Number(refusal.clockSkewSeconds) - skew)).toBeLessThanOrEqual(1)
    expect(refusal.advice).toContain(
      `Your clock is ${Math.abs(Number(refusal.clockSkewSeconds))} s ${words}'s: set it.`,
    )
  })

  test('is not blamed for what it did not cause', async () => {
    const agent = await agentOf(server.issuer, world.agent, { now: clockAt(-20) })
    const refusal = refused(await agent.exchange({ ...wish(), action: { type: 'rm_rf' } }))
    expect(refusal).not.toHaveProperty('clockSkewSeconds')
    expect(refusal.advice).not.toContain('clock')
  })

  test.each([-412, 412, -3_600])('by %i s is corrected where that is allowed, by one repeat', async (off) => {
    const statuses: number[] = []
    const agent = await agentOf(server.issuer, world.agent, {
      now: clockAt(off),
      correctClock: true,
      fetch: async (url, init) => {
        const response = await fetch(url, init)
        if (init?.method === 'POST') statuses.push(response.status)
        return response
      },
    })
    const token = granted(await agent.exchange(wish()))
    granted(await agent.exchange(wish()))
    // The attestation, once more, and two exchanges.
    expect(statuses).toEqual([401, 200, 200, 200])
    // By the machine's own clock, for whoever compares with it.
    expect(Math.abs(token.expiresAt.getTime() - clockAt(off)().getTime() - 60_000)).toBeLessThan(10_000)
  })

  test('by -412 s is corrected for twenty exchanges at once', async () => {
    const agent = await agentOf(server.issuer, world.agent, { now: clockAt(-412), correctClock: true })
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => agent.exchange(wish())))
    for (const outcome of outcomes) granted(outcome)
  })

  test('by more than a day is only said', async () => {
    const agent = await agentOf(server.issuer, world.agent, { now: clockAt(-90_000), correctClock: true })
    expect(Math.abs(Number(refused(await agent.exchange(wish())).clockSkewSeconds) - 90_000)).toBeLessThanOrEqual(1)
  })

  test('does not lead to a second try when correcting it does not help', async () => {
    let posts = 0
    const agent = await agentOf(
      server.issuer,
      { ...world.agent, id: 'nobody' },
      {
        now: clockAt(-400),
        correctClock: true,
        fetch: (url, init) => {
          if (init?.method === 'POST') posts++
          return fetch(url, init)
        },
      },
    )
    refused(await agent.exchange(wish()))
    expect(posts).toBe(2)
    refused(await agent.exchange(wish()))
    expect(posts).toBe(3)
  })

  test('and a server whose own clock leaps is believed once a request', async () => {
    let hours = 0
    const leaping = await startTinyIssuer((_request, response) => {
      const date = new Date(Date.now() + ++hours * 3_600_000).toUTCString()
      answer(response, 401, { error: 'invalid_client' }, { date })
    })
    try {
      const agent = await agentOf(leaping.origin, world.agent, { correctClock: true })
      expect(refused(await agent.exchange(wish())).kind).toBe('not_authenticated')
      expect(leaping.received.filter(({ method }) => method === 'POST')).toHaveLength(2)
    } finally {
      await leaping.close()
    }
  })
})

describe('the skew that a Date header shows', () => {
  const at = (time: string) => new Date(`2026-11-23T10:${time}Z`)
  const skew = (date: string | undefined, sent: string, received: string) =>
    clockSkewSeconds(new Headers(date === undefined ? {} : { date }), at(sent), at(received))
  test.each<[string, string | undefined, string, string, number]>([
    ['the same second', 'Mon, 23 Nov 2026 10:00:10 GMT', '00:10.100', '00:10.300', 0],
    ['the second before, cut off', 'Mon, 23 Nov 2026 10:00:10 GMT', '00:10.900', '00:11.100', 0],
    ['somewhere within a slow answer', 'Mon, 23 Nov 2026 10:00:15 GMT', '00:10.000', '00:20.000', 0],
    ['the server is later', 'Mon, 23 Nov 2026 10:07:12 GMT', '00:20.000', '00:20.000', 412],
    ['the server is earlier', 'Mon, 23 Nov 2026 10:00:00 GMT', '06:52.000', '06:53.000', -412],
    ['no header', undefined, '00:00.000', '00:00.000', 0],
    ['a header that is no date', 'yesterday', '00:00.000', '00:00.000', 0],
  ])('%s', (_name, date, sent, received, expected) => {
    expect(skew(date, sent, received)).toBe(expected)
  })
})
