import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { csrfOf } from '../support/browser.ts'
import { type Delegating, delegating, REDIRECT } from '../support/delegating.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let story: Delegating
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())
beforeEach(async () => {
  story = await delegating(server)
})

/** By the backchannel. */
const askOf = (principal: string, by = story, change: object = {}) =>
  by.ask('/backchannel', {
    ...{ scope: 'openid', login_hint: principal, resource: by.identifier },
    ...{ authorization_details: JSON.stringify(by.bounds), ...change },
  })

async function amend(members: object): Promise<void> {
  const path = `/admin/agents/${story.agent.id}`
  const { headers } = await story.people.api.call('GET', path)
  const { status, text } = await story.people.api.call('PATCH', path, members, [
    ['If-Match', String(headers.etag)],
    ['Content-Type', 'application/merge-patch+json'],
  ])
  if (status !== 200) throw new Error(text)
}

const delegationsOf = async (principal: string) =>
  (await story.people.api.call('GET', `/admin/delegations?principal=${principal}`)).body.items

describe('a text that no database takes is refused, and breaks nothing', () => {
  test.each([
    ['the client', { client_id: '\0' }],
    ['the client, beside nothing else', { client_id: 'a\0', redirect_uri: undefined }],
    ['the resource', { resource: 'https://mail.example/\0' }],
    ['the state', { state: '\0' }],
  ])('as %s', async (_, change) => {
    expect((await story.authorize(change)).status).toBe(400)
  })

  test('as an id in a path', async () => {
    const csrf = csrfOf(await story.browser.get('/me/logins'))
    for (const path of ['/me/logins/%00/end', '/me/passkeys/%00/rename', '/me/passkeys/a%00/remove']) {
      expect((await story.browser.post(path, { csrf, label: 'x' })).status, path).toBe(404)
    }
  })
})

describe('the inbox of a principal is not flooded', () => {
  test('by many requests at once', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => askOf(story.principal)))
    expect(answers.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(20)
    const inbox = await story.browser.get('/me/approvals')
    expect(inbox.text.match(/href="\/me\/consents\//g)?.length ?? 0).toBeLessThanOrEqual(20)
    expect(answers.filter(({ status }) => status >= 500)).toEqual([])
  })

  test('by an agent behind a hundred requests of others that end before its own', async () => {
    const others = []
    for (let n = 0; n < 5; n++) others.push(await delegating(server))
    for (const other of others) {
      for (let n = 0; n < 20; n++) await askOf(story.principal, other, { requested_expiry: '300' })
    }
    const { status, body } = await askOf(story.principal)
    expect([status, body.error]).toEqual([400, 'access_denied'])
  }, 120_000)

  test('and a service, which signs in nowhere, is asked nothing', async () => {
    const service = await story.people.register({ kind: 'service' })
    expect((await askOf(service)).body).toMatchObject({ error: 'unknown_user_id' })
  })
})

describe('what an administrator took from an agent while a principal was asked', () => {
  test.each([
    ['the address that codes are sent to', { redirect_uris: ['https://other.example/cb'] }],
    ['the grant', { redirect_uris: null, grant_types: ['ciba'] }],
  ])('%s: nothing is granted, and no code is sent', async (_, members) => {
    const page = await story.authorize()
    await amend(members)
    const answered = await story.answer(page)
    expect([answered.status, answered.at.startsWith(REDIRECT)]).toEqual([400, false])
    expect(await delegationsOf(story.principal)).toEqual([])
  })

  test('the backchannel: nothing is granted', async () => {
    await askOf(story.principal)
    await amend({ redirect_uris: null, grant_types: null })
    const path = /\/me\/consents\/[\w-]+/.exec((await story.browser.get('/me/approvals')).text)?.[0] ?? ''
    expect((await story.browser.get(path)).status).toBe(400)
    const csrf = csrfOf(await story.browser.get('/me/logins'))
    expect((await story.browser.post(path, { csrf, answer: 'allow', 'bound.0': 'on' })).status).toBe(400)
    expect(await delegationsOf(story.principal)).toEqual([])
  })
})

test('who held the browser of a principal that was suspended is not let on with him when he goes on', async () => {
  const post = (verb: string) => story.people.api.call('POST', `/admin/principals/${story.principal}/${verb}`, {})
  expect((await story.browser.get('/me')).status).toBe(200)
  await post('suspend')
  await post('resume')
  expect((await story.browser.get('/me')).status).toBe(303)
  expect((await (await story.people.signedIn(story.principal)).get('/me')).status).toBe(200)
})

test('a name of a member that turns the page around, or is not seen, is named on the page of a consent', async () => {
  const values = { 'a\u202eb': { $in: ['p', 'q'] }, 'c\u200bd': { $min: 1 }, 'amount\u202e': { $max: 3 } }
  story = await delegating(server, { bounds: [{ type: 'mcp_tool_call', tool: 'x', arguments: values }] })
  const { status, text } = await story.authorize()
  expect(status).toBe(200)
  expect(text).not.toMatch(/[\u202e\u200b]/)
  expect(text).toContain('U+202E')
  expect(text).toContain('U+200B')
})

test('the metadata says that no request is fetched from elsewhere, which would be yes if it were absent', async () => {
  const { body } = await story.browser.get('/.well-known/openid-configuration')
  expect(body.request_uri_parameter_supported).toBe(false)
})
