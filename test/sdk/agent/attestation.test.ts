import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Agent, type AgentOptions, createAgent, createKey, isWritRefusal } from '../../../src/sdk/agent/index.ts'
import { administer } from '../../http/oauth/answers.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { agentOf, expectNotShown, granted, refused } from './agents.ts'
import { answer, METADATA_PATH, metadataOf, startTinyServer } from './tiny-server.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer({ maxInstances: 2 })
  world = await createWorld(server)
})
afterAll(() => server.close())

const wishOf = (at: World) => ({ subjectToken: at.wish.subjectToken, resource: at.identifier, action: { ...ACTION } })
const ACTION = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }

interface Seen {
  readonly path: string
  readonly attestation: string | null
  readonly assertion: string | null
}

/** What an agent sends, and a way to change it. */
function observing(change: (request: Request) => Promise<Response> | undefined = () => undefined) {
  const seen: Seen[] = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    if (request.method === 'POST') {
      const form = new URLSearchParams(await request.clone().text())
      seen.push({
        path: new URL(request.url).pathname,
        attestation: request.headers.get('oauth-client-attestation'),
        assertion: form.get('client_assertion'),
      })
    }
    return (await change(request)) ?? globalThis.fetch(request)
  }
  return { fetch, seen, paths: () => seen.map(({ path }) => path) }
}

