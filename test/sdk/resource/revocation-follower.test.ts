import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/core/json.ts'
import { refuse } from '../../../src/core/refusal.ts'
import {
  createMemoryReplayStore,
  createResourceServer,
  isRefusal,
  type ResourceServer,
  type RevocationsOptions,
} from '../../../src/sdk/resource/index.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { signerOf } from '../../support/signer.ts'
import { startProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { proof } from '../../wire/signing.ts'

// Against the issuer itself. What goes to it goes through a way that can be cut.
let way: TcpProxy
let issuer: TestServer
let world: World
beforeAll(async () => {
  way = await startProxy()
  issuer = await startTestServer({ issuer: `http://localhost:${way.port}` })
  way.target = issuer.port
  world = await createWorld(issuer)
})
afterAll(async () => {
  await issuer?.close()
  await way?.close()
})

const open: ResourceServer[] = []
afterEach(() => {
  way.mend()
  for (const server of open.splice(0)) server.close()
})

const MAX_SILENCE_SECONDS = 3
function follow(by: World, revocations: Partial<RevocationsOptions> = {}): ResourceServer {
  const server = createResourceServer({
    ...{ issuer: issuer.issuer, resource: by.identifier, origin: by.identifier, replay: createMemoryReplayStore() },
    revocations: {
      ...{ clientId: by.resource.id, key: signerOf(by.resource.key), timeoutSeconds: 2 },
      ...{ maxSilenceSeconds: MAX_SILENCE_SECONDS, onLoss: 'refuse' as const, ...revocations },
    },
  })
  open.push(server)
  return server
}
const isFollowing = (server: ResourceServer, is = true) =>
  expect.poll(() => server.isFollowing(), { timeout: 15_000, interval: 20 }).toBe(is)
const newToken = async (by: World): Promise<string> => {
  const { status, text, body } = await by.exchange()
  if (status !== 200) throw new Error(text)
  return body.access_token
}
async function call(server: ResourceServer, by: World, token: string): Promise<string> {
  const htu = `${by.identifier}/send`
  const dpop = proof(by.agent.key, { method: 'POST', htu, now: new Date(), accessToken: token })
  const rawHeaders = ['Authorization', `DPoP ${token}`, 'DPoP', dpop]
  try {
    const outcome = await server.authorize({ method: 'POST', url: '/send', rawHeaders }, by.action as JsonObject)
    return isRefusal(outcome) ? outcome.code : 'authorized'
  } catch (error) {
    return (error as Error).name
  }
}
const ok = async (by: World, method: string, path: string) => {
  const { status, text } = await by.api.call(method, path, {})
  if (status > 299) throw new Error(text)
}

describe('what is stopped after the token was issued', () => {
  interface Stop {
    readonly name: string
    readonly method: 'POST' | 'DELETE'
    readonly path: (world: World, token: string) => string
    readonly isFinal?: true
  }
  const STOPS: readonly Stop[] = [
    { name: 'the agent', method: 'POST', path: (w) => `/admin/agents/${w.agent.id}/suspend` },
    { name: 'the principal', method: 'POST', path: (w) => `/admin/principals/${w.principal}/suspend` },
    { name: 'the delegation', method: 'DELETE', path: (w) => `/admin/delegations/${w.delegation.id}`, isFinal: true },
    {
      ...{ name: 'the key', method: 'DELETE', isFinal: true },
      path: (w) => `/admin/agents/${w.agent.id}/keys/${w.agent.key.jkt}`,
    },
    { name: 'the action type', method: 'POST', path: () => '/admin/action-types/email_send/suspend' },
    { name: 'everything', method: 'POST', path: () => '/admin/stop' },
  ]

  /** Calls, each with a token of its own, until one is answered so. */
  async function callsUntil(outcome: string, server: ResourceServer, by: World, tokens: string[]): Promise<void> {
    for (let token = tokens.pop(); token !== undefined; token = tokens.pop()) {
      const came = await call(server, by, token)
      if (came === outcome) return
      if (came === 'token_inactive') tokens.unshift(token)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`no call was answered with ${outcome}`)
  }

  test.each(STOPS)('$name: refused, and nothing is used up by it', async ({ method, path, isFinal }) => {
    const own = await createWorld(issuer)
    const server = follow(own)
    await isFollowing(server)
    const tokens = await Promise.all(Array.from({ length: 60 }, () => newToken(own)))
    expect(await call(server, own, tokens.pop() ?? '')).toBe('authorized')
    await ok(own, method, path(own, ''))
    await callsUntil('token_inactive', server, own, tokens)
    expect(await call(server, own, tokens[0] ?? '')).toBe('token_inactive')
    if (isFinal) return
    const undo = path(own, '')
    await ok(own, undo === '/admin/stop' ? 'DELETE' : 'POST', undo.replace('suspend', 'resume'))
    await callsUntil('authorized', server, own, tokens)
  })

  test('a token: refused, and no other', async () => {
    const server = follow(world)
    await isFollowing(server)
    const [token, spare] = [await newToken(world), await newToken(world)]
    await ok(world, 'POST', `/admin/tokens/${claimsOf(token).jti}/revoke`)
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await call(server, world, token)).toBe('token_inactive')
    expect(await call(server, world, spare)).toBe('authorized')
  })

  test('before this process began to follow: it is told by the snapshot', async () => {
    const own = await createWorld(issuer)
    const token = await newToken(own)
    await ok(own, 'POST', `/admin/agents/${own.agent.id}/suspend`)
    const server = follow(own)
    await isFollowing(server)
    expect(await call(server, own, token)).toBe('token_inactive')
  })

  test('while the way was cut: it is told when it comes back', async () => {
    const own = await createWorld(issuer)
    const server = follow(own)
    await isFollowing(server)
    const token = await newToken(own)
    await ok(own, 'POST', `/admin/agents/${own.agent.id}/suspend`).catch(() => undefined)
    way.cut()
    await isFollowing(server, false)
    way.mend()
    await isFollowing(server)
    expect(await call(server, own, token)).toBe('token_inactive')
  })
})

