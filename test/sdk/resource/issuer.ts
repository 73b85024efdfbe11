import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { jwt, makeKey, type TestKey } from '../../wire/signing.ts'

/** An authorization server as far as a resource server sees one: metadata, keys, and tokens it has signed. */
export interface TestIssuer {
  readonly url: string
  /** What it publishes; a test may change any of it. */
  readonly published: {
    metadata: Record<string, unknown>
    keys: Record<string, unknown>[]
    raw?: string
    isDown?: boolean
    delay?: number
    isEndless?: boolean
    /** Other doors of it, by path. */
    doors?: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>>
  }
  /** How often each path was asked for. */
  readonly asked: { metadata: number; jwks: number; bytes: number }
  readonly key: TestKey
  readonly close: () => Promise<void>
}

export const publicEntry = (key: TestKey) => ({ ...key.jwk, kid: key.jkt, alg: key.alg, use: 'sig' })

export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export const closeServer = (server: Server) =>
  new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

export async function startIssuer(): Promise<TestIssuer> {
  const key = makeKey('ES256')
  const asked = { metadata: 0, jwks: 0, bytes: 0 }
  const published: TestIssuer['published'] = { metadata: {}, keys: [publicEntry(key)] }
  const server = createServer((request, response) => {
    const door = published.doors?.[request.url ?? '']
    if (door !== undefined) return door(request, response)
    const isMetadata = request.url === '/.well-known/oauth-authorization-server'
    asked[isMetadata ? 'metadata' : 'jwks']++
    if (published.isDown) {
      response.destroy()
      return
    }
    if (published.isEndless && !isMetadata) {
      const chunk = Buffer.alloc(64 * 1024, 0x20)
      const more = () => {
        while (!response.destroyed && response.write(chunk)) asked.bytes += chunk.length
      }
      response.on('drain', more)
      more()
      return
    }
    if (request.url === '/redirect') {
      response.writeHead(302, { location: '/jwks' }).end()
      return
    }
    const text = isMetadata
      ? JSON.stringify(published.metadata)
      : (published.raw ?? JSON.stringify({ keys: published.keys }))
    setTimeout(() => response.setHeader('content-type', 'application/json').end(text), published.delay ?? 0)
  })
  const url = await listen(server)
  published.metadata = { issuer: url, jwks_uri: `${url}/jwks` }
  return { url, published, asked, key, close: () => closeServer(server) }
}

/** An action token as the issuer mints it, right but for `claims` and `header`. */
export function actionToken(
  issuer: { readonly url: string; readonly key: TestKey },
  bound: { readonly resource: string; readonly agent: TestKey; readonly action: object; readonly now: Date },
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  const iat = Math.floor(bound.now.getTime() / 1000)
  return jwt(
    issuer.key,
    { typ: 'at+jwt', kid: issuer.key.jkt, ...header },
    {
      iss: issuer.url,
      aud: bound.resource,
      sub: 'alice',
      client_id: 'planner',
      act: { iss: issuer.url, sub: 'planner', sub_profile: 'ai_agent' },
      cnf: { jkt: bound.agent.jkt },
      authorization_details: [{ locations: [bound.resource], ...bound.action }],
      delegation_id: 'd-1',
      txn: randomUUID(),
      jti: randomUUID(),
      iat,
      exp: iat + 60,
      ...claims,
    },
  )
}
