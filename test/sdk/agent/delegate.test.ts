import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createAgent,
  createKey,
  type GivenDelegation,
  isWritRefusal,
  type WritRefusal,
} from '../../../src/sdk/agent/index.ts'
import { newAgent } from '../../support/chain.ts'
import type { TestClient } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { agentOf, expectNotShown, granted, refused } from './agents.ts'
import { answer, startTinyIssuer } from './tiny-server.ts'

let server: TestServer
let world: World
let helper: TestClient
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server, { delegation: { delegable: { max_depth: 2 } } })
  helper = await newAgent(world)
})
afterAll(() => server.close())

const any = { $any: true }
const BOUND = {
  type: 'email_send',
  to: { $each: { $in: ['bob@example.com'] }, $max_items: 1 },
  subject: any,
  body: any,
}
const given = (outcome: GivenDelegation | WritRefusal): GivenDelegation => {
  if (isWritRefusal(outcome)) throw new Error(`${outcome.error}: ${outcome.description}`)
  return outcome
}
const tokenOf = async (client: TestClient) => {
  const token = await (await agentOf(server.issuer, client)).actorToken()
  if (isWritRefusal(token)) throw new Error(token.description)
  return token
}

describe('an agent gives its delegation on', () => {
  test('and the next one acts on it, by what it was given or what it finds', async () => {
    const [planner, next] = [await agentOf(server.issuer, world.agent), await agentOf(server.issuer, helper)]
    const [delegation] = (await planner.delegations()) as Exclude<
      Awaited<ReturnType<typeof planner.delegations>>,
      WritRefusal
    >
    if (delegation === undefined) throw new Error('there is no delegation')
    const { token: actorToken } = await tokenOf(helper)
    const child = given(
      await planner.delegate({
        ...{ delegation, actorToken, authorizationDetails: [BOUND], expiresIn: 600 },
        ...{ limits: { max_uses: 2 }, delegable: { max_depth: 1 } },
      }),
    )
    expect(child).toMatchObject({ authorizationDetails: [BOUND], expiresInSeconds: 600 })
    expect(Math.abs(child.expiresAt.getTime() - Date.now() - 600_000)).toBeLessThan(5_000)
    const found = await next.delegations()
    if (isWritRefusal(found)) throw new Error(found.description)
    expect(found.map(({ id }) => id)).toEqual([claimsOf(child.subjectToken).jti])
    const wish = {
      subjectToken: child.subjectToken,
      resource: world.identifier,
      action: { type: 'email_send', ...world.action },
    }
    const { act } = claimsOf(granted(await next.exchange(wish)).token)
    expect([act.sub, act.act.sub]).toEqual([helper.id, world.agent.id])
    granted(await next.exchange({ ...wish, delegation: found[0] as (typeof found)[number] }))
    expect(refused(await next.exchange(wish))).toMatchObject({ kind: 'limit_reached' })
  })

  test('wider: refused at its member, with the record', async () => {
    const planner = await agentOf(server.issuer, world.agent)
    const { token: actorToken } = await tokenOf(helper)
    const { subjectToken } = world.delegation
    const wider = { ...BOUND, cc: any }
    const refusal = refused(await planner.delegate({ subjectToken, actorToken, authorizationDetails: [wider] }))
    expect(refusal).toMatchObject({ kind: 'not_permitted', member: 'authorization_details[0].cc' })
    expect(refusal.decisionId).toEqual(expect.any(String))
  })

  test('secrets are not shown', async () => {
    const planner = await agentOf(server.issuer, world.agent)
    const actor = await tokenOf(helper)
    const { subjectToken } = world.delegation
    const child = given(
      await planner.delegate({ subjectToken, actorToken: actor.token, authorizationDetails: [BOUND] }),
    )
    expectNotShown(child, child.subjectToken)
    expectNotShown(actor, actor.token)
  })

  test('what cannot be right is a TypeError, and nothing is sent', async () => {
    const planner = createAgent({
      ...{ issuer: 'https://as.example', id: 'planner', key: await createKey() },
      fetch: () => Promise.reject(new Error('something was sent')),
    })
    const good = { subjectToken: 'a', actorToken: 'b', authorizationDetails: [BOUND] }
    for (const change of [
      { subjectToken: '' },
      { actorToken: '' },
      { authorizationDetails: [] },
      { expiresIn: 0 },
      { expiresIn: 1.5 },
    ]) {
      await expect(planner.delegate({ ...good, ...change })).rejects.toThrow(TypeError)
    }
  })

  test('an answer that is no delegation is a fault', async () => {
    const token = {
      access_token: 'x.y.z',
      token_type: 'DPoP',
      expires_in: 60,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
    for (const body of [
      { ...token, authorization_details: {} },
      { ...token, issued_token_type: 'x', authorization_details: [] },
    ]) {
      const tiny = await startTinyIssuer((_request, response) => answer(response, 200, body))
      const planner = createAgent({ issuer: tiny.origin, id: 'planner', key: await createKey() })
      const giving = { subjectToken: 'a', actorToken: 'b', authorizationDetails: [BOUND] }
      await expect(planner.delegate(giving)).rejects.toMatchObject({ kind: 'unexpected_answer' })
      await tiny.close()
    }
  })
})
