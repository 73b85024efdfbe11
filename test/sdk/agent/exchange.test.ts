import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, explainRefusal, type Wish } from '../../../src/sdk/agent/index.ts'
import { administer, recordOf } from '../../http/oauth/answers.ts'
import { introspect, newClient } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { agentOf, expectNotShown, granted, refused } from './agents.ts'

let server: TestServer
let world: World
let agent: Agent
let wish: { readonly subjectToken: string; readonly resource: string; readonly action: Wish['action'] }
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
  agent = await agentOf(server.issuer, world.agent)
  wish = wishOf(world)
})
afterAll(() => server.close())

const wishOf = ({ wish: { subjectToken, resource }, action }: World) => ({
  subjectToken,
  resource,
  action: action as Wish['action'],
})

describe('an exchange', () => {
  test.each(['ES256', 'Ed25519'] as const)('gives a token for the one action, bound to the key: %s', async (alg) => {
    const here = await createWorld(server, { alg })
    const token = granted(await (await agentOf(server.issuer, here.agent)).exchange(wishOf(here)))
    expect(token.action).toEqual({ ...here.action, locations: [here.identifier] })
    expect([token.resource, token.expiresInSeconds]).toEqual([here.identifier, 60])
    expect(claimsOf(token.token)).toMatchObject({
      sub: here.principal,
      act: { sub: here.agent.id },
      cnf: { jkt: here.agent.key.jkt },
      authorization_details: [token.action],
    })
    expect((await introspect(server.issuer, here.resource, token.token)).body.active).toBe(true)
  })

  test('takes a delegation for its subject token and its resource', async () => {
    const { subjectToken, resource, action } = wish
    const delegation = {
      id: world.delegation.id,
      principal: world.principal,
      resource,
      authorizationDetails: [],
      expiresAt: new Date(),
      more: {},
      subjectToken,
    }
    expect(granted(await agent.exchange({ delegation, action })).resource).toBe(resource)
  })

  test('fifty at once are fifty tokens, and one that is refused among them refuses itself only', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        agent.exchange({
          ...wish,
          action: { ...wish.action, subject: `mail ${i}`, ...(i === 17 && { to: ['eve@evil.example'] }) },
        }),
      ),
    )
    const tokens = outcomes.filter((_, i) => i !== 17).map(granted)
    expect(tokens.map(({ action }) => action.subject)).toEqual(
      Array.from({ length: 50 }, (_, i) => `mail ${i}`).filter((_, i) => i !== 17),
    )
    expect(new Set(tokens.map(({ token }) => claimsOf(token).jti)).size).toBe(49)
    expect(refused(outcomes[17])).toMatchObject({ kind: 'not_permitted', member: 'to[0]' })
  })

  test('its token is in nothing that is printed', async () => {
    const token = granted(await agent.exchange(wish))
    expect(token.token.split('.')).toHaveLength(3)
    expectNotShown(token, token.token)
    expectNotShown(agent, token.token, wish.subjectToken)
  })
})

describe('the metadata', () => {
  test('is read once, however many ask', async () => {
    const urls: string[] = []
    const counting: typeof fetch = (url, init) => {
      urls.push(String(url))
      return fetch(url, init)
    }
    const own = await agentOf(server.issuer, world.agent, { fetch: counting })
    await Promise.all([own.exchange(wish), own.discover(), own.exchange(wish), own.exchange(wish)])
    expect((await own.discover()).authorizationDetailsTypes).toContain('email_send')
    const metadata = `${server.issuer}/.well-known/oauth-authorization-server`
    expect(urls.filter((url) => url === metadata)).toHaveLength(1)
    // And one attestation.
    expect(urls).toHaveLength(5)
  })
})

