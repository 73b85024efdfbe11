import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, introspect, newClient, revoke, seconds, type TestClient } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { expectRefused, issued } from './answers.ts'

let server: TestServer
let world: World
let other: World
/** Seconds that the server's own clock is ahead. */
let ahead = 0
beforeAll(async () => {
  server = await startTestServer({}, { clock: () => new Date(Date.now() + ahead * 1_000) })
  world = await createWorld(server)
  other = await createWorld(server)
})
afterAll(() => server.close())

const isActive = async (token: string) => (await introspect(server.issuer, world.resource, token)).body.active

/** Revokes and expects the one answer there is: 200 and nothing in it (RFC 7009 §2.2). */
async function withdraw(client: TestClient, token: string, form: Record<string, string> = {}): Promise<void> {
  const answer = await revoke(server.issuer, client, token, { form })
  expect([answer.status, answer.text]).toEqual([200, ''])
  expect(answer.headers['cache-control']).toBe('no-store')
  expect(answer.headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]{1,64}$/)
}

/** What the account says was revoked. */
async function revocationsOf(agent: string): Promise<readonly Record<string, unknown>[]> {
  const { body } = await world.api.call('GET', `/admin/records?agent=${agent}&limit=200`)
  return body.items.filter(({ kind }: { kind: string }) => kind === 'revocation')
}

describe('an action token', () => {
  test.each([{}, { token_type_hint: 'refresh_token' }, { token_type_hint: 'nonsense' }])(
    'its agent withdraws it, whatever the hint: %o',
    async (form) => {
      const token = await issued(world.exchange())
      const sibling = await issued(world.exchange())
      await withdraw(world.agent, token, form)
      expect(await isActive(token)).toBe(false)
      expect(await isActive(sibling)).toBe(true)
      const { jti } = claimsOf(token)
      expect(await revocationsOf(world.agent.id)).toContainEqual(
        expect.objectContaining({ decision: 'done', because: { token_use: 'action', jti } }),
      )
    },
  )

  test('nobody else does: another agent, its resource server, an administrator', async () => {
    const token = await issued(world.exchange())
    for (const client of [other.agent, world.resource, other.resource, server.admin]) await withdraw(client, token)
    expect(await isActive(token)).toBe(true)
  })

  test('twice is once', async () => {
    const token = await issued(world.exchange())
    const before = (await revocationsOf(world.agent.id)).length
    await withdraw(world.agent, token)
    await withdraw(world.agent, token)
    expect(await revocationsOf(world.agent.id)).toHaveLength(before + 1)
  })

  test('one that has expired has no effect', async () => {
    const token = await issued(world.exchange())
    ahead = 66
    const now = seconds() + ahead
    const answer = await revoke(server.issuer, world.agent, token, { assertionClaims: { iat: now, exp: now + 60 } })
    ahead = 0
    expect([answer.status, answer.text]).toEqual([200, ''])
    expect(await isActive(token)).toBe(true)
  })

  test('one that was changed has no effect', async () => {
    const token = await issued(world.exchange())
    await withdraw(world.agent, `${token.slice(0, -20)}${token.at(-20) === 'A' ? 'B' : 'A'}${token.slice(-19)}`)
    expect(await isActive(token)).toBe(true)
  })
})

describe('a subject token ends the delegation', () => {
  test('its agent gives it up: no more exchanges, and what was issued on it is inactive', async () => {
    const own = await createWorld(server)
    const token = await issued(own.exchange())
    await withdraw(own.agent, own.wish.subjectToken)
    expectRefused(await own.exchange(), 400, 'invalid_grant')
    expect((await introspect(server.issuer, own.resource, token)).body).toStrictEqual({ active: false })
    const { body } = await world.api.call('GET', `/admin/delegations/${own.delegation.id}`)
    expect(body.status).toBe('revoked')
    expect(await revocationsOf(own.agent.id)).toContainEqual(
      expect.objectContaining({ delegation: own.delegation.id, principal: own.principal }),
    )
  })

  test('nobody else does', async () => {
    for (const client of [other.agent, world.resource, server.admin]) await withdraw(client, world.wish.subjectToken)
    await issued(world.exchange())
  })
})

describe('an agent token', () => {
  test('its agent withdraws it, which is on record', async () => {
    const token = await issued(clientToken(server.issuer, world.agent))
    const { jti } = claimsOf(token)
    await withdraw(other.agent, token)
    expect(await revocationsOf(other.agent.id)).toEqual([])
    await withdraw(world.agent, token)
    expect(await revocationsOf(world.agent.id)).toContainEqual(
      expect.objectContaining({ because: { token_use: 'agent', jti } }),
    )
    // The agent itself goes on.
    await issued(world.exchange())
  })
})

describe('anything else: 200 without effect', () => {
  test.each<[string, () => string]>([
    ['garbage', () => 'x'],
    ['200,000 characters', () => 'x'.repeat(200_000)],
    ['the id of a delegation', () => world.delegation.id],
    ['an administrator token', () => world.api.token],
  ])('%s', async (_name, token) => {
    for (const client of [world.agent, world.resource, server.admin]) await withdraw(client, token())
    await issued(world.exchange())
    expect((await world.api.call('GET', '/admin/agents')).status).toBe(200)
  })
})

describe('refusals', () => {
  test('no token: 400 invalid_request; a stranger: 401 invalid_client', async () => {
    expectRefused(await revoke(server.issuer, world.agent, ''), 400, 'invalid_request')
    expectRefused(await revoke(server.issuer, newClient('nobody'), 'x'), 401, 'invalid_client')
    expectRefused(
      await revoke(server.issuer, world.agent, 'x', { headers: [['Authorization', 'Basic eDp5']] }),
      400,
      'invalid_request',
    )
  })
})
