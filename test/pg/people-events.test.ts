import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll } from '../process/server-process.ts'
import { csrfOf } from '../support/browser.ts'
import { openEvents } from '../support/events.ts'
import { peopleOf } from '../support/people.ts'
import { createWorld } from '../support/world.ts'
import { type Pair, startPair } from './pair.ts'

let pair: Pair
beforeAll(async () => {
  pair = await startPair()
})
afterAll(async () => {
  await pair?.close()
  await endAll()
})

test('a page that is open at one process is told what was done at another, and ends with its login', async () => {
  const world = await createWorld(pair)
  const people = await peopleOf(pair)
  const browser = await people.signedIn(world.principal)
  const page = await openEvents(browser, `http://127.0.0.1:${pair.members[1].port}`)
  expect(page.status).toBe(200)
  const first = await page.next()
  const path = `/me/delegations/${world.delegation.id}/revoke`
  expect((await browser.post(path, { csrf: csrfOf(await browser.get(path)) })).status).toBe(303)
  const second = await page.next()
  expect(second).toMatchObject({ name: 'changed' })
  expect(second).not.toEqual(first)
  expect((await browser.post('/sign-out', { csrf: csrfOf(await browser.get('/me')) })).status).toBe(303)
  // What is told once more before the end is told of the sign-out itself, which is on record too.
  let last = await page.next()
  while (last !== 'closed' && last.name === 'changed') last = await page.next()
  expect(last).toEqual({ name: 'ended', data: {} })
})
