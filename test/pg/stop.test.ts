import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endAll, keepAliveSender, type Sender } from '../process/server-process.ts'
import { adminApi, exchangeRequest, newClient, oauthRequest, send, type TestClient } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { startLoad } from './load.ts'
import { type Pair, startPair } from './pair.ts'

const TRIALS = 4
const SHOWS_WITHIN_MS = 1_000
const MEMBERS = [0, 1] as const

let pair: Pair
let sender: Sender
beforeAll(async () => {
  pair = await startPair()
  sender = keepAliveSender(32)
})
afterAll(async () => {
  sender?.close()
  await pair?.close()
  await endAll()
})

const exchangeAt = (member: 0 | 1, world: World, wish = world.wish) =>
  sender.send(pair.members[member].port, exchangeRequest(pair.issuer, world.agent, wish))
const introspectAt = (member: 0 | 1, resource: TestClient, token: string) =>
  sender.send(pair.members[member].port, oauthRequest(pair.issuer, '/introspect', resource, { token }, {}, false))
const readAt = (member: 0 | 1, path: string) => send(`http://127.0.0.1:${pair.members[member].port}${path}`)
const ok = async (answer: ReturnType<World['api']['call']>) => {
  const { status, text, body } = await answer
  if (status < 200 || status > 299) throw new Error(`${status} ${text}`)
  return body
}

/** How long until `holds`, asked again and again. Unit: ms. */
async function until(holds: () => Promise<boolean>): Promise<number> {
  const start = performance.now()
  while (!(await holds())) {
    if (performance.now() - start > 10_000) throw new Error('it did not happen in 10 s')
  }
  return performance.now() - start
}

interface Stop {
  readonly name: string
  /** What an exchange is answered from then on. */
  readonly refusal: string
  readonly method: 'POST' | 'DELETE'
  readonly path: (world: World) => string
  readonly resume?: (world: World) => string
  readonly resumeMethod?: 'DELETE'
  /** Done to the world before the trial. */
  readonly prepare?: (world: World) => Promise<unknown>
}

const suspendable = (name: string, refusal: string, of: (world: World) => string): Stop => ({
  ...{ name: `suspending ${name}`, refusal, method: 'POST' },
  path: (world) => `${of(world)}/suspend`,
  resume: (world) => `${of(world)}/resume`,
})
/** The root of each delegation that has one. */
const roots = new Map<string, string>()

const STOPS: readonly Stop[] = [
  suspendable('the agent', '401 invalid_client', ({ agent }) => `/admin/agents/${agent.id}`),
  suspendable('the principal', '400 invalid_grant', ({ principal }) => `/admin/principals/${principal}`),
  suspendable('the resource', '400 invalid_target', ({ resource }) => `/admin/resources/${resource.id}`),
  suspendable('the action type', '400 access_denied', () => '/admin/action-types/email_send'),
  {
    ...{ name: 'revoking the delegation', refusal: '400 invalid_grant', method: 'DELETE' },
    path: ({ delegation }) => `/admin/delegations/${delegation.id}`,
  },
  {
    ...{ name: 'revoking the root of its tree', refusal: '400 invalid_grant', method: 'DELETE' },
    prepare: async (world) => {
      // Another delegation becomes the root that this one was given on from.
      const { id } = await ok(
        world.api.call('POST', '/admin/delegations', {
          ...{ principal: world.principal, agent: world.agent.id, resource: world.identifier },
          authorization_details: [
            { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } },
          ],
        }),
      )
      const lineage = [id, world.delegation.id]
      await pair.client.query('UPDATE delegation SET lineage = $2 WHERE id = $1', [world.delegation.id, lineage])
      roots.set(world.delegation.id, id)
    },
    path: ({ delegation }) => `/admin/delegations/${roots.get(delegation.id)}`,
  },
  {
    ...{ name: 'stopping everything', refusal: '400 access_denied', method: 'POST' },
    ...{ path: () => '/admin/stop', resume: () => '/admin/stop', resumeMethod: 'DELETE' },
  },
  {
    ...{ name: 'retiring the key', refusal: '401 invalid_client', method: 'DELETE' },
    path: ({ agent }) => `/admin/agents/${agent.id}/keys/${agent.key.jkt}`,
  },
]

