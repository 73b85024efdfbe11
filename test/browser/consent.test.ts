import { expect, test } from 'vitest'
import { exchange } from '../support/clients.ts'
import { CIBA, DEVICE, type Delegating, delegating, REDIRECT } from '../support/delegating.ts'
import { look, pressByKeyboard, setStage } from './support/story.ts'

const stage = setStage()

const use = (story: Delegating, subjectToken: string, to: string) =>
  exchange(story.issuer, story.agent, {
    ...{ subjectToken, resource: story.identifier },
    action: { type: 'email_send', to: [to], subject: 'Minutes', body: 'Hello' },
  })

test('an agent asks, a person allows less than it asked for, and that is what it gets', async () => {
  const story = await delegating(stage.server)
  const pushed = await story.ask('/par', { ...story.parameters(), client_id: undefined }, {}, true)
  expect(pushed.status, pushed.text).toBe(201)
  const person = await stage.newPerson()
  const { page } = person
  await page.route(`${new URL(REDIRECT).origin}/**`, (route) =>
    route.fulfill({ contentType: 'text/plain', body: 'back at the agent' }),
  )
  const query = new URLSearchParams({ client_id: story.agent.id, request_uri: pushed.body.request_uri })

  // Nobody is signed in: the person signs in and comes back to what he was asked.
  await person.open(`/authorize?${query}`)
  await page.waitForURL('**/sign-in?*')
  await person.open((await story.people.linkFor(story.principal)).path)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.waitForURL('**/interaction/*')
  await look(person, 'consent')

  await page.getByText('Allow less of it').click()
  await page.getByLabel('example.org').uncheck()
  await page.getByLabel('to: how many at most').fill('1')
  await page.getByLabel('For how long').selectOption('86400')
  await page.getByText('Limits', { exact: true }).click()
  await page.getByLabel('How many actions altogether').fill('1')
  await look(person, 'consent-narrowed')
  // What cannot be taken is said beside what was written, and nothing of it is lost.
  await page.getByLabel('How many actions altogether').fill('many')
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByText('That cannot be granted').waitFor()
  await look(person, 'consent-problem')
  expect(await page.getByLabel('example.org').isChecked()).toBe(false)
  await page.getByLabel('How many actions altogether').fill('1')
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.waitForURL(`${REDIRECT}?*`)

  const { searchParams } = new URL(page.url())
  expect([searchParams.get('iss'), searchParams.get('state')]).toEqual([story.issuer, 'some-state'])
  const { body } = await story.redeem(searchParams.get('code') ?? '')
  expect(body.token_type).toBe('DPoP')
  expect((await use(story, body.access_token, 'bob@example.org')).body.error).toBe('access_denied')
  expect((await use(story, body.access_token, 'bob@example.com')).status).toBe(200)
  const again = await use(story, body.access_token, 'bob@example.com')
  expect([again.body.error, again.body.error_description]).toEqual([
    'access_denied',
    expect.stringContaining('limit reached'),
  ])

  await person.open('/me')
  await page.getByText('granted by you').waitFor()
})

test('a person refuses, and the agent is told so', async () => {
  const story = await delegating(stage.server)
  const person = await stage.signIn(story.principal)
  const { page } = person
  await page.route(`${new URL(REDIRECT).origin}/**`, (route) =>
    route.fulfill({ contentType: 'text/plain', body: 'back' }),
  )
  await person.open(`/authorize?${new URLSearchParams(story.parameters())}`)
  await page.getByRole('button', { name: 'Refuse' }).click()
  await page.waitForURL(`${REDIRECT}?*`)
  const { searchParams } = new URL(page.url())
  expect([searchParams.get('error'), searchParams.get('iss')]).toEqual(['access_denied', story.issuer])
})

test('an agent without a browser shows a code, and a person lets it act, by the keyboard alone', async () => {
  const story = await delegating(stage.server)
  const asked = await story.ask('/device_authorization', {
    ...{ resource: story.identifier, authorization_details: JSON.stringify(story.bounds) },
  })
  expect(asked.status, asked.text).toBe(200)
  const person = await stage.signIn(story.principal)
  const { page } = person
  await person.open(new URL(asked.body.verification_uri).pathname)
  await look(person, 'device')
  await page.getByRole('textbox').fill('WRON-GONE')
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByText('not known').waitFor()
  await look(person, 'device-wrong')
  await page.getByRole('textbox').fill(asked.body.user_code)
  await page.keyboard.press('Enter')
  await page.getByText('Let Planner act for you?').first().waitFor()
  await look(person, 'device-consent')
  await pressByKeyboard(page, /^Allow$/)
  await page.getByText('You allowed it').first().waitFor()
  await look(person, 'device-done')
  const { body } = await story.ask('/token', { grant_type: DEVICE, device_code: asked.body.device_code }, {}, true)
  expect((await use(story, body.access_token, 'bob@example.com')).status).toBe(200)
})

test('an agent asks by the backchannel, and an open page shows it at once', async () => {
  const story = await delegating(stage.server)
  const person = await stage.signIn(story.principal)
  const { page } = person
  await person.open('/me/approvals')
  const asked = await story.ask('/backchannel', {
    ...{
      scope: 'openid',
      login_hint: story.principal,
      resource: story.identifier,
      binding_message: 'The plan of Monday',
    },
    authorization_details: JSON.stringify(story.bounds),
  })
  expect(asked.status, asked.text).toBe(200)
  const link = page.getByRole('link', { name: 'Planner asks to act for you' })
  await link.waitFor({ timeout: 15_000 })
  await look(person, 'approvals-consent')
  await link.click()
  await page.waitForURL('**/me/consents/*')
  await look(person, 'consent-backchannel')
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByText('You allowed it').first().waitFor()
  const { body } = await story.ask('/token', { grant_type: CIBA, auth_req_id: asked.body.auth_req_id }, {}, true)
  expect((await use(story, body.access_token, 'bob@example.com')).status).toBe(200)
})

test('a request that cannot be served is told to the person in words', async () => {
  const story = await delegating(stage.server)
  const person = await stage.signIn(story.principal)
  await person.open(`/authorize?${new URLSearchParams(story.parameters({ redirect_uri: 'https://evil.example/cb' }))}`)
  await look(person, 'authorize-problem')
  expect(new URL(person.page.url()).origin).toBe(story.issuer)
})
