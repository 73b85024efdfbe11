import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RevokedKind } from '../../../src/core/revocation/revocation-event.ts'
import {
  createMemoryReplayStore,
  createResourceServer,
  isRefusal,
  type ResourceServer,
} from '../../../src/sdk/resource/index.ts'
import { type FeedMessage, securityEventClaims } from '../../../src/wire/security-event.ts'
import { signerOf } from '../../support/signer.ts'
import { jwt, makeKey, proof } from '../../wire/signing.ts'
import { actionToken, startIssuer, type TestIssuer } from './issuer.ts'

// Somebody between issuer and resource server, who has the issuer's words of earlier and not its key.
const RESOURCE = 'http://localhost:9999'
const ACTION = { type: 'email_send', to: ['bob@example.com'], subject: 'Hi', body: 'x' }
const agent = makeKey()
const own = makeKey()

let issuer: TestIssuer
let feeds: ServerResponse[]
let lastEventIds: (string | undefined)[]
const servers: ResourceServer[] = []
beforeEach(async () => {
  issuer = await startIssuer()
  feeds = []
  lastEventIds = []
  Object.assign(issuer.published.metadata, {
    token_endpoint: `${issuer.url}/token`,
    grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
  })
  issuer.published.doors = {
    '/token': (_, response) => {
      const answer = { access_token: 'a.b.c', token_type: 'DPoP', expires_in: 300 }
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
    },
    '/revocations': (request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      lastEventIds.push(request.headers['last-event-id']?.toString())
      feeds.push(response)
    },
  }
})
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  await issuer.close()
})

let clock: () => Date = () => new Date()
afterEach(() => {
  clock = () => new Date()
})
function follow(): ResourceServer {
  const server = createResourceServer({
    ...{ issuer: issuer.url, resource: RESOURCE, origin: RESOURCE, replay: createMemoryReplayStore() },
    now: () => clock(),
    revocations: { clientId: 'mail', key: signerOf(own), maxSilenceSeconds: 10, onLoss: 'refuse' },
  })
  servers.push(server)
  return server
}
const signed = (message: FeedMessage, at = new Date()): string => {
  const facts = { issuer: issuer.url, audience: RESOURCE, jti: randomUUID(), now: at }
  const claims = JSON.parse(securityEventClaims(message, facts)) as Record<string, unknown>
  return jwt(issuer.key, { typ: 'secevent+jwt', kid: issuer.key.jkt }, claims)
}
const snapshot: FeedMessage = { kind: 'snapshot', count: 0, restoredAt: undefined }
const alive: FeedMessage = { kind: 'alive' }
const event = (kind: RevokedKind, subject: string, isLifted = false): FeedMessage => ({
  ...{ kind: 'event', event: { kind, subject, isLifted, at: new Date() } },
})
const soon = (seconds: number) => new Date(Date.now() + seconds * 1_000)
const settled = () => new Promise((resolve) => setTimeout(resolve, 300))

/** The connection of that number, when it is there. */
async function connection(number: number): Promise<ServerResponse> {
  await expect.poll(() => feeds.length, { timeout: 5_000, interval: 5 }).toBeGreaterThan(number)
  return feeds[number] as ServerResponse
}
const say = (feed: ServerResponse, set: string, id = '0.1') => feed.write(`id: ${id}\ndata: ${set}\n\n`)
const isFollowing = (server: ResourceServer) =>
  expect.poll(() => server.isFollowing(), { timeout: 5_000, interval: 5 }).toBe(true)

async function call(server: ResourceServer): Promise<string> {
  const token = actionToken(issuer, { resource: RESOURCE, agent, action: ACTION, now: clock() })
  const dpop = proof(agent, { method: 'POST', htu: `${RESOURCE}/send`, now: clock(), accessToken: token })
  const outcome = await server.authorize(
    { method: 'POST', url: '/send', rawHeaders: ['Authorization', `DPoP ${token}`, 'DPoP', dpop] },
    { locations: [RESOURCE], ...ACTION },
  )
  return isRefusal(outcome) ? outcome.code : 'authorized'
}

describe('what is played back', () => {
  test('an earlier snapshot does not undo a stop that was heard', async () => {
    const [before, word] = [signed(snapshot, soon(-30)), signed(alive, soon(-29))]
    const server = follow()
    const first = await connection(0)
    say(first, signed(snapshot))
    await isFollowing(server)
    expect(await call(server)).toBe('authorized')
    say(first, signed(event('account', 'planner')))
    await settled()
    expect(await call(server)).toBe('token_inactive')
    first.destroy()
    const second = await connection(1)
    say(second, before)
    say(second, word)
    await settled()
    expect(await call(server)).toBe('token_inactive')
  })

  test('an earlier "goes on" does not undo a later stop', async () => {
    const lifted = signed(event('account', 'planner', true), soon(-30))
    const server = follow()
    const feed = await connection(0)
    say(feed, signed(snapshot))
    say(feed, signed(event('account', 'planner')))
    await isFollowing(server)
    say(feed, lifted)
    await settled()
    expect(await call(server)).toBe('token_inactive')
  })

  test('clocks of issuers that differ by a little are nothing', async () => {
    const server = follow()
    const feed = await connection(0)
    say(feed, signed(snapshot, soon(2)))
    say(feed, signed(event('account', 'planner'), soon(-2)))
    await settled()
    expect(feeds).toHaveLength(1)
    expect(await call(server)).toBe('token_inactive')
  })
})

describe('time', () => {
  test('a word from the future counts for nothing', async () => {
    const server = follow()
    say(await connection(0), signed(snapshot, soon(3_600)))
    await connection(1)
    expect(server.isFollowing()).toBe(false)
    expect(await call(server)).toBe('revocations_unknown')
  })

  test('when this clock is set back, what was heard makes nothing fresh', async () => {
    const server = follow()
    say(await connection(0), signed(snapshot))
    await isFollowing(server)
    clock = () => soon(-3_600)
    expect(server.isFollowing()).toBe(false)
    clock = () => new Date()
    expect(server.isFollowing()).toBe(true)
  })

  test('when this clock leaps ahead, neither', async () => {
    const server = follow()
    say(await connection(0), signed(snapshot))
    await isFollowing(server)
    clock = () => soon(3_600)
    expect(server.isFollowing()).toBe(false)
  })
})

describe('an id that nobody could send back', () => {
  test.each([
    ['characters that no header has', '0.1☃'],
    ['what no server would take', '1'.repeat(10_000)],
    ['a second line of the request', '0.1\u007f'],
  ])('%s: the next connection is made without it', async (_name, id) => {
    const server = follow()
    say(await connection(0), signed(snapshot), id)
    await settled()
    feeds[0]?.destroy()
    say(await connection(1), signed(snapshot))
    await isFollowing(server)
    expect(lastEventIds).toEqual([undefined, undefined])
    expect(await call(server)).toBe('authorized')
  })
})

test('after close nothing is let through, at once', async () => {
  const server = follow()
  say(await connection(0), signed(snapshot))
  await isFollowing(server)
  server.close()
  expect(server.isFollowing()).toBe(false)
  expect(await call(server)).toBe('revocations_unknown')
})
