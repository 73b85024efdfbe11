import { request as httpRequest, type IncomingMessage } from 'node:http'
import { proof } from '../wire/signing.ts'
import { clientToken, type TestClient } from './clients.ts'
import { claimsOf } from './world.ts'

/** One line of the feed, its Security Event Token unverified. */
export interface FeedEvent {
  readonly id: string
  readonly set: string
  /** The event type, and what it says. */
  readonly type: string
  readonly body: Record<string, unknown>
  readonly claims: Record<string, unknown> & { readonly sub_id?: Record<string, unknown> }
}

/** A follower of `GET /revocations`, as a stranger's program would be one. */
export interface FeedReader {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly events: readonly FeedEvent[]
  /** Waits for an event that is so. @throws after 10 s. */
  readonly until: (is: (event: FeedEvent) => boolean) => Promise<FeedEvent>
  readonly hasEnded: () => boolean
  readonly close: () => void
}

export async function readFeed(
  issuer: string,
  client: TestClient,
  options: { lastEventId?: string; token?: string; port?: number } = {},
): Promise<FeedReader> {
  const token = options.token ?? (await clientToken(issuer, client)).body.access_token
  const url = new URL(`${issuer}/revocations`)
  const headers = {
    Host: url.host,
    Accept: 'text/event-stream',
    Authorization: `DPoP ${token}`,
    DPoP: proof(client.key, { method: 'GET', htu: url.href, now: new Date(), accessToken: token }),
    ...(options.lastEventId !== undefined && { 'Last-Event-ID': options.lastEventId }),
  }
  const events: FeedEvent[] = []
  let hasEnded = false
  let text = ''
  const target = {
    host: url.hostname,
    port: options.port ?? Number(url.port),
    path: url.pathname,
    headers,
    agent: false,
  }
  const outgoing = httpRequest(target)
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on('response', resolve).on('error', reject)
    outgoing.end()
  })
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) events.push(readBlock(block))
  })
  response.on('close', () => {
    hasEnded = true
  })
  response.on('error', () => undefined)
  return {
    ...{ status: response.statusCode ?? 0, headers: response.headers, events, hasEnded: () => hasEnded },
    until: async (is) => {
      const deadline = performance.now() + 10_000
      for (;;) {
        const found = events.find(is)
        if (found !== undefined) return found
        if (performance.now() > deadline) throw new Error('no such event came in 10 s')
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    },
    close: () => outgoing.destroy(),
  }
}

function readBlock(block: string): FeedEvent {
  const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)))
  const claims = claimsOf(fields.data)
  const [[type, body] = ['', {}]] = Object.entries(claims.events as Record<string, Record<string, unknown>>)
  return { id: fields.id, set: fields.data, type, body, claims }
}
