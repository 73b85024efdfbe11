import { DPoP, modifyAssertion, protectedResourceRequest } from 'oauth4webapi'
import { fetchProtectedResource, getDPoPHandle } from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { proof } from '../wire/signing.ts'
import { INSECURE } from './support/authorization-server.ts'
import { keyPair } from './support/key-pair.ts'
import { openidConfiguration } from './support/openid-configuration.ts'
import { actionToken, type Call, REFUSED_CALLS, type Right } from './support/refused-calls.ts'
import {
  type ForeignResourceServer,
  type StartResourceServer,
  startExpressResourceServer,
  startOauth4webapiResourceServer,
} from './support/resource-servers.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server?.close())

const SERVERS: readonly { readonly name: 'express' | 'oauth4webapi'; readonly start: StartResourceServer }[] = [
  { name: 'express', start: startExpressResourceServer },
  { name: 'oauth4webapi', start: startOauth4webapiResourceServer },
]

describe.each(SERVERS)('a resource server by $name', ({ name, start }) => {
  let world: World
  let foreign: ForeignResourceServer
  beforeAll(async () => {
    world = await createWorld(server)
    foreign = await start({ issuer: server.issuer, audience: world.identifier })
  })
  afterAll(() => foreign?.close())

  async function call(right: Right, { token = right.token, scheme = 'DPoP', proofs = [right.prove()] }: Partial<Call>) {
    const headers = [
      ['Authorization', `${scheme} ${token}`] as const,
      ...proofs.map((value) => ['DPoP', value] as const),
    ]
    return send(right.url, { method: 'POST', headers })
  }
  async function rightCall(of = world, at = foreign): Promise<Right> {
    const token = await actionToken(of)
    const url = `${at.origin}/messages`
    return {
      server,
      world: of,
      token,
      url,
      prove: (claims = {}, { key = of.agent.key, accessToken = token } = {}) =>
        proof(key, { method: 'POST', htu: url, now: new Date(), accessToken }, claims),
    }
  }

  // What is refused below differs from this in one thing.
  test('accepts our action token with the right proof, and reads the action from it', async () => {
    const { status, body } = await call(await rightCall(), {})
    expect(status).toBe(200)
    expect(body).toMatchObject({
      sub: world.principal,
      act: { sub: world.agent.id },
      authorization_details: [{ ...world.action, locations: [world.identifier] }],
    })
  })

  for (const { what, call: deviate, ...reasons } of REFUSED_CALLS) {
    test(`refuses ${what}`, async () => {
      const right = await rightCall()
      const { status, body } = await call(right, await deviate(right))
      expect([400, 401]).toContain(status)
      expect(body.reason).toMatch(reasons[name])
    })
  }

  test('refuses an expired token', async () => {
    const brief = await createWorld(server, { resource: { token_lifetime_seconds: 1 } })
    const its = await start({ issuer: server.issuer, audience: brief.identifier })
    try {
      const right = await rightCall(brief, its)
      const expired = (claimsOf(right.token).exp + 1) * 1_000
      await new Promise((resolve) => setTimeout(resolve, expired - Date.now()))
      const { status, body } = await call(right, {})
      expect(status).toBe(401)
      expect(body.reason).toMatch(/exp/)
    } finally {
      await its.close()
    }
  })
})

describe('foreign client, our server, foreign resource server', () => {
  // express-oauth2-jwt-bearer has no name for Ed25519 proofs but `EdDSA`.
  test.each([
    { name: 'express', alg: 'ES256', start: startExpressResourceServer },
    { name: 'express', alg: 'EdDSA', start: startExpressResourceServer },
    { name: 'oauth4webapi', alg: 'ES256', start: startOauth4webapiResourceServer },
    { name: 'oauth4webapi', alg: 'EdDSA', start: startOauth4webapiResourceServer },
    { name: 'oauth4webapi', alg: 'Ed25519', start: startOauth4webapiResourceServer },
  ] as const)('$alg proofs of openid-client and oauth4webapi are taken by $name', async ({ alg, start }) => {
    const world = await createWorld(server, { alg })
    const foreign = await start({ issuer: server.issuer, audience: world.identifier })
    try {
      const url = new URL('/messages?page=2', foreign.origin)
      const keys = await keyPair(world.agent.key)
      const naming = {
        [modifyAssertion]: (header: { alg?: unknown }) => {
          header.alg = alg
        },
      }
      const config = await openidConfiguration(server.issuer, world.agent)
      const byOpenidClient = await fetchProtectedResource(
        config,
        await actionToken(world),
        url,
        'GET',
        undefined,
        undefined,
        { DPoP: getDPoPHandle(config, keys, naming) },
      )
      const byOauth4webapi = await protectedResourceRequest(
        await actionToken(world),
        'GET',
        url,
        undefined,
        undefined,
        { DPoP: DPoP({}, keys, naming), ...INSECURE },
      )
      expect([byOpenidClient.status, byOauth4webapi.status]).toEqual([200, 200])
    } finally {
      await foreign.close()
    }
  })
})
