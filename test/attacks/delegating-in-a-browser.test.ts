import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Browser, formOf } from '../support/browser.ts'
import { exchange } from '../support/clients.ts'
import { type Delegating, delegating, REDIRECT } from '../support/delegating.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf } from '../support/world.ts'

let server: TestServer
let story: Delegating
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())
beforeEach(async () => {
  story = await delegating(server)
})

const delegations = async () =>
  (await story.people.api.call('GET', `/admin/delegations?agent=${story.agent.id}`)).body.items

describe('open redirect', () => {
  test.each([
    'https://evil.example/cb',
    '//evil.example/cb',
    '/\\evil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    `${REDIRECT}@evil.example`,
  ])('an error never sends a browser to %s', async (uri) => {
    for (const change of [{}, { response_type: 'token' }, { code_challenge: undefined }]) {
      const page = await story.authorize({ redirect_uri: uri, ...change })
      expect(page.status).toBe(400)
      expect(page.headers.location).toBeUndefined()
    }
  })

  test('nor where the agent is not known, or no redirect_uri is named', async () => {
    for (const change of [{ client_id: 'nobody' }, { redirect_uri: undefined }, { client_id: undefined }]) {
      const page = await story.authorize(change)
      expect(page.status).toBe(400)
      expect(page.headers.location).toBeUndefined()
    }
  })
})

describe('redirect_uri variations', () => {
  const uri = new URL(REDIRECT)
  test.each([
    ['a trailing slash', `${REDIRECT}/`],
    ['another case of the path', REDIRECT.replace('/cb', '/CB')],
    ['another case of the host', REDIRECT.replace('client', 'Client')],
    ['the default port', `https://${uri.host}:443/cb`],
    ['another port', `https://${uri.host}:8443/cb`],
    ['a subdomain', `https://sub.${uri.host}/cb`],
    ['a host that it begins', `https://${uri.host}.evil.example/cb`],
    ['user information', `https://user@${uri.host}/cb`],
    ['a query', `${REDIRECT}?x=1`],
    ['an empty query', `${REDIRECT}?`],
    ['a fragment', `${REDIRECT}#x`],
    ['a dot segment', `https://${uri.host}/x/../cb`],
    ['an escaped letter', `https://${uri.host}/%63b`],
    ['another scheme', REDIRECT.replace('https', 'http')],
    ['a space behind it', `${REDIRECT} `],
  ])('%s is another URI, at every door', async (_, redirect_uri) => {
    const page = await story.authorize({ redirect_uri })
    expect(page.status, page.at).toBe(400)
    expect(page.headers.location).toBeUndefined()
    expect((await story.ask('/par', story.parameters({ redirect_uri }))).status).toBe(400)
    const answer = await story.redeem(await story.code(), { form: { redirect_uri } })
    expect(answer.body).toMatchObject({ error: 'invalid_grant' })
  })

  test('the port of a loopback address does not vary, beside a private-use scheme neither', async () => {
    const redirect_uris = ['http://127.0.0.1:8080/cb', 'com.example.app:/cb']
    const own = await delegating(server, { agent: { redirect_uris } })
    for (const redirect_uri of ['http://127.0.0.1:8081/cb', 'http://127.0.0.1/cb', 'com.example.app:/cb2']) {
      expect((await own.authorize({ redirect_uri })).status).toBe(400)
      expect((await own.ask('/par', own.parameters({ redirect_uri }))).status).toBe(400)
    }
    for (const redirect_uri of redirect_uris) {
      const { at } = await own.answer(await own.authorize({ redirect_uri }))
      expect(at.startsWith(redirect_uri)).toBe(true)
    }
  })
})

describe('clickjacking', () => {
  test('no page of a consent is shown inside of another', async () => {
    const page = await story.authorize()
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(page.headers['x-frame-options']).toBe('DENY')
    const device = await story.browser.get('/device')
    expect(device.headers['content-security-policy']).toContain("frame-ancestors 'none'")
  })

  test('the form of a consent leads to this server and to the agent\u2019s own address alone', async () => {
    const page = await story.authorize()
    expect(page.headers['content-security-policy']).toContain(`form-action 'self' https://client.example;`)
  })
})