describe('an agent', () => {
  test('is attested once, and every request after that has its attestation and no assertion', async () => {
    const { fetch, seen, paths } = observing()
    const agent = await agentOf(server.issuer, world.agent, { fetch })
    const tokens = await Promise.all(Array.from({ length: 10 }, () => agent.exchange(wishOf(world))))
    for (const token of tokens) granted(token)
    expect(isWritRefusal(await agent.delegations())).toBe(false)
    expect(paths()).toEqual(['/attestation', ...Array(11).fill('/token')])
    const [asked, ...used] = seen
    expect(asked).toMatchObject({ attestation: null, assertion: expect.any(String) })
    expect(new Set(used.map(({ attestation }) => attestation)).size).toBe(1)
    expect(used.every(({ assertion }) => assertion === null)).toBe(true)
    for (const token of tokens) expectNotShown(token, used[0]?.attestation ?? '')
    expectNotShown(agent, used[0]?.attestation ?? '')
  })

  test('is attested again shortly before the end of its attestation', async () => {
    let ahead = 0
    const { fetch, paths } = observing()
    const agent = await agentOf(server.issuer, world.agent, {
      fetch,
      now: () => new Date(Date.now() + ahead * 1_000),
    })
    granted(await agent.exchange(wishOf(world)))
    ahead = 560
    // The clock of the server has not moved, so what is signed now is refused there; what matters is what is asked for.
    await agent.exchange(wishOf(world))
    ahead = 575
    await agent.exchange(wishOf(world))
    expect(paths().slice(0, 4)).toEqual(['/attestation', '/token', '/token', '/attestation'])
  })

  test('whose attestation is refused is attested once more, by one request however many were refused', async () => {
    let isLost = true
    const { fetch, seen, paths } = observing((request) => {
      const attestation = request.headers.get('oauth-client-attestation')
      if (!isLost || attestation === null) return undefined
      // As after a restore: the server does not know it any more.
      const headers = new Headers(request.headers)
      headers.set('oauth-client-attestation', `${attestation.slice(0, -8)}AAAAAAAA`)
      return request.text().then((body) => globalThis.fetch(request.url, { method: 'POST', headers, body }))
    })
    const agent = await agentOf(server.issuer, world.agent, { fetch })
    const refusals = Promise.all(Array.from({ length: 5 }, () => agent.exchange(wishOf(world))))
    while (seen.length < 6) await new Promise((resolve) => setTimeout(resolve, 1))
    isLost = false
    for (const outcome of await refusals) granted(outcome)
    expect(paths().filter((path) => path === '/attestation')).toHaveLength(2)
    expect(paths().filter((path) => path === '/token')).toHaveLength(10)
  })

  test.each([false, true])(
    'by a clock that is a little off, too, is attested once more (corrected: %s)',
    async (correctClock) => {
      let lost: string | undefined
      const { fetch, paths } = observing((request) => {
        const attestation = request.headers.get('oauth-client-attestation')
        lost ??= attestation ?? undefined
        if (attestation === null || attestation !== lost) return undefined
        const headers = new Headers(request.headers)
        headers.set('oauth-client-attestation', `${attestation.slice(0, -8)}AAAAAAAA`)
        return request.text().then((body) => globalThis.fetch(request.url, { method: 'POST', headers, body }))
      })
      const now = () => new Date(Date.now() + 15_000)
      const agent = await agentOf(server.issuer, world.agent, { fetch, correctClock, now })
      granted(await agent.exchange(wishOf(world)))
      expect(paths().filter((path) => path === '/attestation')).toHaveLength(2)
    },
  )

  test('whose every attestation is refused goes on with an assertion', async () => {
    const { fetch, paths, seen } = observing((request) =>
      request.headers.has('oauth-client-attestation')
        ? Promise.resolve(Response.json({ error: 'use_fresh_attestation' }, { status: 400 }))
        : undefined,
    )
    const agent = await agentOf(server.issuer, world.agent, { fetch })
    granted(await agent.exchange(wishOf(world)))
    expect(paths()).toEqual(['/attestation', '/token', '/attestation', '/token', '/token'])
    expect(seen.at(-1)).toMatchObject({ attestation: null, assertion: expect.any(String) })
    // An instance has none.
    const instance = createAgent({
      ...{ issuer: server.issuer, id: world.agent.id, key: await createKey(), fetch },
      vouch: agent.vouchFor,
    })
    const refusal = refused(await instance.exchange(wishOf(world)))
    expect(refusal).toMatchObject({ kind: 'not_authenticated', error: 'use_fresh_attestation' })
    expect(paths().slice(5)).toEqual(['/attestation', '/token', '/attestation', '/token'])
  })

  test('that is suspended is refused, and goes on when it is let', async () => {
    const own = await createWorld(server)
    const agent = await agentOf(server.issuer, own.agent)
    granted(await agent.exchange(wishOf(own)))
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/suspend`, {})
    expect(refused(await agent.exchange(wishOf(own)))).toMatchObject({ kind: 'not_authenticated', status: 401 })
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/resume`, {})
    granted(await agent.exchange(wishOf(own)))
  })

  test('at a server that attests nobody, or takes only what others attest, sends assertions', async () => {
    for (const change of [
      {},
      { attestation_endpoint: 'https://elsewhere.example/attestation' },
      { token_endpoint_auth_methods_supported: ['private_key_jwt', 'attest_jwt_client_auth_dpop'] },
    ]) {
      const other = await startTinyServer((request, response, { origin }) => {
        if (request.url === METADATA_PATH) return answer(response, 200, metadataOf(origin, change))
        answer(response, 400, { error: 'invalid_grant' })
      })
      try {
        const agent = await agentOf(other.origin, world.agent)
        expect(refused(await agent.exchange(wishOf(world))).kind).toBe('delegation_ended')
        const sent = other.received.filter(({ method }) => method === 'POST')
        expect(sent.map(({ url }) => url)).toEqual(['/token'])
        expect(new URLSearchParams(sent[0]?.body).get('client_assertion')).toMatch(/^ey/)
        expect(sent[0]?.headers).not.toHaveProperty('oauth-client-attestation')
      } finally {
        await other.close()
      }
    }
  })

  test.each([
    { client_attestation: 7, expires_in: 60 },
    { client_attestation: 'no token', expires_in: 60 },
    { client_attestation: 'a.b.c\r\nX: y', expires_in: 60 },
    { client_attestation: 'a.b.c' },
    { client_attestation: 'a.b.c', expires_in: 0 },
  ])('takes no attestation that is none: %j', async (body) => {
    const { fetch } = observing((request) =>
      request.url.endsWith('/attestation') ? Promise.resolve(Response.json(body)) : undefined,
    )
    const agent = await agentOf(server.issuer, world.agent, { fetch })
    await expect(agent.exchange(wishOf(world))).rejects.toMatchObject({ kind: 'unexpected_answer' })
  })

  test('does not send its key elsewhere because the metadata says so', async () => {
    const { fetch } = observing((request) =>
      request.url.endsWith(METADATA_PATH)
        ? globalThis
            .fetch(request)
            .then((response) => response.json())
            .then((metadata) =>
              Response.json({ ...(metadata as object), attestation_endpoint: 'https://evil.example/attestation' }),
            )
        : undefined,
    )
    const agent = await agentOf(server.issuer, world.agent, { fetch })
    await expect(agent.exchange(wishOf(world))).rejects.toMatchObject({ kind: 'unexpected_answer' })
  })

  test('that gives up does not wait for the attestation, which others still get', async () => {
    let arrived = () => {}
    const asked = new Promise<void>((resolve) => {
      arrived = resolve
    })
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { fetch } = observing((request) => {
      if (!request.url.endsWith('/attestation')) return undefined
      arrived()
      return held.then(() => globalThis.fetch(request))
    })
    const agent = await agentOf(server.issuer, world.agent, { fetch })
    const controller = new AbortController()
    const [given, patient] = [
      agent.exchange({ ...wishOf(world), signal: controller.signal }),
      agent.exchange(wishOf(world)),
    ]
    await asked
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    release()
    granted(await patient)
  })
})

