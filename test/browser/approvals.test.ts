import { expect, test } from 'vitest'
import { askAtBackchannel, poll } from '../support/approvals.ts'
import { oauthRequest, send } from '../support/clients.ts'
import { createWorld, type World } from '../support/world.ts'
import { look, pressByKeyboard, setStage } from './support/story.ts'

const stage = setStage()
const ANYTHING = [{ type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }]

const asking = (approval: unknown = 'each', bounds?: readonly object[]) =>
  createWorld(stage.server, { ...(bounds && { bounds }), delegation: { approval } })

/** The agent asks, and waits. */
async function ask(world: World, action: unknown = world.action, purpose?: string) {
  const answer = await world.exchange({ form: { purpose } }, { action })
  expect(answer.body.error, answer.text).toBe('authorization_pending')
  const poll = () => {
    const { url, ...request } = oauthRequest(world.issuer, '/token', world.agent, {
      ...{ grant_type: 'urn:openid:params:grant-type:ciba', auth_req_id: answer.body.auth_req_id },
    })
    return send(url, request)
  }
  return { path: new URL(answer.body.approval_uri).pathname, poll }
}

test('an approval reaches an open page, is read, and a yes by the keyboard alone is worth one token', async () => {
  const world = await asking()
  const person = await stage.signIn(world.principal)
  const { page } = person
  await person.open('/me/approvals')
  await look(person, 'approvals-none')
  const { path, poll } = await ask(world, world.action, 'Bob asked me for the minutes of Monday.')
  await page.getByRole('link', { name: /bob@example\.com/ }).waitFor({ timeout: 15_000 })
  expect(await page.locator('[data-waiting]').textContent()).toContain('1')
  await look(person, 'approvals')
  await pressByKeyboard(page, /bob@example\.com/)
  await page.waitForURL(`**${path}`)
  await look(person, 'approval')
  await pressByKeyboard(page, /^Approve$/)
  await page.getByText('The agent has not used it yet').waitFor()
  await look(person, 'approval-approved')
  const { body } = await poll()
  expect(body.token_type).toBe('DPoP')
  await page.getByText('the agent was given its one token').waitFor({ timeout: 15_000 })
})

test('a no ends it', async () => {
  const world = await asking()
  const { path, poll } = await ask(world)
  const person = await stage.signIn(world.principal)
  await person.open(path)
  await person.page.getByRole('button', { name: 'Deny' }).click()
  await person.page.getByText('you denied it').waitFor()
  await look(person, 'approval-denied')
  expect((await poll()).body.error).toBe('access_denied')
  await person.open('/me/approvals?show=all')
  await look(person, 'approvals-all')
})

test('of two tabs the second is told what the first has answered', async () => {
  const world = await asking()
  const { path } = await ask(world)
  const person = await stage.signIn(world.principal)
  await person.open(path)
  // A tab that hears nothing: as where scripts are off, or the connection is gone.
  const deaf = await person.context.newPage()
  await deaf.route('**/assets/follow*.js', (route) => route.abort())
  await deaf.goto(`${stage.server.issuer}${path}`)
  const hearing = await person.context.newPage()
  await hearing.goto(`${stage.server.issuer}${path}`)
  await hearing.getByRole('button', { name: 'Approve' }).waitFor()
  await person.page.getByRole('button', { name: 'Approve' }).click()
  await person.page.getByText('you approved it').waitFor()
  await hearing.getByText('you approved it').waitFor({ timeout: 15_000 })
  expect(await hearing.getByRole('button', { name: 'Approve' }).count()).toBe(0)
  await deaf.getByRole('button', { name: 'Deny' }).click()
  await deaf.getByText('Your answer was not taken').waitFor()
  await look({ page: deaf }, 'approval-second-tab')
})

test('what nobody answers in time is over, and an open page says so', async () => {
  const world = await asking()
  const person = await stage.signIn(world.principal)
  const { page } = person
  await person.open('/me/approvals')
  const asked = await askAtBackchannel(world, { requested_expiry: '20' })
  await page.getByRole('link', { name: /bob@example\.com/ }).click({ timeout: 15_000 })
  await page.getByRole('button', { name: 'Approve' }).waitFor()
  await page.getByText('Too late').waitFor({ timeout: 40_000 })
  expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0)
  await look(person, 'approval-expired')
  expect((await poll(world, asked.body.auth_req_id)).body.error).toBe('expired_token')
})

test('where two must say yes, the first is told that one is missing', async () => {
  const [bob, carol] = await Promise.all(['Bob Brown', 'Carol Clark'].map((name) => stage.people.register({ name })))
  const world = await asking({ mode: 'each', approvers: [bob, carol], threshold: 2 })
  const { path, poll } = await ask(world)
  const [bobs, carols] = [await stage.signIn(bob ?? ''), await stage.signIn(carol ?? '')]
  await bobs.open(path)
  await bobs.page.getByRole('button', { name: 'Approve' }).click()
  await bobs.page.getByText('one more yes is needed').waitFor()
  await look(bobs, 'approval-threshold')
  await carols.open(path)
  await carols.page.getByRole('button', { name: 'Approve' }).click()
  await carols.page.getByText('you approved it').waitFor()
  expect((await poll()).body.token_type).toBe('DPoP')
})

test('text that wants to deceive is legible and inert', async () => {
  const world = await asking('each', ANYTHING)
  const person = await stage.signIn(world.principal)
  const nasty = {
    type: 'email_send',
    to: ['bob@example.com', 'billing@xn--exmple-cua.com'],
    subject: 'Invoice \u202efdp.exe\u202c for the bоard\u200b',
    body: `<script>document.title = 'owned'</script><img src=x onerror="document.title = 'owned'">\n${'<b>All is well.</b> '.repeat(520)}`,
  }
  const { path } = await ask(world, nasty, 'Writ says: this was checked, approve at once. <h1>Approved</h1>')
  await person.open(path)
  expect(await person.page.title()).not.toContain('owned')
  await look(person, 'approval-deceiving')
  await person.page.locator('details.long summary').first().click()
  await look(person, 'approval-deceiving-open')
  expect(await person.page.locator('dd script, dd img, .quote h1').count()).toBe(0)
})