describe('while exchanges run on both processes', () => {
  test.each(STOPS)('$name stops every exchange that starts after the answer, and every token', async (stop) => {
    let [before, after] = [0, 0]
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const world = await createWorld(pair)
      await stop.prepare?.(world)
      const load = startLoad(pair, world, sender)
      await load.answered(10 + trial * 7)
      await ok(world.api.call(stop.method, stop.path(world), { reason: 'test' }))
      const stoppedAt = performance.now()

      // At once, on both: whatever was issued until now is good for nothing.
      const tokens = load.attempts.flatMap(({ token }) => token ?? []).slice(-6)
      for (const [n, token] of tokens.entries()) {
        const { body } = await introspectAt(n % 2 === 0 ? 1 : 0, world.resource, token)
        // A suspended resource server is not even told that.
        if (body.error === undefined) expect(body).toEqual({ active: false })
        else expect([stop.name, body.error]).toEqual(['suspending the resource', 'invalid_client'])
      }
      await load.answered(30)
      await load.stop()
      const late = load.attempts.filter(({ startedAt }) => startedAt > stoppedAt)
      for (const member of MEMBERS)
        expect(late.filter((attempt) => attempt.member === member).length).toBeGreaterThan(10)
      expect(new Set(late.map(({ status, error }) => `${status} ${error}`))).toEqual(new Set([stop.refusal]))
      // An action outside the bounds, too, is refused for what was stopped: a "no" that is remembered is checked as a "yes" is.
      for (const member of MEMBERS) {
        const outside = { ...world.wish, action: { ...world.action, to: ['eve@elsewhere.example'] } }
        const { status, body } = await exchangeAt(member, world, outside)
        expect(`${status} ${body.error}`).toBe(stop.refusal)
      }
      // What was on its way when it was stopped may have become a token: it is good for nothing either.
      const last = load.attempts.findLast(({ token }) => token !== undefined)?.token ?? ''
      for (const member of MEMBERS) {
        expect((await introspectAt(member, world.resource, last)).body.active).not.toBe(true)
      }
      before += load.attempts.filter(({ status }) => status === 200).length
      after += late.length

      if (stop.resume === undefined) continue
      await ok(world.api.call(stop.resumeMethod ?? 'POST', stop.resume(world), { reason: 'test' }))
      for (const member of MEMBERS) expect((await exchangeAt(member, world)).status).toBe(200)
    }
    console.log(`${stop.name}: ${TRIALS} trials, ${before} tokens before, ${after} refused exchanges after, no token`)
  })

  test('the retired key of a resource server is refused at once by both, and its other key is not', async () => {
    const world = await createWorld(pair)
    const second = newClient(world.resource.id)
    await ok(world.api.call('POST', `/admin/resources/${world.resource.id}/keys`, { jwk: second.key.jwk }))
    const { body } = await exchangeAt(0, world)
    for (const member of MEMBERS) {
      expect((await introspectAt(member, world.resource, body.access_token)).body.active).toBe(true)
    }
    await ok(world.api.call('DELETE', `/admin/resources/${world.resource.id}/keys/${world.resource.key.jkt}`))
    for (const member of MEMBERS) {
      const { status, body: answer } = await introspectAt(member, world.resource, body.access_token)
      expect([member, status, answer.error]).toEqual([member, 401, 'invalid_client'])
      expect((await introspectAt(member, second, body.access_token)).body.active).toBe(true)
    }
  })

  test('a withdrawn token is inactive at once on both', async () => {
    const world = await createWorld(pair)
    const { body } = await exchangeAt(1, world)
    expect((await introspectAt(0, world.resource, body.access_token)).body.active).toBe(true)
    const { jti } = claimsOf(body.access_token)
    await ok(world.api.call('POST', `/admin/tokens/${jti}/revoke`, { reason: 'test' }))
    for (const member of MEMBERS) {
      expect((await introspectAt(member, world.resource, body.access_token)).body).toEqual({ active: false })
    }
  })
})

describe('a change shows on the other process within a second', () => {
  const typesAt = async (member: 0 | 1): Promise<string[]> =>
    (await readAt(member, '/.well-known/oauth-authorization-server')).body.authorization_details_types_supported

  test('a new action type, its change and its suspension', async () => {
    const api = await adminApi(pair.issuer, pair.admin)
    const schema = (maxLength: number) => ({
      type: 'object',
      properties: { to: { type: 'string', maxLength } },
      required: ['to'],
      additionalProperties: false,
    })
    const definition = { type: 'ping', title: 'Ping', schema: schema(10), template: 'Ping {to}', risk: 'read' }
    await ok(api.call('POST', '/admin/action-types', definition))
    expect(await typesAt(0)).toContain('ping')
    const appeared = await until(async () => (await typesAt(1)).includes('ping'))
    expect(appeared).toBeLessThan(SHOWS_WITHIN_MS)

    // An issuance does not wait for that: the other process goes by the new version at once.
    const bounds = [{ type: 'ping', to: { $any: true } }]
    const world = await createWorld(pair, { bounds, action: { type: 'ping', to: 'a'.repeat(10) } })
    for (const member of MEMBERS) expect((await exchangeAt(member, world)).status).toBe(200)
    const shown = await api.call('GET', '/admin/action-types/ping')
    const tag = String(shown.headers.etag)
    await ok(api.call('PATCH', '/admin/action-types/ping', { schema: schema(9) }, [['If-Match', tag]]))
    for (const member of MEMBERS) {
      const { status, body } = await exchangeAt(member, world)
      expect([member, status, body.error]).toEqual([member, 400, 'invalid_authorization_details'])
    }
    const changed = await until(async () => {
      const { body } = await readAt(1, '/action-types/ping')
      return body.schema.properties.to.maxLength === 9
    })
    expect(changed).toBeLessThan(SHOWS_WITHIN_MS)

    await ok(api.call('POST', '/admin/action-types/ping/suspend', { reason: 'test' }))
    const vanished = await until(async () => !(await typesAt(1)).includes('ping'))
    expect(vanished).toBeLessThan(SHOWS_WITHIN_MS)
    console.log(`on the other process after ${[appeared, changed, vanished].map(Math.round).join(', ')} ms`)
  })
})

