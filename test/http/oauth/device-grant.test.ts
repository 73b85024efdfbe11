import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { formOf } from '../../support/browser.ts'
import { DEVICE, type Delegating, delegating } from '../../support/delegating.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf } from '../../support/world.ts'

let server: TestServer
let story: Delegating
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())
beforeEach(async () => {
  story = await delegating(server)
})

const ask = (change: object = {}) =>
  story.ask('/device_authorization', {
    ...{ resource: story.identifier, authorization_details: JSON.stringify(story.bounds), ...change },
  })
const poll = (device_code: string) => story.ask('/token', { grant_type: DEVICE, device_code }, {}, true)
/** Types the code and comes to the page of the consent. */
const typed = async (user_code: string) => {
  const page = await story.browser.get('/device')
  const answer = await story.browser.post('/device', { ...formOf(page), user_code })
  return { ...answer, at: `${server.issuer}/device` }
}

describe('an agent without a browser', () => {
  test('is given the subject token once a principal has typed its code and allowed it', async () => {
    const { body, status } = await ask({ purpose: 'to send the minutes' })
    expect(status).toBe(200)
    expect(body).toEqual({
      ...{ device_code: expect.any(String), user_code: expect.stringMatching(/^[B-Z]{4}-[B-Z]{4}$/), expires_in: 600 },
      verification_uri: `${server.issuer}/device`,
      verification_uri_complete: `${server.issuer}/device?user_code=${body.user_code}`,
    })
    expect((await poll(body.device_code)).body).toMatchObject({ error: 'authorization_pending' })
    const page = await typed(body.user_code)
    expect(page.text).toContain('Let Planner act for you?')
    expect(page.text).toContain('to send the minutes')
    const done = await story.answer(page)
    expect(done.text).toContain('You allowed it')
    const answer = await poll(body.device_code)
    expect(answer.body).toMatchObject({ token_type: 'DPoP', authorization_details: story.bounds })
    expect(claimsOf(answer.body.access_token)).toMatchObject({ sub: story.principal, token_use: 'subject' })
    expect((await poll(body.device_code)).body).toMatchObject({ error: 'invalid_grant' })
    // A poll that came twice ends nothing.
    const [delegation] = (await story.people.api.call('GET', `/admin/delegations?agent=${story.agent.id}`)).body.items
    expect(delegation.status).toBe('active')
  })

  test('is told no', async () => {
    const { body } = await ask()
    const done = await story.answer(await typed(body.user_code.toLowerCase().replace('-', ' ')), { answer: 'deny' })
    expect(done.text).toContain('You refused it')
    expect((await poll(body.device_code)).body).toMatchObject({ error: 'access_denied' })
  })

  test('a code in the address is only written into the field', async () => {
    const { body } = await ask()
    const page = await story.browser.get(`/device?user_code=${body.user_code}`)
    expect(formOf(page).user_code).toBe(body.user_code)
    expect(page.text).not.toContain('act for you')
  })

  test('a code is good once', async () => {
    const { body } = await ask()
    const page = await typed(body.user_code)
    const [one, two] = await Promise.all([story.answer(page), story.answer(page)])
    expect([one.status, two.status].toSorted()).toEqual([200, 410])
    expect((await typed(body.user_code)).status).toBe(422)
  })

  test.each([
    ['without bounds', { authorization_details: undefined }, 'invalid_request'],
    ['with a scope', { scope: 'openid' }, 'invalid_scope'],
    ['for an unknown resource', { resource: 'https://nowhere.example' }, 'invalid_target'],
  ])('is refused %s', async (_, change, error) => {
    expect((await ask(change)).body).toMatchObject({ error })
  })

  test('is refused where it is not registered for it, or is not itself', async () => {
    const other = await delegating(server, { agent: { grant_types: ['authorization_code'] } })
    const form = { authorization_details: JSON.stringify(other.bounds), resource: other.identifier }
    expect((await other.ask('/device_authorization', form)).body).toMatchObject({ error: 'unauthorized_client' })
    const bad = await story.ask('/device_authorization', form, { assertionClaims: { aud: 'https://other.example' } })
    expect(bad.status).toBe(401)
    const { device_code } = (await ask()).body
    const stolen = await other.ask('/token', { grant_type: DEVICE, device_code }, {}, true)
    expect(stolen.body).toMatchObject({ error: 'unauthorized_client' })
    const third = await delegating(server)
    expect((await third.ask('/token', { grant_type: DEVICE, device_code }, {}, true)).body).toMatchObject({
      error: 'invalid_grant',
    })
  })

  test('whoever guesses codes is soon told to wait', async () => {
    const statuses: number[] = []
    for (let n = 0; n < 12; n++) statuses.push((await typed(`BBBB-BBB${'BCDFGHJKLMNP'[n]}`)).status)
    expect(statuses.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 422))
    expect(statuses.slice(10)).toEqual([429, 429])
  })
})