describe('a refusal says what it is and what to do', () => {
  test('not_permitted: the member, and a decision that is on record', async () => {
    const refusal = refused(await agent.exchange({ ...wish, action: { ...wish.action, to: ['eve@evil.example'] } }))
    expect(refusal).toMatchObject({
      kind: 'not_permitted',
      error: 'access_denied',
      status: 400,
      member: 'to[0]',
      description: 'the action is outside the bounds: to[0]',
    })
    expect(await recordOf(world, String(refusal.decisionId))).toMatchObject({
      refusal: 'action_not_permitted',
      request_id: refusal.requestId,
    })
    expect(explainRefusal(refusal)).toBe(
      `access_denied: the action is outside the bounds: to[0] (decision ${refusal.decisionId}). ${refusal.advice}`,
    )
    expectNotShown(refusal, wish.subjectToken)
  })

  test.each<[string, () => object, string]>([
    ['a member nobody knows', () => ({ bcc: ['bob@example.com'] }), 'bcc'],
    ['a bad element', () => ({ to: ['bob@example.com', 'no address'] }), 'to[1]'],
    ['a missing member', () => ({ subject: undefined }), 'subject'],
  ])('action_invalid: %s', async (_name, change, member) => {
    const refusal = refused(await agent.exchange({ ...wish, action: { ...wish.action, ...change() } }))
    expect(refusal).toMatchObject({ kind: 'action_invalid', error: 'invalid_authorization_details', member })
    expect(refusal).not.toHaveProperty('decisionId')
  })

  test('action_invalid: an unknown type, which is no member', async () => {
    const refusal = refused(await agent.exchange({ ...wish, action: { type: 'rm_rf' } }))
    expect(refusal.kind).toBe('action_invalid')
  })

  test('wrong_resource: another one than the delegation names', async () => {
    const refusal = refused(await agent.exchange({ ...wish, resource: 'https://nowhere.example' }))
    expect(refusal).toMatchObject({ kind: 'wrong_resource', error: 'invalid_target', status: 400 })
    expect(refusal).not.toHaveProperty('member')
  })

  test('delegation_ended: of another agent, garbage, revoked', async () => {
    const other = await createWorld(server)
    const otherAgent = await agentOf(server.issuer, other.agent)
    expect(refused(await agent.exchange({ ...wish, subjectToken: other.wish.subjectToken })).kind).toBe(
      'delegation_ended',
    )
    expect(refused(await agent.exchange({ ...wish, subjectToken: 'garbage' })).kind).toBe('delegation_ended')
    granted(await otherAgent.exchange(wishOf(other)))
    await administer(other, 'DELETE', `/admin/delegations/${other.delegation.id}`)
    const refusal = refused(await otherAgent.exchange(wishOf(other)))
    expect(refusal).toMatchObject({ kind: 'delegation_ended', error: 'invalid_grant', status: 400 })
  })

  test('not_authenticated: nobody, another key, suspended; a right clock is not blamed', async () => {
    const outcomes = [
      await (await agentOf(server.issuer, newClient('nobody'))).exchange(wish),
      await (await agentOf(server.issuer, { ...world.agent, key: newClient('x').key })).exchange(wish),
    ]
    const other = await createWorld(server)
    await administer(other, 'POST', `/admin/agents/${other.agent.id}/suspend`, { reason: 'odd' })
    outcomes.push(await (await agentOf(server.issuer, other.agent)).exchange(wishOf(other)))
    for (const outcome of outcomes) {
      expect(refused(outcome)).toMatchObject({ kind: 'not_authenticated', error: 'invalid_client', status: 401 })
      expect(outcome).not.toHaveProperty('clockSkewSeconds')
    }
  })

  test('request_refused: an exchange by an administrator', async () => {
    const refusal = refused(await (await agentOf(server.issuer, server.admin)).exchange(wish))
    expect(refusal).toMatchObject({ kind: 'request_refused', error: 'unauthorized_client' })
  })

  test('proof_refused and request_refused: what something in between has changed', async () => {
    const changing = (change: (init: { headers: Headers; body: string }) => void): Promise<Agent> =>
      agentOf(server.issuer, world.agent, {
        fetch: (url, init) => {
          const changed = { headers: new Headers(init?.headers), body: String(init?.body) }
          if (init?.method === 'POST') change(changed)
          return fetch(url, init?.method === 'POST' ? { ...init, ...changed } : init)
        },
      })
    const proofless = await changing(({ headers }) => headers.delete('dpop'))
    expect(refused(await proofless.exchange(wish))).toMatchObject({
      kind: 'proof_refused',
      error: 'invalid_dpop_proof',
      status: 400,
    })
    const doubled = await changing((init) => {
      init.body += '&resource=https%3A%2F%2Fevil.example'
    })
    expect(refused(await doubled.exchange(wish))).toMatchObject({ kind: 'request_refused', error: 'invalid_request' })
    const scoped = await changing((init) => {
      init.body += '&scope=email'
    })
    expect(refused(await scoped.exchange(wish))).toMatchObject({ kind: 'request_refused', error: 'invalid_scope' })
  })

  test('slow_down: with the time to wait, and by itself again where that is configured', async () => {
    let ahead = 0
    const busy = await startTestServer(
      { clientRequests: { perSecond: 0.1, burst: 3 } },
      { clock: () => new Date(Date.now() + ahead * 1_000) },
    )
    try {
      const here = await createWorld(busy)
      const plain = await agentOf(busy.issuer, here.agent)
      for (let i = 0; i < 2; i++) granted(await plain.exchange(wishOf(here)))
      expect(refused(await plain.exchange(wishOf(here)))).toMatchObject({
        kind: 'slow_down',
        error: 'slow_down',
        status: 429,
        retryAfterSeconds: 1,
      })
      const patient = await agentOf(busy.issuer, here.agent, {
        retries: { attempts: 2, maxWaitSeconds: 5 },
        fetch: async (url, init) => {
          const response = await fetch(url, init)
          if (response.status === 429) ahead += 11
          return response
        },
      })
      granted(await patient.exchange(wishOf(here)))
    } finally {
      await busy.close()
    }
  })
})

describe('a wish that is none is told before anything is sent', () => {
  test.each<[string, object, string]>([
    ['no resource', { resource: undefined }, 'resource'],
    ['a relative resource', { resource: '/mail' }, 'resource'],
    ['no subject token', { subjectToken: undefined }, 'subjectToken'],
    ['no action', { action: undefined }, 'action'],
    ['an action without a type', { action: { to: [] } }, 'action'],
  ])('%s', async (_name, change, named) => {
    const silent = await agentOf(server.issuer, world.agent, { fetch: () => Promise.reject(new Error('sent')) })
    await expect(silent.exchange({ ...wish, ...change } as Wish)).rejects.toThrow(new RegExp(`^${named} must`))
  })
})
