import { createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CIBA, type Delegating, delegating } from '../../support/delegating.ts'
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

const ask = (change: object = {}, of = story) =>
  of.ask('/backchannel', {
    ...{ scope: 'openid', login_hint: of.principal, resource: of.identifier },
    ...{ authorization_details: JSON.stringify(of.bounds), ...change },
  })
const poll = (auth_req_id: string, of = story) => of.ask('/token', { grant_type: CIBA, auth_req_id }, {}, true)
const pageOf = async (authReqId: string) => {
  const path = `/me/consents/${createHash('sha256').update(authReqId).digest('base64url')}`
  return { ...(await story.browser.get(path)), at: `${server.issuer}${path}` }
}

describe('an agent asks a principal who is elsewhere', () => {
  test('and is given the subject token once he has allowed it', async () => {
    const { body, status } = await ask({ binding_message: 'the minutes of Monday' })
    expect(status, JSON.stringify(body)).toBe(200)
    expect(body).toMatchObject({ auth_req_id: expect.any(String), expires_in: 600 })
    expect((await poll(body.auth_req_id)).body).toMatchObject({ error: 'authorization_pending' })
    const page = await pageOf(body.auth_req_id)
    expect(page.text).toContain('the minutes of Monday')
    expect((await story.answer(page)).text).toContain('You allowed it')
    const answer = await poll(body.auth_req_id)
    expect(answer.body).toMatchObject({
      ...{ token_type: 'DPoP', authorization_details: story.bounds, id_token: expect.any(String) },
    })
    expect(answer.body).not.toHaveProperty('scope')
    expect(claimsOf(answer.body.access_token)).toMatchObject({ sub: story.principal, token_use: 'subject' })
    expect(claimsOf(answer.body.id_token)).toMatchObject({ sub: story.principal, aud: story.agent.id })
    expect((await poll(body.auth_req_id)).body).toMatchObject({ error: 'invalid_grant' })
  })

  test('and is told no', async () => {
    const { auth_req_id } = (await ask()).body
    await story.answer(await pageOf(auth_req_id), { answer: 'deny' })
    expect((await poll(auth_req_id)).body).toMatchObject({ error: 'access_denied' })
    expect((await pageOf(auth_req_id)).status).toBe(410)
  })

  test('another agent, or another key, gets nothing by it', async () => {
    const { auth_req_id } = (await ask()).body
    await story.answer(await pageOf(auth_req_id))
    const other = await delegating(server)
    expect((await poll(auth_req_id, other)).body).toMatchObject({ error: 'invalid_grant' })
    expect((await poll(auth_req_id)).status).toBe(200)
  })

  test.each([
    ['nobody', { login_hint: 'nobody' }, 'unknown_user_id'],
    ['nobody at all', { login_hint: undefined }, 'invalid_request'],
    ['somebody twice', { login_hint_token: 'x' }, 'invalid_request'],
    ['without openid', { scope: undefined }, 'invalid_request'],
    ['for more than openid', { scope: 'openid email' }, 'invalid_scope'],
    ['without bounds', { authorization_details: undefined }, 'invalid_request'],
    ['with a message of several lines', { binding_message: 'a\nb' }, 'invalid_binding_message'],
    ['with a user code', { user_code: '1234' }, 'invalid_request'],
    ['with a context', { request_context: '{}' }, 'invalid_request'],
    ['with a token for its ping that is none', { client_notification_token: 'a\r\nb' }, 'invalid_request'],
    ['with one that no header takes', { client_notification_token: '\u2192' }, 'invalid_request'],
  ])('asking %s is refused', async (_, change, error) => {
    expect((await ask(change)).body).toMatchObject({ error })
  })

  test('who asks too much of one principal is told so', async () => {
    const answers = []
    for (let n = 0; n < 21; n++) answers.push(await ask())
    expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: 20 }, () => 200), 400])
    expect(answers[20]?.body).toMatchObject({ error: 'access_denied' })
  })

  test('a suspended principal is asked nothing', async () => {
    await story.people.api.call('POST', `/admin/principals/${story.principal}/suspend`, {})
    expect((await ask()).body).toMatchObject({ error: 'unknown_user_id' })
  })

  test('the time an agent asks for is kept', async () => {
    expect((await ask({ requested_expiry: '60' })).body.expires_in).toBe(60)
    expect((await ask({ requested_expiry: '6000' })).body.expires_in).toBe(600)
    expect((await ask({ requested_expiry: '0' })).body).toMatchObject({ error: 'invalid_request' })
  })
})

describe('an agent that wants to be pinged', () => {
  test('is pinged with its own token, once there is an answer', async () => {
    const pings: { headers: IncomingHttpHeaders; body: string }[] = []
    const endpoint = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        pings.push({ headers: request.headers, body })
        // The second time it leads elsewhere: nobody follows, and it is not held against the principal.
        response.writeHead(pings.length === 1 ? 204 : 302, { location: 'http://127.0.0.1:1/' }).end()
      })
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => endpoint.once('listening', resolve))
    const near = await startTestServer({ allowLoopbackRequests: true })
    try {
      const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/ping`
      const ping = { backchannel_token_delivery_mode: 'ping', backchannel_client_notification_endpoint: url }
      const own = await delegating(near, { agent: ping })
      expect((await ask({}, own)).body).toMatchObject({ error: 'invalid_request' })
      const answered = async () => {
        const { auth_req_id } = (await ask({ client_notification_token: 'token-of-the-agent' }, own)).body
        const path = `/me/consents/${createHash('sha256').update(auth_req_id).digest('base64url')}`
        const done = await own.answer({ ...(await own.browser.get(path)), at: `${near.issuer}${path}` })
        expect(done.text).toContain('You allowed it')
        return auth_req_id as string
      }
      const auth_req_id = await answered()
      expect(pings).toEqual([
        {
          headers: expect.objectContaining({ authorization: 'Bearer token-of-the-agent' }),
          body: JSON.stringify({ auth_req_id }),
        },
      ])
      expect((await poll(auth_req_id, own)).status).toBe(200)
      expect((await poll(await answered(), own)).status).toBe(200)
      expect(pings).toHaveLength(2)
    } finally {
      await near.close()
      endpoint.close()
    }
  })

  test('and cannot be reached loses nothing: the answer waits for its poll', async () => {
    const ping = {
      backchannel_token_delivery_mode: 'ping',
      backchannel_client_notification_endpoint: 'https://client.invalid/ping',
    }
    const own = await delegating(server, { agent: ping })
    const { auth_req_id } = (await ask({ client_notification_token: 'token' }, own)).body
    const path = `/me/consents/${createHash('sha256').update(auth_req_id).digest('base64url')}`
    const done = await own.answer({ ...(await own.browser.get(path)), at: `${server.issuer}${path}` })
    expect(done.text).toContain('You allowed it')
    expect((await poll(auth_req_id, own)).status).toBe(200)
  })
})