describe('onLoss: refuse', () => {
  test('before the first word of the issuer nothing is let through', async () => {
    const token = await newToken(world)
    way.cut()
    const server = follow(world)
    // The keys cannot be had either, so it is not even known whose token it is.
    expect(await call(server, world, token)).toBe('IssuerUnavailableError')
    way.mend()
    await isFollowing(server)
    expect(await call(server, world, token)).toBe('authorized')
  })

  test.each(['cut', 'stall'] as const)(
    '%s: refused after the silence it may have, let through again when it is heard',
    async (how) => {
      const server = follow(world)
      await isFollowing(server)
      const tokens = [await newToken(world), await newToken(world), await newToken(world)]
      expect(await call(server, world, tokens[0] ?? '')).toBe('authorized')
      const start = performance.now()
      way[how]()
      await isFollowing(server, false)
      const silence = (performance.now() - start) / 1_000
      // The last word came at most two seconds before.
      expect(silence).toBeGreaterThan(MAX_SILENCE_SECONDS - 2.5)
      expect(silence).toBeLessThan(MAX_SILENCE_SECONDS + 1)
      expect(await call(server, world, tokens[1] ?? '')).toBe('revocations_unknown')
      expect(server.challenge(refuse('revocations_unknown', 'x')).status).toBe(503)
      way.mend()
      await isFollowing(server)
      expect(await call(server, world, tokens[1] ?? '')).toBe('authorized')
    },
  )

  test('after close nothing more is let through', async () => {
    const server = follow(world)
    await isFollowing(server)
    const token = await newToken(world)
    server.close()
    await isFollowing(server, false)
    expect(await call(server, world, token)).toBe('revocations_unknown')
  })
})

describe('onLoss: introspect', () => {
  test('asks about each token while the feed alone is silent, and refuses what is not active', async () => {
    const own = await createWorld(issuer)
    // A client the server does not know gets no token to follow with: the feed stays silent, introspection does not.
    const server = follow(own, { onLoss: 'introspect' })
    await isFollowing(server)
    const [token, revoked] = [await newToken(own), await newToken(own)]
    await ok(own, 'POST', `/admin/tokens/${claimsOf(revoked).jti}/revoke`)
    server.close()
    await isFollowing(server, false)
    expect(await call(server, own, revoked)).toBe('token_inactive')
    expect(await call(server, own, token)).toBe('authorized')
    expect(await call(server, own, token)).toBe('token_replayed')
  })

  test('where the issuer does not answer that either: refused', async () => {
    const server = follow(world, { onLoss: 'introspect' })
    await isFollowing(server)
    const token = await newToken(world)
    way.stall()
    await isFollowing(server, false)
    expect(await call(server, world, token)).toBe('IssuerUnavailableError')
    way.mend()
    await isFollowing(server)
    expect(await call(server, world, token)).toBe('authorized')
  })
})

describe('a configuration that could not protect', () => {
  test.each<[string, Partial<RevocationsOptions>]>([
    ['no maxSilenceSeconds', { maxSilenceSeconds: undefined as never }],
    ['a silence shorter than the issuer’s own', { maxSilenceSeconds: 2 }],
    ['a silence longer than any token lives', { maxSilenceSeconds: 301 }],
    ['no onLoss', { onLoss: undefined as never }],
    ['onLoss: allow', { onLoss: 'allow' as never }],
    ['no client', { clientId: '' }],
    ['no key', { key: undefined as never }],
  ])('%s', (_name, revocations) => {
    expect(() => follow(world, revocations)).toThrow()
  })
})
