import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exchange } from '../../support/clients.ts'
import { type Delegating, delegating, REDIRECT } from '../../support/delegating.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf } from '../../support/world.ts'

let server: TestServer
let story: Delegating
beforeAll(async () => {
  server = await startTestServer()
  story = await delegating(server)
})
afterAll(() => server?.close())

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
    expect(answer.body).toMatchObject({ token_type: 'DPoP', authorization_details: story.bounds })
    expect(claimsOf(answer.body.access_token)).toEqual({
      ...{ iss: server.issuer, aud: server.issuer, sub: story.principal, client_id: story.agent.id },
      ...{ may_act: { sub: story.agent.id }, token_use: 'subject', jti: expect.stringMatching(/^dlg_/) },
      ...{ iat: expect.any(Number), exp: expect.any(Number) },
    })
    const action = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }
    const token = await exchange(server.issuer, story.agent, {
      ...{ subjectToken: answer.body.access_token, resource: story.identifier, action },
    })
    expect(token.status, token.text).toBe(200)
  })
})
