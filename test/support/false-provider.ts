import { createHmac } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { jwt, makeKey } from '../wire/signing.ts'

/** How a provider misbehaves; nothing: it is honest. */
export interface Falsehood {
  readonly claims?: Record<string, unknown>
  readonly header?: Record<string, unknown>
  /** Instead of its own. */
  readonly signedBy?: 'another key' | 'nobody' | 'the client secret'
  readonly discovery?: Record<string, unknown>
  /** Answers its discovery document by a redirect to it. */
  readonly redirectsDiscovery?: boolean
  readonly userinfo?: Record<string, unknown>
  /** The token endpoint refuses. */
  readonly refuses?: boolean
}

/** An OpenID provider that says whatever a test wants it to say. */
export interface FalseProvider {
  readonly issuer: string
  readonly say: (falsehood: Falsehood) => void
  /** Requests that came to its token endpoint. */
  readonly codes: string[]
  readonly close: () => Promise<void>
}

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** @param nonceOf the nonce that went out with a code. */
export async function startFalseProvider(secret: string, nonceOf: (code: string) => string): Promise<FalseProvider> {
  const [key, other] = [makeKey('ES256'), makeKey('ES256')]
  let falsehood: Falsehood = {}
  const codes: string[] = []
  const idToken = (claims: Record<string, unknown>): string => {
    const header = { alg: 'ES256', kid: key.jkt, ...falsehood.header }
    if (falsehood.signedBy === 'nobody') return `${base64url({ alg: 'none' })}.${base64url(claims)}.`
    if (falsehood.signedBy === 'the client secret') {
      const input = `${base64url({ alg: 'HS256' })}.${base64url(claims)}`
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    }
    return jwt(falsehood.signedBy === 'another key' ? other : key, header, claims)
  }
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    const json = (body: unknown, status = 200) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const path = new URL(request.url ?? '/', issuer).pathname
      if (path === '/.well-known/openid-configuration' && falsehood.redirectsDiscovery === true) {
        response.writeHead(302, { Location: `${issuer}/elsewhere` }).end()
      } else if (path === '/.well-known/openid-configuration' || path === '/elsewhere') {
        json({ ...discovery(), ...falsehood.discovery })
      } else if (path === '/jwks') {
        json({ keys: [{ ...key.jwk, kid: key.jkt, alg: 'ES256', use: 'sig' }] })
      } else if (path === '/token') {
        const form = new URLSearchParams(Buffer.concat(chunks).toString())
        const code = form.get('code') ?? ''
        codes.push(code)
        if (falsehood.refuses === true) return json({ error: 'invalid_grant', error_description: 'secret words' }, 400)
        const now = Math.floor(Date.now() / 1_000)
        const claims = {
          ...{ iss: issuer, sub: `sub-of-${code}`, aud: 'writ', iat: now, exp: now + 60, nonce: nonceOf(code) },
          ...falsehood.claims,
        }
        const told = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
        return json({ access_token: 'opaque', token_type: 'Bearer', id_token: idToken(told) })
      } else if (path === '/userinfo') {
        json(falsehood.userinfo ?? {})
      } else {
        response.writeHead(404).end()
      }
      return undefined
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`
  const discovery = () => ({
    ...{ issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` },
    ...{ jwks_uri: `${issuer}/jwks`, userinfo_endpoint: `${issuer}/userinfo`, response_types_supported: ['code'] },
    ...{ subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['ES256'] },
    authorization_response_iss_parameter_supported: true,
  })
  return {
    issuer,
    codes,
    say: (next) => {
      falsehood = next
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
