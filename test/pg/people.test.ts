import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll } from '../process/server-process.ts'
import { csrfOf } from '../support/browser.ts'
import { agentToken, handOnRequest, newAgent } from '../support/chain.ts'
import { send } from '../support/clients.ts'
import { openEvents } from '../support/events.ts'
import { peopleOf } from '../support/people.ts'
import { createWorld } from '../support/world.ts'
import { type Pair, startPair, toPort } from './pair.ts'

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

test('an agent that is stopped while it gives its delegations on leaves none of them behind', async () => {
  const world = await createWorld(pair, { delegation: { delegable: { max_depth: 1 } } })
  const people = await peopleOf(pair)
  const browser = await people.signedIn(world.principal)
  const helper = await newAgent(world)
  const bounds = [{ type: 'email_send', to: ['bob@example.com'], subject: { $any: true }, body: { $any: true } }]
  const more = await world.api.call('POST', '/admin/delegations', {
    ...{ principal: world.principal, agent: world.agent.id, resource: world.identifier, authorization_details: bounds },
    delegable: { max_depth: 1 },
  })
  const roots = [world.delegation.subjectToken, more.body.subject_token as string]
  const path = `/me/agents/${world.agent.id}/stop`
  const csrf = csrfOf(await browser.get(path))
  const wishes = await Promise.all(
    Array.from({ length: 24 }, async (_, n) => {
      const request = handOnRequest(
        world.issuer,
        { agent: world.agent, subjectToken: roots[n % 2] ?? '' },
        { bounds, actorToken: await agentToken(world.issuer, helper) },
      )
      return n % 3 === 0 ? toPort(request, pair.members[1].port) : request
    }),
  )
  const [stopped, ...given] = await Promise.all([
    browser.post(path, { csrf }),
    ...wishes.map(({ url, ...request }) => send(url, request)),
  ])
  expect(stopped?.status).toBe(303)
  expect(given.map(({ status }) => status).filter((status) => status !== 200 && status !== 400)).toEqual([])
  const { rows } = await pair.client.query(
    `SELECT count(*)::int AS alive FROM delegation WHERE principal_id = $1 AND status = 'active'`,
    [world.principal],
  )
  expect(rows).toEqual([{ alive: 0 }])
})
