import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, introspect, newClient, oauthRequest, seconds, send } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { jwt } from '../../wire/signing.ts'
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

describe('an active token', () => {
  test('every claim of the token, that it is bound to a key, and nothing else (RFC 7662 §2.2)', async () => {
    const token = await issued(world.exchange())
    const answer = await introspect(server.issuer, world.resource, token)
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': expect.stringMatching(/^application\/json(;|$)/),
      'x-request-id': expect.stringMatching(/./),
    })
    expect(answer.body).toStrictEqual({ ...claimsOf(token), active: true, token_type: 'DPoP' })
  })

  test.each(['access_token', 'refresh_token', 'nonsense'])(
    'a hint of %s changes nothing (RFC 7662 §2.1)',
    async (hint) => {
      const token = await issued(world.exchange())
      const answer = await introspect(server.issuer, world.resource, token, { form: { token_type_hint: hint } })
      expect(answer.body.active).toBe(true)
    },
  )

  test('asking does not use it up', async () => {
    const token = await issued(world.exchange())
    for (let times = 0; times < 3; times++) {
      expect((await introspect(server.issuer, world.resource, token)).body.active).toBe(true)
    }
  })
})

describe('exactly {"active": false}', () => {
  const cases: readonly [string, () => Promise<{ by?: World['resource']; token: string }>][] = [
    ['another resource server asks', async () => ({ by: other.resource, token: await issued(world.exchange()) })],
    ['the agent asks', async () => ({ by: world.agent, token: await issued(world.exchange()) })],
    ['an administrator asks', async () => ({ by: server.admin, token: await issued(world.exchange()) })],
    ['no token', async () => ({ token: 'x' })],
    ['a token of 200,000 characters', async () => ({ token: 'x'.repeat(200_000) })],
    ['three dots', async () => ({ token: '...' })],
    ['a subject token', async () => ({ token: world.wish.subjectToken })],
    ['a subject token, its agent asks', async () => ({ by: world.agent, token: world.wish.subjectToken })],
    ['an agent token', async () => ({ token: await issued(clientToken(server.issuer, world.agent)) })],
    ['an administrator token', async () => ({ token: world.api.token })],
    ['its own assertion', async () => ({ token: jwt(world.resource.key, { typ: 'JWT' }, { iss: world.resource.id }) })],
    ['a signature of another key', async () => ({ token: resigned(await issued(world.exchange())) })],
    ['the signature of another token', async () => ({ token: await spliced() })],
    ['a token without its signature', async () => ({ token: (await issued(world.exchange())).replace(/[^.]+$/, '') })],
    ['a changed claim', async () => ({ token: changed(await issued(world.exchange())) })],
  ]
  test.each(cases)('%s', async (_name, make) => {
    const { by = world.resource, token } = await make()
    const answer = await introspect(server.issuer, by, token)
    expect([answer.status, answer.body], answer.text).toStrictEqual([200, { active: false }])
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  test('nothing is used up on the word of a token that does not verify', async () => {
    const token = await issued(world.exchange())
    const form = { consume: 'true' }
    for (const forged of [changed(token), resigned(token)]) {
      const answer = await introspect(server.issuer, world.resource, forged, { form })
      expect(answer.body).toStrictEqual({ active: false })
    }
    expect((await introspect(server.issuer, world.resource, token, { form })).body.active).toBe(true)
  })

  test('it has expired', async () => {
    const token = await issued(world.exchange())
    ahead = 66
    const now = seconds() + ahead
    const answer = await introspect(server.issuer, world.resource, token, {
      assertionClaims: { iat: now, exp: now + 60 },
    })
    ahead = 0
    expect(answer.body).toStrictEqual({ active: false })
    expect((await introspect(server.issuer, world.resource, token)).body.active).toBe(true)
  })

  test('it has expired by the clock of the database, to the second', async () => {
    const brief = await createWorld(server, { resource: { token_lifetime_seconds: 1 } })
    const token = await issued(brief.exchange())
    const { exp } = claimsOf(token)
    await new Promise((resolve) => setTimeout(resolve, exp * 1_000 - Date.now() + 20))
    expect((await introspect(server.issuer, brief.resource, token)).body).toStrictEqual({ active: false })
  })

  test('an administrator has withdrawn it', async () => {
    const token = await issued(world.exchange())
    const { jti } = claimsOf(token)
    const withdrawn = await world.api.call('POST', `/admin/tokens/${jti}/revoke`, { reason: 'odd' })
    expect(withdrawn.status, withdrawn.text).toBe(200)
    expect((await introspect(server.issuer, world.resource, token)).body).toStrictEqual({ active: false })
  })
})

describe('refusals', () => {
  const ask = (form: Record<string, string | undefined>, headers: [string, string][] = []) =>
    introspect(server.issuer, world.resource, 'x', { form, headers })
  test.each<[string, Record<string, string | undefined>]>([
    ['no token', { token: undefined }],
    ['an empty token', { token: '' }],
    ['consume=false', { consume: 'false' }],
    ['consume_id of 129 characters', { consume: 'true', consume_id: 'x'.repeat(129) }],
    ['consume_id with a control character', { consume: 'true', consume_id: 'a\u0007' }],
    ['consume_id that is not ASCII', { consume: 'true', consume_id: 'ä' }],
    ['consume_id alone', { consume_id: 'call-1' }],
    ['a client secret', { client_secret: 'x' }],
  ])('%s: 400 invalid_request', async (_name, form) => {
    expectRefused(await ask(form), 400, 'invalid_request')
  })

  test('an Authorization header: 400 invalid_request', async () => {
    expectRefused(await ask({}, [['Authorization', 'Basic eDp5']]), 400, 'invalid_request')
  })

  test('a stranger: 401 invalid_client', async () => {
    expectRefused(await introspect(server.issuer, newClient('nobody'), 'x'), 401, 'invalid_client')
  })

  test('JSON, or too much: 415 and 413', async () => {
    const { url, headers } = oauthRequest(server.issuer, '/introspect', world.resource, { token: 'x' }, {}, false)
    const json: [string, string][] = [['Content-Type', 'application/json']]
    expectRefused(await send(url, { headers: json, body: '{}' }), 415, 'invalid_request')
    expectRefused(await send(url, { headers, body: `token=${'x'.repeat(300_000)}` }), 413, 'invalid_request')
  })
})

function resigned(token: string): string {
  const [header = ''] = token.split('.')
  return jwt(newClient('x').key, JSON.parse(Buffer.from(header, 'base64url').toString()), claimsOf(token))
}

/** Two tokens of this server, the claims of the one under the signature of the other. */
async function spliced(): Promise<string> {
  const [token, other] = [await issued(world.exchange()), await issued(world.exchange())]
  return token.replace(/[^.]+$/, other.split('.')[2] ?? '')
}

function changed(token: string): string {
  const [header, , signature] = token.split('.')
  const claims = { ...claimsOf(token), sub: 'mallory' }
  return `${header}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`
}
