import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request as it arrived. */
export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface TinyServer {
  readonly origin: string
  readonly received: readonly Received[]
  readonly close: () => Promise<void>
}

type Handler = (request: Received, response: ServerResponse, server: { readonly origin: string }) => void

/** A server that answers as a test wants: what no well-behaved one does. */
export async function startTinyServer(handle: Handler): Promise<TinyServer> {
  const received: Received[] = []
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const one = { method, url, headers, body: Buffer.concat(chunks).toString('utf8') }
      received.push(one)
      handle(one, response, { origin })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

export const METADATA_PATH = '/.well-known/oauth-authorization-server'

/** The metadata of an issuer that exchanges tokens. */
export const metadataOf = (origin: string, change: object = {}) => ({
  issuer: origin,
  token_endpoint: `${origin}/token`,
  grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
  dpop_signing_alg_values_supported: ['ES256', 'Ed25519'],
  authorization_details_types_supported: ['email_send'],
  ...change,
})

/** A tiny issuer: its metadata, and what the test says of the rest. */
export const startTinyIssuer = (handle: Handler, metadata: object = {}) =>
  startTinyServer((request, response, server) => {
    if (request.url === METADATA_PATH) answer(response, 200, metadataOf(server.origin, metadata))
    else handle(request, response, server)
  })

/** The claims and header of a JWT, unverified. */
export function jwtParts(jwt: unknown): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const [header = '', claims = ''] = String(jwt).split('.')
  const read = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
  return { header: read(header), claims: read(claims) }
}
