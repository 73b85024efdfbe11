import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createAgent,
  createKey,
  type Delegation,
  enrol,
  isWritRefusal,
  type WritRefusal,
} from '../../../src/sdk/agent/index.ts'
import { administer } from '../../http/oauth/answers.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { agentOf, expectNotShown, granted, refused } from './agents.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

/** An agent without a key, and a one-time code for its first. */
async function newcomer(options: object = {}): Promise<{ id: string; enrolment: string; code: string }> {
  const id = `newcomer-${randomBytes(5).toString('hex')}`
  await administer(world, 'POST', '/admin/agents', { id, name: 'Newcomer' })
  const { body } = await administer(world, 'POST', `/admin/agents/${id}/enrolments`, options)
  return { id, enrolment: body.id, code: body.code }
}

const listed = (outcome: readonly Delegation[] | WritRefusal): readonly Delegation[] => {
  if (isWritRefusal(outcome)) throw new Error(`${outcome.error}: ${outcome.description}`)
  return outcome
}

describe('an enrolment at the server', () => {
  test.each(['ES256', 'Ed25519'] as const)('from a code to a first token, and a first refusal: %s', async (alg) => {
    const { id, code } = await newcomer()
    const key = await createKey({ alg })
    const enrolled = await enrol({ issuer: server.issuer, code, key, label: 'laptop' })
    expect(enrolled).toEqual({ issuer: server.issuer, agent: id, kid: key.kid })

    const agent = createAgent({ issuer: server.issuer, id, key })
    expect(listed(await agent.delegations())).toEqual([])
    const bound = { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: 'Hello' }
    const delegation = { principal: world.principal, agent: id, resource: world.identifier }
    await administer(world, 'POST', '/admin/delegations', { ...delegation, authorization_details: [bound] })
    const [first, ...more] = listed(await agent.delegations())
    if (first === undefined) throw new Error('no delegation')
    expect(more).toEqual([])
    expect(first).toMatchObject({
      principal: world.principal,
      resource: world.identifier,
      authorizationDetails: [bound],
    })
    expect(first.expiresAt.getTime()).toBeGreaterThan(Date.now() + 86_400_000)
    expect(first.subjectToken.split('.')).toHaveLength(3)
    expectNotShown(first, first.subjectToken)

    const action = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }
    expect(granted(await agent.exchange({ delegation: first, action })).action).toEqual({
      ...action,
      locations: [world.identifier],
    })
    const refusal = refused(await agent.exchange({ delegation: first, action: { ...action, body: 'Goodbye' } }))
    expect(refusal).toMatchObject({ kind: 'not_permitted', member: 'body' })
  })

  test('a code that was used, guessed, withdrawn, or is for another key: code_unusable', async () => {
    const { issuer } = server
    const used = await newcomer()
    await enrol({ issuer, code: used.code, key: await createKey() })
    const withdrawn = await newcomer()
    await administer(world, 'DELETE', `/admin/agents/${withdrawn.id}/enrolments/${withdrawn.enrolment}`)
    const chosen = await newcomer({ jkt: world.agent.key.jkt })
    const outcomes = [
      await enrol({ issuer, code: used.code, key: await createKey() }),
      await enrol({ issuer, code: randomBytes(16).toString('base64url'), key: await createKey() }),
      await enrol({ issuer, code: chosen.code, key: await createKey() }),
      await enrol({ issuer, code: withdrawn.code, key: await createKey() }),
    ]
    for (const outcome of outcomes) {
      expect(refused(outcome)).toMatchObject({ kind: 'code_unusable', error: 'invalid_grant', status: 400 })
      expectNotShown(outcome, used.code, withdrawn.code, chosen.code)
    }
  })

  test('of ten that race for one code, one is the agent', async () => {
    const { id, code } = await newcomer()
    const keys = await Promise.all(Array.from({ length: 10 }, () => createKey()))
    const outcomes = await Promise.all(keys.map((key) => enrol({ issuer: server.issuer, code, key })))
    const winners = keys.filter((_, i) => !isWritRefusal(outcomes[i]))
    expect(winners).toHaveLength(1)
    for (const key of keys) {
      const outcome = await createAgent({ issuer: server.issuer, id, key }).delegations()
      if (winners.includes(key)) expect(listed(outcome)).toEqual([])
      else expect(refused(outcome).kind).toBe('not_authenticated')
    }
  })
})

describe('the delegations at the server', () => {
  test('all of them, over more than one page, and of nobody else', async () => {
    const own = await createWorld(server)
    await createWorld(server)
    const agent = await agentOf(server.issuer, own.agent)
    const bound = { type: 'email_send', to: ['bob@example.com'], subject: { $any: true }, body: { $any: true } }
    const members = { principal: own.principal, agent: own.agent.id, resource: own.identifier }
    const ids = [own.delegation.id]
    for (let i = 0; i < 204; i++) {
      const { body } = await administer(own, 'POST', '/admin/delegations', {
        ...members,
        authorization_details: [bound],
      })
      ids.push(body.id)
    }
    expect(
      listed(await agent.delegations())
        .map(({ id }) => id)
        .sort(),
    ).toEqual(ids.sort())
  })

  test('a suspended agent, and the token it still holds, is refused', async () => {
    const own = await createWorld(server)
    const agent = await agentOf(server.issuer, own.agent)
    expect(listed(await agent.delegations())).toHaveLength(1)
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/suspend`, { reason: 'odd' })
    expect(refused(await agent.delegations())).toMatchObject({ kind: 'not_authenticated', status: 401 })
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/resume`, {})
    expect(listed(await agent.delegations())).toHaveLength(1)
  })
})