describe('an instance', () => {
  const instanceOf = async (holder: Agent, at: World, options: Partial<AgentOptions> = {}) => {
    const key = await createKey()
    const { issuer } = server
    return { key, agent: createAgent({ issuer, id: at.agent.id, key, vouch: holder.vouchFor, ...options }) }
  }

  test('acts with a key of its own that nobody registered', async () => {
    const own = await createWorld(server)
    const { key, agent } = await instanceOf(await agentOf(server.issuer, own.agent), own)
    const token = granted(await agent.exchange(wishOf(own)))
    expect(claimsOf(token.token)).toMatchObject({ client_id: own.agent.id, cnf: { jkt: key.kid } })
    const listed = await agent.delegations()
    expect(isWritRefusal(listed) ? listed : listed.map(({ id }) => id)).toEqual([own.delegation.id])
    await administer(own, 'DELETE', `/admin/agents/${own.agent.id}/instances/${key.kid}`, {})
    expect(refused(await agent.exchange(wishOf(own))).kind).toBe('instance_refused')
  })

  test('has no other way in: it is refused where it is not attested', async () => {
    const own = await createWorld(server)
    const holder = await agentOf(server.issuer, own.agent)
    const many = await Promise.all(Array.from({ length: 3 }, () => instanceOf(holder, own)))
    const outcomes = await Promise.all(many.map(({ agent }) => agent.exchange(wishOf(own))))
    const refusals = outcomes.filter(isWritRefusal)
    expect(refusals).toMatchObject([{ kind: 'instance_refused', error: 'access_denied', status: 400 }])
    expect(refusals[0]?.advice).toContain('how many instances')
    const { agent } = await instanceOf(holder, own, { vouch: async () => holder.vouchFor('A'.repeat(43)) })
    expect(refused(await agent.exchange(wishOf(own))).kind).toBe('proof_refused')
    const other = await startTinyServer((_request, response, { origin }) => answer(response, 200, metadataOf(origin)))
    try {
      const there = createAgent({
        ...{ issuer: other.origin, id: own.agent.id },
        ...{ key: await createKey(), vouch: holder.vouchFor },
      })
      await expect(there.exchange(wishOf(own))).rejects.toMatchObject({ kind: 'unexpected_answer' })
      expect(other.received.filter(({ method }) => method === 'POST')).toEqual([])
    } finally {
      await other.close()
    }
  })

  test('vouches for nobody, and nobody vouches for what is no thumbprint', async () => {
    const holder = await agentOf(server.issuer, world.agent)
    const { agent, key } = await instanceOf(holder, world)
    await expect(agent.vouchFor(key.kid)).rejects.toThrow(TypeError)
    await expect(holder.vouchFor('x')).rejects.toThrow(TypeError)
    const { issuer } = server
    expect(() => createAgent({ issuer, id: 'a', key, vouch: 'me' as never })).toThrow(TypeError)
  })

  test('whose voucher fails throws what that threw', async () => {
    const failed = new Error('the holder is away')
    const holder = await agentOf(server.issuer, world.agent)
    const { agent } = await instanceOf(holder, world, { vouch: () => Promise.reject(failed) })
    await expect(agent.exchange(wishOf(world))).rejects.toBe(failed)
  })
})
