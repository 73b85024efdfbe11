import { createHash } from 'node:crypto'
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildAuthorizationUrlWithPAR,
  type Configuration,
  calculatePKCECodeChallenge,
  type DPoPHandle,
  genericGrantRequest,
  getDPoPHandle,
  initiateBackchannelAuthentication,
  initiateDeviceAuthorization,
  pollBackchannelAuthenticationGrant,
  pollDeviceAuthorizationGrant,
  randomPKCECodeVerifier,
} from 'openid-client'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { formOf } from '../support/browser.ts'
import { TOKEN_EXCHANGE } from '../support/clients.ts'
import { type Delegating, delegating, REDIRECT } from '../support/delegating.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf } from '../support/world.ts'
import { exchangeParameters } from './support/exchange-parameters.ts'
import { keyPair } from './support/key-pair.ts'
import { openidConfiguration } from './support/openid-configuration.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())

describe.each(['ES256', 'Ed25519'] as const)('openid-client, with an agent whose key is %s', (alg) => {
  let story: Delegating
  let agent: Configuration
  let dpop: DPoPHandle
  beforeEach(async () => {
    story = await delegating(server, { alg })
    agent = await openidConfiguration(server.issuer, story.agent)
    dpop = getDPoPHandle(agent, await keyPair(story.agent.key))
  })

  /** What every flow asks for (RFC 9396, RFC 8707). */
  const asked = () => ({ resource: story.identifier, authorization_details: JSON.stringify(story.bounds) })
  /** The principal looks at the page that a URL leads to, and allows it. */
  const allow = async (url: URL) => {
    const first = await story.browser.get(`${url.pathname}${url.search}`)
    const page = await story.browser.follow(first)
    return story.answer({ ...page, at: page.at === '' ? url.href : page.at })
  }
  /** The token is good for an action inside of the bounds, and for none outside. */
  const isGood = async (subjectToken: string) => {
    const wish = (to: string) =>
      exchangeParameters({
        ...{ subjectToken, resource: story.identifier },
        action: { type: 'email_send', to: [to], subject: 'Minutes', body: 'Hello' },
      })
    const token = await genericGrantRequest(agent, TOKEN_EXCHANGE, wish('bob@example.com'), { DPoP: dpop })
    expect(claimsOf(token.access_token)).toMatchObject({ sub: story.principal, client_id: story.agent.id })
    await expect(
      genericGrantRequest(agent, TOKEN_EXCHANGE, wish('eve@evil.example'), { DPoP: dpop }),
    ).rejects.toMatchObject({ error: 'access_denied' })
  }

  test.each([
    ['with PAR', true],
    ['without', false],
  ])('code, PKCE, RAR and DPoP, %s', async (_, isPushed) => {
    const pkceCodeVerifier = randomPKCECodeVerifier()
    const parameters = {
      ...{ redirect_uri: REDIRECT, state: 'some-state', ...asked() },
      code_challenge: await calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    }
    const url = isPushed
      ? await buildAuthorizationUrlWithPAR(agent, parameters, { DPoP: dpop })
      : buildAuthorizationUrl(agent, parameters)
    expect(url.searchParams.has('authorization_details')).toBe(!isPushed)
    const { at } = await allow(url)
    const checks = { pkceCodeVerifier, expectedState: 'some-state' }
    const answer = await authorizationCodeGrant(agent, new URL(at), checks, undefined, { DPoP: dpop })
    expect(answer).toMatchObject({ token_type: 'dpop', authorization_details: story.bounds })
    await isGood(answer.access_token)
  })

  test('the device grant', async () => {
    const started = await initiateDeviceAuthorization(agent, asked())
    const url = new URL(started.verification_uri_complete ?? '')
    const page = await story.browser.get(`${url.pathname}${url.search}`)
    const consent = await story.browser.post(url.pathname, formOf(page))
    const polled = pollDeviceAuthorizationGrant(agent, { ...started, interval: 1 }, undefined, { DPoP: dpop })
    await story.answer({ ...consent, at: `${server.issuer}${url.pathname}` })
    const answer = await polled
    expect(answer).toMatchObject({ token_type: 'dpop', authorization_details: story.bounds })
    await isGood(answer.access_token)
  })

  test('the poll of the backchannel', async () => {
    const hint = { scope: 'openid', login_hint: story.principal, binding_message: 'Minutes' }
    const started = await initiateBackchannelAuthentication(agent, { ...hint, ...asked() })
    const handle = createHash('sha256').update(started.auth_req_id).digest('base64url')
    const polled = pollBackchannelAuthenticationGrant(agent, { ...started, interval: 1 }, undefined, { DPoP: dpop })
    await allow(new URL(`/me/consents/${handle}`, server.issuer))
    const answer = await polled
    expect(answer).toMatchObject({ token_type: 'dpop', authorization_details: story.bounds })
    expect(answer.claims()).toMatchObject({ sub: story.principal })
    await isGood(answer.access_token)
  })
})