describe('mix-up', () => {
  test('a code, and an error, say which server they come from', async () => {
    const { at } = await story.answer(await story.authorize())
    expect(new URL(at).searchParams.getAll('iss')).toEqual([server.issuer])
    const denied = await story.answer(await story.authorize(), { answer: 'deny' })
    expect(new URL(denied.at).searchParams.getAll('iss')).toEqual([server.issuer])
  })

  test('what a request says of its host moves no address', async () => {
    const query = new URLSearchParams(story.parameters())
    const first = await story.browser.get(`/authorize?${query}`, {
      headers: [
        ['Host', 'evil.example'],
        ['X-Forwarded-Host', 'evil.example'],
        ['X-Forwarded-Proto', 'https'],
      ],
    })
    expect(first.headers.location).toMatch(/^\/interaction\//)
    const page = await story.browser.follow(first)
    const { at } = await story.answer(page)
    expect(new URL(at).searchParams.get('iss')).toBe(server.issuer)
  })
})

describe('PKCE downgrade', () => {
  test('plain is refused, and so is a challenge without its method', async () => {
    for (const change of [
      { code_challenge_method: 'plain', code_challenge: story.verifier },
      { code_challenge_method: undefined },
      { code_challenge_method: 's256' },
      { code_challenge: undefined },
    ]) {
      const { at } = await story.authorize(change)
      expect(new URL(at).searchParams.get('error')).toBe('invalid_request')
    }
  })

  test('the challenge itself is no verifier', async () => {
    const code_verifier = createHash('sha256').update(story.verifier).digest('base64url')
    const answer = await story.redeem(await story.code(), { form: { code_verifier } })
    expect(answer.body).toMatchObject({ error: 'invalid_grant' })
  })
})

describe('code replay', () => {
  test('a code that comes a second time is refused, and ends its delegation', async () => {
    const code = await story.code()
    const first = await story.redeem(code)
    expect(first.status).toBe(200)
    const wish = {
      ...{ subjectToken: first.body.access_token as string, resource: story.identifier },
      action: { type: 'email_send', to: ['bob@example.com'], subject: '', body: '' },
    }
    expect((await exchange(server.issuer, story.agent, wish)).status).toBe(200)
    expect((await story.redeem(code)).body).toMatchObject({ error: 'invalid_grant' })
    expect((await exchange(server.issuer, story.agent, wish)).body).toMatchObject({ error: 'invalid_grant' })
    expect(await delegations()).toEqual([expect.objectContaining({ status: 'revoked' })])
    expect((await story.redeem(code)).body).toMatchObject({ error: 'invalid_grant' })
  })

  test('of ten at once one is given a token', async () => {
    const code = await story.code()
    const answers = await Promise.all(Array.from({ length: 10 }, () => story.redeem(code)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.error === 'invalid_grant')).toHaveLength(9)
  })
})

describe('consent as another principal', () => {
  test('another person\u2019s browser has no part in it', async () => {
    const page = await story.authorize()
    const other = await story.people.signedIn(await story.people.register())
    const path = new URL(page.at).pathname
    expect((await other.get(path)).status).toBe(410)
    const csrf = formOf(await other.get('/device')).csrf ?? ''
    expect((await other.post(path, { ...formOf(page), csrf, answer: 'allow' })).status).toBe(410)
    expect(await delegations()).toEqual([])
  })

  test('a request of one browser is not answered under the address of another', async () => {
    const page = await story.authorize()
    const eve = await delegating(server)
    const hers = await eve.authorize()
    const cookie = [...eve.browser.cookies].map(([name, { value }]) => `${name.split(';')[0]}=${value}`).join('; ')
    const headers = [['Cookie', cookie]] as const
    expect((await new Browser(server.issuer).get(new URL(hers.at).pathname, { headers })).status).toBe(200)
    expect((await new Browser(server.issuer).get(new URL(page.at).pathname, { headers })).status).toBe(410)
  })

  test('who signs in as another on the way grants for himself alone', async () => {
    const page = await story.authorize()
    const eve = await story.people.register()
    const { path } = await story.people.linkFor(eve)
    await story.browser.post(path)
    // The form that Alice saw was made for her sign-in.
    expect((await story.answer(page)).status).toBe(403)
    const now = await story.browser.get(new URL(page.at).pathname)
    const { at } = await story.answer({ ...now, at: page.at })
    const { access_token } = (await story.redeem(new URL(at).searchParams.get('code') ?? '')).body
    expect(claimsOf(access_token).sub).toBe(eve)
  })

  test('a request of the backchannel is answered by whom it names', async () => {
    const asked = await story.ask('/backchannel', {
      ...{ scope: 'openid', login_hint: story.principal, resource: story.identifier },
      authorization_details: JSON.stringify(story.bounds),
    })
    const handle = createHash('sha256').update(asked.body.auth_req_id).digest('base64url')
    const eve = await story.people.signedIn(await story.people.register())
    expect((await eve.get(`/me/consents/${handle}`)).status).toBe(410)
    expect((await story.browser.get(`/me/consents/${handle}`)).status).toBe(200)
  })
})

describe('CSRF on consent', () => {
  test('a form from elsewhere, without the token, or with another one is refused', async () => {
    const page = await story.authorize()
    const path = new URL(page.at).pathname
    const form = { ...formOf(page), answer: 'allow' }
    const foreign = [
      ['Origin', 'https://evil.example'],
      ['Sec-Fetch-Site', 'cross-site'],
    ] as const
    expect((await story.browser.post(path, form, { from: foreign })).status).toBe(403)
    expect((await story.browser.post(path, { ...form, csrf: '' })).status).toBe(403)
    expect((await story.browser.post(path, { ...form, csrf: 'x'.repeat(43) })).status).toBe(403)
    expect(await delegations()).toEqual([])
    expect((await story.browser.post(path, form)).status).toBe(303)
  })

  test('nobody consents in a browser that is not signed in', async () => {
    const page = await story.authorize()
    const stranger = new Browser(server.issuer)
    const answer = await stranger.post(new URL(page.at).pathname, { ...formOf(page), answer: 'allow' })
    expect(answer.status).toBe(403)
    expect(await delegations()).toEqual([])
  })

  test('two tabs, or two clicks, are one answer', async () => {
    const page = await story.authorize()
    const path = new URL(page.at).pathname
    const form = { ...formOf(page), answer: 'allow' }
    const answers = await Promise.all(Array.from({ length: 5 }, () => story.browser.post(path, form)))
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1)
    expect(await delegations()).toHaveLength(1)
  })
})

describe('widening at consent', () => {
  test.each([
    ['another domain', { 'b0.2': 'eve@evil.example' }],
    ['more items', { 'b0.0': '4' }],
    ['any number of items, said as nothing', { 'b0.0': '999999999' }],
  ])('%s is refused, and nothing is granted', async (_, change) => {
    const page = await story.authorize()
    const answer = await story.answer(page, change)
    expect(answer.status).toBe(422)
    expect(answer.text).toContain('wider than what was asked for')
    expect(await delegations()).toEqual([])
  })

  test('bounds, a principal or an agent in the form are not looked at', async () => {
    const page = await story.authorize()
    const { at } = await story.answer(page, {
      ...{ authorization_details: '[{"type":"sql_statement"}]', principal: 'eve', agent: 'eve', resource: 'https://x' },
    })
    const answer = await story.redeem(new URL(at).searchParams.get('code') ?? '')
    expect(answer.body.authorization_details).toEqual(story.bounds)
    expect(claimsOf(answer.body.access_token)).toMatchObject({ sub: story.principal, client_id: story.agent.id })
  })
})
