import { expect, test } from 'vitest'
import { introspect } from '../support/clients.ts'
import { createWorld } from '../support/world.ts'
import { look, pressByKeyboard, setStage } from './support/story.ts'

const stage = setStage()

const BOUNDS = [
  {
    type: 'email_send',
    to: { $each: { $email_domain: ['example.com'] }, $max_items: 3 },
    subject: { $any: true },
    body: { $any: true },
  },
  {
    type: 'payment_initiation',
    instructedAmount: { currency: 'EUR', amount: { $max: '50.00' } },
    creditorName: { $in: ['Office Supplies Ltd', 'City Power'] },
    creditorAccount: { iban: { $any: true } },
    remittanceInformationUnstructured: { $optional: { $any: true } },
  },
]

test('a person reads what an agent may do and did, revokes it, and its next exchange is refused', async () => {
  const limits = { max_uses: 20, rates: [{ seconds: 60, max_uses: 10 }] }
  const world = await createWorld(stage.server, {
    bounds: BOUNDS,
    delegation: { limits, purpose: 'Minutes of the weekly meeting, and the bills of the office' },
  })
  const first = await world.exchange()
  expect(first.status).toBe(200)
  await world.exchange({}, { action: { ...world.action, to: ['eve@elsewhere.example'] } })
  const person = await stage.signIn(world.principal)
  const { page } = person
  await look(person, 'me')

  await page.getByRole('link', { name: /^Details/ }).click()
  await page.waitForURL('**/me/delegations/*')
  for (const summary of await page.locator('summary').all()) await summary.click()
  await look(person, 'delegation')
  await page.getByRole('link', { name: 'What was done with it' }).click()
  await page.waitForURL('**/me/activity?*')
  await page.locator('summary').first().click()
  await look(person, 'activity')
  await page.getByRole('link', { name: 'Refused' }).click()
  await page.getByText('eve@elsewhere.example').first().waitFor()
  await look(person, 'activity-refused')

  await page.getByRole('link', { name: 'Agents' }).click()
  await pressByKeyboard(page, /^Revoke/)
  await page.waitForURL('**/revoke')
  await look(person, 'revoke')
  await pressByKeyboard(page, /^Revoke$/)
  await page.waitForURL(/\/me\/delegations\/[^/]+$/)
  await page.getByText('It was revoked').waitFor()
  await look(person, 'delegation-revoked')
  expect((await world.exchange()).body.error).toBe('invalid_grant')
  expect((await introspect(world.issuer, world.resource, first.body.access_token)).body).toEqual({ active: false })
})

test('a person stops an agent, and an open page follows', async () => {
  const world = await createWorld(stage.server)
  const person = await stage.signIn(world.principal)
  const watching = await person.context.newPage()
  await watching.goto(`${stage.server.issuer}/me`)
  await watching.getByText('Planner').first().waitFor()
  const { page } = person
  await page.getByRole('link', { name: 'Planner', exact: true }).click()
  await page.waitForURL('**/me/agents/*')
  await look(person, 'agent')
  await page.getByRole('link', { name: 'Stop it for me' }).click()
  await page.waitForURL('**/stop')
  await look(person, 'agent-stop')
  await page.getByRole('button', { name: 'Stop it for me' }).click()
  await page.waitForURL(/\/me\/agents\/[^/]+$/)
  expect((await world.exchange()).body.error).toBe('invalid_grant')
  await watching.getByText('No agent acts for you').waitFor({ timeout: 15_000 })
})

test('a page that is not there is one of the same product', async () => {
  const person = await stage.signIn(await stage.people.register({ name: 'Carol' }))
  await person.open('/me/delegations/none')
  await look(person, 'not-there')
})
