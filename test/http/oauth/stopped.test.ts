import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, introspect, newClient, seconds } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { administer, expectRefused, issued, recordOf, timestamp } from './answers.ts'

let server: TestServer
/** Seconds that the server's own clock is ahead. */
let ahead = 0
beforeAll(async () => {
  server = await startTestServer({}, { clock: () => new Date(Date.now() + ahead * 1_000) })
})
afterAll(() => server.close())

const INACTIVE = { active: false }

/** A world whose action is of a type of its own, so that stopping the type stops nobody else. */
async function worldOfItsOwn(): Promise<World & { readonly type: string }> {
  const type = `note_${Math.random().toString(36).slice(2)}`
  await administer(await createWorld(server), 'POST', '/admin/action-types', {
    type,
    title: 'Note',
    schema: {
      type: 'object',
      properties: { text: { type: 'string', maxLength: 100 } },
      required: ['text'],
      additionalProperties: false,
    },
    template: 'Write {text}',
    risk: 'write',
  })
  const world = await createWorld(server, { bounds: [{ type, text: { $any: true } }], action: { type, text: 'hello' } })
  return { ...world, type }
}

interface Stop {
  readonly name: string
  readonly stop: (world: World & { readonly type: string }) => Promise<unknown>
  readonly resume?: (world: World & { readonly type: string }) => Promise<unknown>
  readonly status: number
  readonly error: string
}

const STOPS: readonly Stop[] = [
  {
    name: 'the agent is suspended',
    stop: (world) => administer(world, 'POST', `/admin/agents/${world.agent.id}/suspend`, { reason: 'odd' }),
    resume: (world) => administer(world, 'POST', `/admin/agents/${world.agent.id}/resume`, {}),
    status: 401,
    error: 'invalid_client',
  },
  {
    name: 'the agent is retired',
    stop: (world) => administer(world, 'POST', `/admin/agents/${world.agent.id}/retire`, { reason: 'done' }),
    status: 401,
    error: 'invalid_client',
  },
  {
    name: 'the key is retired',
    stop: (world) => administer(world, 'DELETE', `/admin/agents/${world.agent.id}/keys/${world.agent.key.jkt}`),
    status: 401,
    error: 'invalid_client',
  },
  {
    name: 'the principal is suspended',
    stop: (world) => administer(world, 'POST', `/admin/principals/${world.principal}/suspend`, { reason: 'left' }),
    resume: (world) => administer(world, 'POST', `/admin/principals/${world.principal}/resume`, {}),
    status: 400,
    error: 'invalid_grant',
  },
  {
    name: 'the delegation is revoked',
    stop: (world) => administer(world, 'DELETE', `/admin/delegations/${world.delegation.id}`),
    status: 400,
    error: 'invalid_grant',
  },
  {
    name: 'the resource is suspended',
    stop: (world) => administer(world, 'POST', `/admin/resources/${world.resource.id}/suspend`, { reason: 'odd' }),
    resume: (world) => administer(world, 'POST', `/admin/resources/${world.resource.id}/resume`, {}),
    status: 400,
    error: 'invalid_target',
  },
  {
    name: 'the resource is deleted',
    stop: (world) => administer(world, 'DELETE', `/admin/resources/${world.resource.id}`),
    status: 400,
    error: 'invalid_target',
  },
  {
    name: 'the action type is suspended',
    stop: (world) => administer(world, 'POST', `/admin/action-types/${world.type}/suspend`, { reason: 'odd' }),
    resume: (world) => administer(world, 'POST', `/admin/action-types/${world.type}/resume`, {}),
    status: 400,
    error: 'access_denied',
  },
]

describe('what is stopped issues nothing, from the answer of the administrator on', () => {
  test.each(STOPS)('$name: $status $error', async ({ stop, resume, status, error }) => {
    const world = await worldOfItsOwn()
    // Everything about it is remembered by now.
    await issued(world.exchange())
    await stop(world)
    const refused = await world.exchange()
    expectRefused(refused, status, error)
    if (error === 'access_denied') {
      expect(await recordOf(world, refused.body.decision_id)).toMatchObject({
        decision: 'refused',
        action_type: world.type,
      })
    }
    if (error === 'invalid_client') expectRefused(await clientToken(server.issuer, world.agent), 401, 'invalid_client')
    if (resume === undefined) return
    await resume(world)
    await issued(world.exchange())
  })
})

describe('a token that stands on something stopped is inactive at once, and says no word more', () => {
  // Whoever is suspended as a resource cannot ask: that is a refusal to authenticate, and shown apart.
  test.each(STOPS.filter(({ name }) => !name.startsWith('the resource')))('$name', async ({ stop, resume }) => {
    const world = await worldOfItsOwn()
    const token = await issued(world.exchange())
    expect((await introspect(server.issuer, world.resource, token)).body.active).toBe(true)
    await stop(world)
    expect((await introspect(server.issuer, world.resource, token)).body).toStrictEqual(INACTIVE)
    if (resume === undefined) return
    await resume(world)
    expect((await introspect(server.issuer, world.resource, token)).body.active).toBe(true)
  })

  test('a resource that is suspended does not get to ask', async () => {
    const world = await createWorld(server)
    const token = await issued(world.exchange())
    await administer(world, 'POST', `/admin/resources/${world.resource.id}/suspend`, { reason: 'odd' })
    expectRefused(await introspect(server.issuer, world.resource, token), 401, 'invalid_client')
  })

  test('a second key of the agent is no help to a token of the first', async () => {
    const world = await createWorld(server)
    const second = newClient(world.agent.id)
    await administer(world, 'POST', `/admin/agents/${world.agent.id}/keys`, { jwk: second.key.jwk })
    const [first, other] = [await issued(world.exchange()), await issued(world.exchange({ proofKey: second.key }))]
    await administer(world, 'DELETE', `/admin/agents/${world.agent.id}/keys/${second.key.jkt}`)
    expect((await introspect(server.issuer, world.resource, other)).body).toStrictEqual(INACTIVE)
    expect((await introspect(server.issuer, world.resource, first)).body.active).toBe(true)
    // The assertion is by a good key, the proof by a retired one.
    expectRefused(await world.exchange({ proofKey: second.key }), 400, 'invalid_dpop_proof')
  })
})

describe('what has not begun or is over', () => {
  test('a delegation that begins later: invalid_grant', async () => {
    const world = await createWorld(server, { delegation: { not_before: timestamp(seconds() + 600) } })
    expectRefused(await world.exchange(), 400, 'invalid_grant')
  })

  test('a delegation that has expired: invalid_grant', async () => {
    const world = await createWorld(server, { delegation: { expires_at: timestamp(seconds() + 600) } })
    await issued(world.exchange())
    ahead = 610
    const now = seconds() + ahead
    const late = await world.exchange({
      assertionClaims: { iat: now, exp: now + 60 },
      proofClaims: { iat: now },
    })
    ahead = 0
    expectRefused(late, 400, 'invalid_grant')
  })

  test('a key that has expired: invalid_client', async () => {
    const world = await createWorld(server)
    const second = newClient(world.agent.id)
    await administer(world, 'POST', `/admin/agents/${world.agent.id}/keys`, {
      jwk: second.key.jwk,
      expires_at: timestamp(seconds() + 600),
    })
    await issued(world.exchange({ proofKey: second.key }))
    ahead = 610
    const now = seconds() + ahead
    const late = await world.exchange({
      assertionClaims: { iat: now, exp: now + 60 },
      proofClaims: { iat: now },
      proofKey: second.key,
    })
    ahead = 0
    expectRefused(late, 400, 'invalid_dpop_proof')
  })
})
