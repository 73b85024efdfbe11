import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attested, attestedRequest } from '../../support/attestation.ts'
import { exchange } from '../../support/clients.ts'
import { CODE, type Delegating, delegating, REDIRECT } from '../../support/delegating.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf } from '../../support/world.ts'
import { makeKey } from '../../wire/signing.ts'

let server: TestServer
let story: Delegating
beforeAll(async () => {
  server = await startTestServer()
  story = await delegating(server)
})
afterAll(() => server?.close())

const ACTION = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }

describe('a principal delegates in a browser', () => {
  test('from the first request to an exchange', async () => {
    const page = await story.authorize()
    expect(page.text).toContain('Let Planner act for you?')
    expect(page.status, page.text).toBe(200)
    const done = await story.answer(page)
    const back = new URL(done.at)
    expect(`${back.origin}${back.pathname}`, done.text).toBe(REDIRECT)
    expect(Object.fromEntries(back.searchParams)).toEqual({
      code: expect.any(String),
      state: 'some-state',
      iss: server.issuer,
    })
    const answer = await story.redeem(back.searchParams.get('code') ?? '')
    expect(answer.body).toEqual({
      ...{ access_token: expect.any(String), token_type: 'DPoP', expires_in: expect.any(Number) },
      authorization_details: story.bounds,
    })
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(claimsOf(answer.body.access_token)).toEqual({
      ...{ iss: server.issuer, aud: server.issuer, sub: story.principal, client_id: story.agent.id },
      ...{ may_act: { sub: story.agent.id }, token_use: 'subject', jti: expect.stringMatching(/^dlg_/) },
      ...{ iat: expect.any(Number), exp: expect.any(Number) },
    })
    const token = await exchange(server.issuer, story.agent, {
      ...{ subjectToken: answer.body.access_token, resource: story.identifier, action: ACTION },
    })
    expect(token.status, token.text).toBe(200)
  })

  test('the delegation says who granted it, and the account how', async () => {
    const { access_token } = (await story.redeem(await story.code())).body
    const { jti } = claimsOf(access_token)
    const delegation = (await story.people.api.call('GET', `/admin/delegations/${jti}`)).body
    expect(delegation).toMatchObject({ granted_by: 'principal', principal: story.principal, agent: story.agent.id })
    const records = (await story.people.api.call('GET', `/admin/records?delegation=${jti}`)).body.items
    expect(records).toEqual([
      expect.objectContaining({ kind: 'delegation', decision: 'issued', agent: story.agent.id }),
      expect.objectContaining({ kind: 'principal', decision: 'done', principal: story.principal }),
    ])
  })

  test('what was said before counts for nothing: each authorization is asked, and is a delegation of its own', async () => {
    const ids = [await story.code(), await story.code()].map((code) => story.redeem(code))
    const [one, two] = (await Promise.all(ids)).map(({ body }) => claimsOf(body.access_token).jti)
    expect(one).not.toBe(two)
  })

  test('who is not signed in signs in first, and comes back', async () => {
    const stranger = await delegating(server)
    stranger.browser.cookies.clear()
    const page = await stranger.authorize()
    expect(new URL(page.at).pathname).toBe('/sign-in')
    expect(new URL(page.at).searchParams.get('then')).toMatch(/^\/interaction\//)
  })

  test('a no is told to the agent', async () => {
    const { at } = await story.answer(await story.authorize(), { answer: 'deny' })
    expect(Object.fromEntries(new URL(at).searchParams)).toMatchObject({
      ...{ error: 'access_denied', iss: server.issuer, state: 'some-state' },
    })
  })

  test('by PAR the browser carries nothing of it', async () => {
    const pushed = await story.ask('/par', story.parameters())
    expect(pushed.status, pushed.text).toBe(201)
    const { request_uri, expires_in } = pushed.body
    expect(expires_in).toBe(60)
    const only = { client_id: story.agent.id, request_uri }
    const first = await story.browser.get(`/authorize?${new URLSearchParams(only)}`)
    const page = await story.browser.follow(first)
    const { at } = await story.answer(page)
    const answer = await story.redeem(new URL(at).searchParams.get('code') ?? '')
    expect(answer.status, answer.text).toBe(200)
    const again = await story.browser.follow(await story.browser.get(`/authorize?${new URLSearchParams(only)}`))
    expect(again.text).toContain('invalid_request_uri')
  })

  test('cookies are Secure, HttpOnly, Lax, and of one path; nothing is remembered', async () => {
    const answer = await story.browser.get(`/authorize?${new URLSearchParams(story.parameters())}`)
    const cookies = [answer.headers['set-cookie'] ?? []].flat()
    const names = cookies.map((cookie) => cookie.split('=')[0]).toSorted()
    const both = ['__Secure-writ_interaction', '__Secure-writ_resume']
    expect(names).toEqual(both.flatMap((name) => [name, `${name}.sig`]))
    for (const cookie of cookies) {
      expect(cookie).toMatch(/; secure/i)
      expect(cookie).toMatch(/; httponly/i)
      expect(cookie).toMatch(/; samesite=lax/i)
      expect(cookie).toMatch(/; path=\/(interaction|authorize)\/[A-Za-z0-9_-]+/)
    }
    const { at } = await story.answer(await story.authorize())
    expect(at).toContain('code=')
    expect([...story.browser.cookies.keys()].filter((name) => !name.includes(';'))).toEqual(['__Host-writ_login'])
  })

  test('an instance that was attested fetches the token as well', async () => {
    const key = makeKey('ES256')
    const instance = await attested(server.issuer, story.agent, key)
    const form = { grant_type: CODE, code: await story.code(), redirect_uri: REDIRECT, code_verifier: story.verifier }
    const answer = await attestedRequest(server.issuer, '/token', instance, form)
    expect(answer.status, answer.text).toBe(200)
    expect(claimsOf(answer.body.access_token)).toMatchObject({ sub: story.principal, client_id: story.agent.id })
  })

  test('without a resource every bound names its places', async () => {
    const bounds = story.bounds.map((bound) => ({ ...bound, locations: [story.identifier] }))
    const code = await story.code({ resource: undefined, authorization_details: JSON.stringify(bounds) })
    expect((await story.redeem(code)).body.authorization_details).toEqual(bounds)
  })
})

const bound = { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }
const details = (...bounds: object[]) => ({ authorization_details: JSON.stringify(bounds) })

describe('a request is refused, and its agent is told why', () => {
  test.each([
    ['without PKCE', { code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    ['without bounds', { authorization_details: undefined }, 'invalid_request'],
    ['of an unknown type', details({ ...bound, type: 'unknown' }), 'invalid_authorization_details'],
    [
      'with a member that the type has not',
      details({ ...bound, bcc: { $any: true } }),
      'invalid_authorization_details',
    ],
    ['with an unknown operator', details({ ...bound, to: { $like: 'x' } }), 'invalid_authorization_details'],
    [
      'with a member twice',
      { authorization_details: '[{"type":"email_send","type":"sql_statement"}]' },
      'invalid_authorization_details',
    ],
    ['with no bounds in it', { authorization_details: '[]' }, 'invalid_authorization_details'],
    ['with 33 bounds', details(...Array.from({ length: 33 }, () => bound)), 'invalid_authorization_details'],
    ['at another place', details({ ...bound, locations: ['https://other.example'] }), 'invalid_authorization_details'],
    ['for an unknown resource', { resource: 'https://nowhere.example' }, 'invalid_target'],
    ['with a scope', { scope: 'openid' }, 'invalid_scope'],
    ['for offline access', { scope: 'offline_access' }, 'invalid_scope'],
    ['by another response type', { response_type: 'token' }, 'invalid_request'],
    ['without asking', { prompt: 'none' }, 'interaction_required'],
    ['with a prompt that is none of ours', { prompt: 'login' }, 'invalid_request'],
    ['with words of several lines', { purpose: 'one\ntwo' }, 'invalid_request'],
    ['with words without end', { purpose: 'x'.repeat(501) }, 'invalid_request'],
    ['in an object of its own', { request: 'e30.e30.' }, 'request_not_supported'],
  ])('%s', async (_, change, error) => {
    const { at } = await story.authorize(change)
    // What asked for a token is told in the fragment (RFC 6749 §4.2.2.1).
    const back = new URL(at.replace('#', '?'))
    expect(`${back.origin}${back.pathname}`).toBe(REDIRECT)
    expect(back.searchParams.get('error'), at).toBe(error)
    expect(back.searchParams.get('iss')).toBe(server.issuer)
    expect(back.searchParams.has('code')).toBe(false)
    const pushed = await story.ask('/par', story.parameters(change))
    if (change && 'prompt' in change && change.prompt === 'none') return
    expect(pushed.status, pushed.text).toBe(400)
    expect(pushed.body.error).toBe(error)
    // (RFC 6749 §5.2)
    const words = [pushed.body.error_description, back.searchParams.get('error_description')]
    for (const text of words) expect(text ?? 'none').toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,300}$/)
  })

  test.each(['form_post', 'fragment', 'jwt', 'web_message'])('by the mode %s, at both doors', async (response_mode) => {
    const page = await story.authorize({ response_mode })
    expect(page.status).toBe(400)
    expect(page.text).not.toContain('<script>')
    expect((await story.ask('/par', story.parameters({ response_mode }))).status).toBe(400)
  })

  test('for more browsers at once than one agent has', async () => {
    // Time stands still meanwhile, or a slow machine would never bring so many at once.
    let stopped: Date | undefined
    const near = await startTestServer({}, { clock: () => stopped ?? new Date() })
    try {
      const [own, other] = [await delegating(near), await delegating(near)]
      stopped = new Date()
      const visit = ({ agent, browser }: Delegating) => browser.get(`/authorize?client_id=${agent.id}`)
      const answers = await Promise.all(Array.from({ length: 201 }, () => visit(own)))
      expect(answers.filter(({ status }) => status === 400)).toHaveLength(200)
      expect(answers.find(({ status }) => status === 429)?.headers['retry-after']).toBe('1')
      // No other agent is kept from it.
      expect((await visit(other)).status).toBe(400)
    } finally {
      await near.close()
    }
  })

  test('two resources', async () => {
    const query = new URLSearchParams(story.parameters())
    query.append('resource', 'https://other.example')
    const { at } = await story.browser.follow(await story.browser.get(`/authorize?${query}`))
    expect(new URL(at).searchParams.get('error')).toBe('invalid_target')
  })

  test('of an agent that is not registered for it, or not active, or not there', async () => {
    const other = await delegating(server, { agent: { grant_types: ['device_code'], redirect_uris: [] } })
    expect((await other.authorize()).status).toBe(400)
    expect((await other.ask('/par', other.parameters())).body).toMatchObject({ error: 'unauthorized_client' })
    expect((await story.authorize({ client_id: 'nobody' })).status).toBe(400)
    const stopped = await delegating(server)
    await stopped.people.api.call('POST', `/admin/agents/${stopped.agent.id}/suspend`, {})
    const page = await stopped.authorize()
    expect(page.status).toBe(400)
    expect(page.text).toContain('This request cannot be served')
  })
})

describe('a code is refused', () => {
  const refused = async (deviation: Parameters<Delegating['redeem']>[1], of = story) => {
    const { body, status } = await of.redeem(await of.code(), deviation)
    expect(status).toBeGreaterThanOrEqual(400)
    return body.error
  }
  test.each([
    ['with another verifier', { code_verifier: 'x'.repeat(43) }, 'invalid_grant'],
    ['without its verifier', { code_verifier: undefined }, 'invalid_grant'],
    ['for another redirect_uri', { redirect_uri: `${REDIRECT}/` }, 'invalid_grant'],
    ['without a redirect_uri', { redirect_uri: undefined }, 'invalid_request'],
    ['that nobody made', { code: 'unknown' }, 'invalid_grant'],
    ['with bounds of its own', { authorization_details: '[]' }, 'invalid_request'],
    ['with a scope', { scope: 'openid' }, 'invalid_scope'],
  ])('%s', async (_, form, error) => {
    expect(await refused({ form })).toBe(error)
  })

  test('without a proof of possession, or by a key that is not the agent\u2019s', async () => {
    expect(await refused({ proofs: [] })).toBe('invalid_dpop_proof')
    expect(await refused({ proofKey: makeKey('ES256') })).toBe('invalid_dpop_proof')
  })

  test('with another key than the request was bound to', async () => {
    const key = makeKey('ES256')
    await story.people.api.call('POST', `/admin/agents/${story.agent.id}/keys`, { jwk: key.jwk })
    const code = await story.code({ dpop_jkt: key.jkt })
    expect((await story.redeem(code)).body).toMatchObject({ error: 'invalid_grant' })
    // Nothing was used up by it.
    expect((await story.redeem(code, { proofKey: key })).status).toBe(200)
  })

  test('by another agent', async () => {
    const [code, other] = [await story.code(), await delegating(server)]
    const form = { grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: story.verifier }
    expect((await other.ask('/token', form, {}, true)).body).toMatchObject({ error: 'invalid_grant' })
  })

  test('once the delegation has ended, or everything is stopped', async () => {
    const own = await delegating(server)
    const code = await own.code()
    const [{ id }] = (await own.people.api.call('GET', `/admin/delegations?agent=${own.agent.id}`)).body.items
    await own.people.api.call('DELETE', `/admin/delegations/${id}`)
    expect((await own.redeem(code)).body).toMatchObject({ error: 'invalid_grant' })
    const next = await own.code()
    await own.people.api.call('POST', '/admin/stop', { reason: 'a test' })
    expect((await own.redeem(next)).body).toMatchObject({ error: 'access_denied' })
    await own.people.api.call('DELETE', '/admin/stop')
  })
})

test('a flow goes on when the provider is built anew', async () => {
  const page = await story.authorize()
  const rotate = await story.people.api.call('POST', '/admin/signing-keys/rotate', { compromised: true })
  expect(rotate.status, rotate.text).toBeLessThan(300)
  const { at } = await story.answer(page)
  await story.people.api.call('POST', '/admin/signing-keys/rotate', { compromised: true })
  const answer = await story.redeem(new URL(at).searchParams.get('code') ?? '')
  expect(answer.status, answer.text).toBe(200)
  const action = { subjectToken: answer.body.access_token, resource: story.identifier, action: ACTION }
  expect((await exchange(server.issuer, story.agent, action)).status).toBe(200)
})
