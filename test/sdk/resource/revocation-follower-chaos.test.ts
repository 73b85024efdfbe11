import { randomUUID } from 'node:crypto'
import { readdirSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createMemoryReplayStore, createResourceServer, type ResourceServer } from '../../../src/sdk/resource/index.ts'
import { type FeedMessage, securityEventClaims } from '../../../src/wire/security-event.ts'
import { signerOf } from '../../support/signer.ts'
import { jwt, makeKey } from '../../wire/signing.ts'
import { startIssuer, type TestIssuer } from './issuer.ts'

// An issuer that fails at every moment it can, in every way it can. What nobody caught ends the run of the tests.
const RESOURCE = 'http://localhost:9999'
const own = makeKey()
let issuer: TestIssuer
let server: ResourceServer
beforeEach(async () => {
  issuer = await startIssuer()
})
afterEach(async () => {
  server?.close()
  vi.restoreAllMocks()
  await issuer.close()
})

const signed = (message: FeedMessage): string => {
  const facts = { issuer: issuer.url, audience: RESOURCE, jti: randomUUID(), now: new Date() }
  const claims = JSON.parse(securityEventClaims(message, facts)) as Record<string, unknown>
  return jwt(issuer.key, { typ: 'secevent+jwt', kid: issuer.key.jkt }, claims)
}
const line = (data: string, id = '0.1') => `id: ${id}\ndata: ${data}\n\n`
type Door = (request: IncomingMessage, response: ServerResponse) => void

const BROKEN: readonly Door[] = [
  (_, response) => response.destroy(),
  (_, response) => response.socket?.resetAndDestroy(),
  (_, response) => response.writeHead(500).end('oops'),
  (_, response) => response.writeHead(503, { 'retry-after': '1' }).end(),
  (_, response) => response.writeHead(302, { location: '/elsewhere' }).end(),
  (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"access_token":7}'),
  (_, response) => response.writeHead(200, { 'content-length': '100' }).end('{'),
  (_, response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{"issuer":')
    setTimeout(() => response.destroy(), 5)
  },
]
const BROKEN_FEEDS: readonly Door[] = [
  ...BROKEN,
  (_, response) => response.writeHead(204).end(),
  (_, response) => response.writeHead(401, { 'dpop-nonce': randomUUID() }).end(),
  ...[
    () => '',
    () => 'data: garbage\n\n',
    () => Buffer.from([0xc3, 0x28]),
    () => `data: ${'x'.repeat(100_000)}`,
    () => 'data\n'.repeat(50_000),
    () => line(signed({ kind: 'alive' }), '☃'),
    () => line(signed({ kind: 'snapshot', count: 3, restoredAt: undefined })),
    () => line(signed({ kind: 'snapshot', count: 0, restoredAt: undefined }).slice(0, -10)),
  ].map(
    (said): Door =>
      (_, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(said())
        setTimeout(() => response.destroy(), 5)
      },
  ),
]

test('it fails at every door, in every way: nothing is believed, nothing is left open, and it is found again', async () => {
  // As fast as it can: every wait of the follower is for less than a millisecond.
  vi.spyOn(Math, 'random').mockReturnValue(-0.5)
  const metadata = {
    ...{ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, token_endpoint: `${issuer.url}/token` },
    grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
  }
  const json =
    (body: object): Door =>
    (_, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  const right = {
    '/.well-known/oauth-authorization-server': json(metadata),
    '/token': json({ access_token: 'a.b.c', token_type: 'DPoP', expires_in: 300 }),
  }
  const failures = [
    ...Object.keys(right).flatMap((path) => BROKEN.map((door) => ({ path, door }))),
    ...BROKEN_FEEDS.map((door) => ({ path: '/revocations', door })),
  ]
  let at = 0
  const held: ServerResponse[] = []
  const doors: Record<string, Door> = { ...right }
  for (const path of [...Object.keys(right), '/revocations']) {
    doors[path] = (request, response) => {
      const failure = failures[at]
      if (failure?.path === path) {
        at++
        failure.door(request, response)
      } else if (path !== '/revocations') right[path as keyof typeof right](request, response)
      else {
        held.push(response)
        const snapshot = signed({ kind: 'snapshot', count: 0, restoredAt: undefined })
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(line(snapshot))
        // The others wait for their turn.
        if (failure !== undefined) setTimeout(() => response.destroy(), 5)
      }
    }
  }
  issuer.published.doors = doors
  const opened = () => readdirSync('/proc/self/fd').length
  const before = process.platform === 'linux' ? opened() : 0
  server = createResourceServer({
    ...{ issuer: issuer.url, resource: RESOURCE, origin: RESOURCE, replay: createMemoryReplayStore() },
    revocations: {
      ...{ clientId: 'mail', key: signerOf(own), timeoutSeconds: 1 },
      ...{ maxSilenceSeconds: 3, onLoss: 'refuse' as const },
    },
  })
  await expect.poll(() => at, { timeout: 30_000, interval: 20 }).toBe(failures.length)
  await expect.poll(() => server.isFollowing(), { timeout: 10_000, interval: 20 }).toBe(true)
  if (process.platform === 'linux') expect(opened() - before).toBeLessThan(20)
}, 60_000)