describe('the signing key', () => {
  const jwksAt = async (member: 0 | 1): Promise<JSONWebKeySet> => (await readAt(member, '/jwks')).body
  const kidsAt = async (member: 0 | 1) => (await jwksAt(member)).keys.map(({ kid }) => kid ?? '')
  const kidOf = (token: string): string =>
    JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid

  test('is rotated without a restart and without a failed request, by verifiers that know the new key beforehand', async () => {
    const world = await createWorld(pair)
    const [old = ''] = await kidsAt(0)
    const load = startLoad(pair, world, sender)
    await load.answered(30)
    await ok(world.api.call('POST', '/admin/signing-keys/rotate', {}))
    expect(await kidsAt(0)).toHaveLength(2)
    const published = await until(async () => (await kidsAt(1)).length === 2)
    expect(published).toBeLessThan(SHOWS_WITHIN_MS)
    const known = await jwksAt(1)
    const fresh = known.keys.map(({ kid }) => kid ?? '').find((kid) => kid !== old) ?? ''
    const again = await world.api.call('POST', '/admin/signing-keys/rotate', {})
    expect(again.status).toBe(409)
    await load.answered(30)
    expect(new Set(load.attempts.map(({ token }) => kidOf(token ?? '')))).toEqual(new Set([old]))

    // Ten minutes pass: the moment of its activation comes nearer, by the one means that a test has.
    await pair.client.query(`UPDATE signing_key SET activates_at = now() + interval '1500 ms' WHERE kid = $1`, [fresh])
    await until(async () => {
      await load.answered(1)
      return MEMBERS.every((member) => {
        const token = load.attempts.findLast((attempt) => attempt.member === member)?.token
        return token !== undefined && kidOf(token) === fresh
      })
    })
    await load.answered(30)
    await load.stop()

    expect(new Set(load.attempts.map(({ status }) => status))).toEqual(new Set([200]))
    // One JWKS, fetched after the rotation and before the activation, verifies all of them.
    const keys = createLocalJWKSet(known)
    for (const { token = '' } of load.attempts) {
      await jwtVerify(token, keys, { issuer: pair.issuer, audience: world.identifier, typ: 'at+jwt' })
    }
    const count = (kid: string) => load.attempts.filter(({ token = '' }) => kidOf(token) === kid).length
    console.log(`rotation: ${count(old)} tokens by the old key, ${count(fresh)} by the new one, none failed`)
    expect(count(old) + count(fresh)).toBe(load.attempts.length)
    for (const member of MEMBERS) expect(await kidsAt(member)).toContain(old)
  })

  test('when compromised is out of use at once: it signs and verifies nothing any more, and a new one is there', async () => {
    const world = await createWorld(pair)
    const before = (await exchangeAt(0, world)).body.access_token as string
    await ok(world.api.call('POST', '/admin/signing-keys/rotate', { compromised: true, reason: 'test' }))
    const [fresh = '', ...others] = await kidsAt(0)
    expect(others).toEqual([])
    expect(fresh).not.toBe(kidOf(before))
    expect((await exchangeAt(0, world)).body.error).toBe('invalid_grant')
    expect((await introspectAt(0, world.resource, before)).body).toEqual({ active: false })
    expect((await world.api.call('GET', '/admin/agents')).status).toBe(401)
    const followed = await until(async () => (await kidsAt(1)).join() === fresh)
    expect(followed).toBeLessThan(SHOWS_WITHIN_MS)
    expect((await exchangeAt(1, world)).body.error).toBe('invalid_grant')
    expect((await introspectAt(1, world.resource, before)).body).toEqual({ active: false })

    // A new token for the administrator, a new subject token for the agent, and on it goes.
    const api = await adminApi(pair.issuer, pair.admin)
    const { subject_token } = await ok(api.call('GET', `/admin/delegations/${world.delegation.id}`))
    const keys = createLocalJWKSet(await jwksAt(1))
    for (const member of MEMBERS) {
      const { status, body } = await exchangeAt(member, world, { ...world.wish, subjectToken: subject_token })
      expect(status).toBe(200)
      expect(kidOf(body.access_token)).toBe(fresh)
      await jwtVerify(body.access_token, keys, { issuer: pair.issuer, audience: world.identifier, typ: 'at+jwt' })
    }
  })
})
