import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { sha256Base64url } from '../../../src/core/hash.ts'
import { createAgent, createKey, type Delegation, isWritRefusal, WritFault } from '../../../src/sdk/agent/index.ts'
import { expectNotShown, refused } from './agents.ts'
import { answer, jwtParts, type Received, startTinyIssuer, type TinyServer } from './tiny-server.ts'

const SUBJECT_TOKEN = 'eyJhbGciOiJFUzI1NiJ9.c3ViamVjdC10b2tlbg.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg'
const item = (i: number) => ({
  id: `d-${i}`,
  principal: 'alice',
  resource: 'https://mail.example',
  authorization_details: [{ type: 'email_send', to: { $any: true } }],
  limits: { max_uses: 3, remaining: { max_uses: 2 } },
  approval: { mode: 'none' },
  expires_at: '2027-01-01T00:00:00.000Z',
  subject_token: SUBJECT_TOKEN,
})

let server: TinyServer
afterEach(() => server.close())

/** An issuer whose agent tokens are numbered, and live for `lifetimeSeconds`. */
async function issuer(
  list: (request: Received, response: ServerResponse) => void,
  lifetimeSeconds = 300,
): Promise<TinyServer> {
  let count = 0
  server = await startTinyIssuer((request, response) => {
    if (request.url !== '/token') return list(request, response)
    const token = { access_token: `agent-token-number-${++count}`, token_type: 'DPoP', expires_in: lifetimeSeconds }
    answer(response, 200, token)
  })
  return server
}
const agent = async (now?: () => Date) =>
  createAgent({ issuer: server.origin, id: 'planner', key: await createKey(), ...(now && { now }) })
const listed = (outcome: Awaited<ReturnType<Awaited<ReturnType<typeof agent>>['delegations']>>) => {
  if (isWritRefusal(outcome)) throw new Error(outcome.description)
  return outcome as readonly Delegation[]
}
const tokenRequests = () => server.received.filter(({ url }) => url === '/token')
const pages = () => server.received.filter(({ url }) => url.startsWith('/delegations'))

describe('the delegations of an agent', () => {
  test('are read page by page, each with a proof for that request', async () => {
    await issuer(({ url }, response) => {
      const cursor = new URL(url, 'http://x').searchParams.get('cursor')
      if (cursor === null) return answer(response, 200, { items: [item(1), item(2)], next_cursor: 'a&b' })
      answer(response, 200, { items: cursor === 'a&b' ? [item(3)] : [] })
    })
    const delegations = listed(await (await agent()).delegations())
    expect(delegations.map(({ id }) => id)).toEqual(['d-1', 'd-2', 'd-3'])
    expect(delegations[0]).toEqual({
      id: 'd-1',
      principal: 'alice',
      resource: 'https://mail.example',
      authorizationDetails: [{ type: 'email_send', to: { $any: true } }],
      expiresAt: new Date('2027-01-01T00:00:00Z'),
      limits: { max_uses: 3, remaining: { max_uses: 2 } },
      more: { approval: { mode: 'none' } },
    })
    expect(delegations[0]?.subjectToken).toBe(SUBJECT_TOKEN)
    expectNotShown(delegations, SUBJECT_TOKEN)
    for (const { headers, method } of pages()) {
      expect([method, headers.authorization]).toEqual(['GET', 'DPoP agent-token-number-1'])
      const { claims } = jwtParts(headers.dpop)
      // Without the query (RFC 9449 §4.2).
      expect([claims.htm, claims.htu]).toEqual(['GET', `${server.origin}/delegations`])
      expect(claims.ath).toBe(sha256Base64url('agent-token-number-1'))
    }
    expect(new Set(pages().map(({ headers }) => jwtParts(headers.dpop).claims.jti)).size).toBe(2)
    expect(new URLSearchParams(tokenRequests()[0]?.body).get('grant_type')).toBe('client_credentials')
  })

  test('a time in seconds is a time', async () => {
    await issuer((_request, response) => answer(response, 200, { items: [{ ...item(1), expires_at: 1_800_000_000 }] }))
    expect(listed(await (await agent()).delegations())[0]?.expiresAt).toEqual(new Date(1_800_000_000_000))
  })

  test('a refusal is returned', async () => {
    await issuer((_request, response) => answer(response, 429, { error: 'slow_down' }, { 'retry-after': '4' }))
    expect(refused(await (await agent()).delegations())).toMatchObject({ kind: 'slow_down', retryAfterSeconds: 4 })
  })

  test.each<[string, object]>([
    ['no items', {}],
    ['an item that is a text', { items: ['x'] }],
    ['an item without a subject token', { items: [{ ...item(1), subject_token: undefined }] }],
    ['an item without a time', { items: [{ ...item(1), expires_at: undefined }] }],
    ['a cursor that is a number', { items: [], next_cursor: 1 }],
    ['a list that does not end', { items: [], next_cursor: 'again' }],
  ])('%s: a fault', async (_name, body) => {
    await issuer((_request, response) => answer(response, 200, body))
    const fault = await (await agent()).delegations().catch((thrown: unknown) => thrown)
    expect(fault).toBeInstanceOf(WritFault)
    expect(fault).toMatchObject({ kind: 'unexpected_answer' })
    expectNotShown(fault, SUBJECT_TOKEN)
  })
})

describe('the agent token', () => {
  const empty = (_request: Received, response: ServerResponse) => answer(response, 200, { items: [] })

  test('is fetched once for twenty that need it at once, and kept', async () => {
    await issuer(empty)
    const planner = await agent()
    await Promise.all(Array.from({ length: 20 }, () => planner.delegations()))
    await planner.delegations()
    expect([tokenRequests().length, pages().length]).toEqual([1, 21])
  })

  test.each([
    [300, 269, 271],
    [40, 19, 21],
  ])('that lives %i s is used after %i s and not after %i', async (lifetime, good, stale) => {
    await issuer(empty, lifetime)
    const start = Date.now()
    let seconds = 0
    const planner = await agent(() => new Date(start + seconds * 1_000))
    const counts = []
    for (seconds of [0, good, stale]) {
      await planner.delegations()
      counts.push(tokenRequests().length)
    }
    expect(counts).toEqual([1, 1, 2])
  })

  test('that is refused is fetched anew, once', async () => {
    const challenge = { 'www-authenticate': 'DPoP error="invalid_token", algs="ES256"' }
    await issuer(({ headers }, response) => {
      if (headers.authorization === 'DPoP agent-token-number-2') return answer(response, 200, { items: [] })
      answer(response, 401, '', challenge)
    })
    const planner = await agent()
    expect(listed(await planner.delegations())).toEqual([])
    expect([tokenRequests().length, pages().length]).toEqual([2, 2])

    await server.close()
    await issuer((_request, response) => answer(response, 401, '', challenge))
    expect(refused(await (await agent()).delegations())).toMatchObject({
      kind: 'not_authenticated',
      error: 'invalid_token',
      status: 401,
    })
    expect([tokenRequests().length, pages().length]).toEqual([2, 2])
  })
})
