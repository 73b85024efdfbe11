import { createPrivateKey, createPublicKey, type JsonWebKey, randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { isRefusal } from '../../src/core/refusal.ts'
import { jwkThumbprint, parsePublicJwk } from '../../src/wire/jwk.ts'
import { jwt, makeKey, proof, type TestKey } from '../wire/signing.ts'

/** A client of the server as a stranger's program would be one: an id and a key, and HTTP. */
export interface TestClient {
  readonly id: string
  readonly key: TestKey
}

export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

export function administrator(credential: { client_id: string; jwk: Record<string, string> }): TestClient {
  const privateKey = createPrivateKey({ key: credential.jwk as JsonWebKey, format: 'jwk' })
  const publicKey = createPublicKey(privateKey)
  const jwk = parsePublicJwk(publicKey.export({ format: 'jwk' }))
  if (isRefusal(jwk)) throw new Error(jwk.detail)
  return { id: credential.client_id, key: { alg: 'ES256', privateKey, publicKey, jwk, jkt: jwkThumbprint(jwk) } }
}

export const seconds = (date = new Date()) => Math.floor(date.getTime() / 1_000)

/** A client assertion, right but for what `claims` and `header` change. */
export function assertion(
  client: TestClient,
  issuer: string,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  const now = seconds()
  return jwt(
    client.key,
    { typ: 'JWT', kid: client.key.jkt, ...header },
    { iss: client.id, sub: client.id, aud: issuer, jti: randomUUID(), iat: now, exp: now + 60, ...claims },
  )
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever a foreign server may answer
  readonly body: any
  readonly text: string
}

/** One request with exactly these headers: repeated ones, a foreign `Host`, bytes for a body. */
export function send(
  url: string,
  options: { method?: string; headers?: readonly (readonly [string, string])[]; body?: string | Uint8Array } = {},
): Promise<Answer> {
  const { method = options.body === undefined ? 'GET' : 'POST', headers = [], body } = options
  return new Promise((resolve, reject) => {
    // A flat list is how Node sends a name twice; it then adds neither `Host` nor a length by itself.
    const target = new URL(url)
    const names = new Set(headers.map(([name]) => name.toLowerCase()))
    const flat = headers.flatMap((pair) => [...pair])
    if (!names.has('host')) flat.push('Host', target.host)
    if (!names.has('connection')) flat.push('Connection', 'close')
    if (body !== undefined && !names.has('content-length') && !names.has('transfer-encoding')) {
      flat.push('Content-Length', String(Buffer.byteLength(body)))
    }
    const outgoing = httpRequest(target, { method, headers: flat, agent: false })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const isJson = /json/.test(response.headers['content-type'] ?? '')
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          body: isJson && text !== '' ? JSON.parse(text) : undefined,
        })
      })
    })
    outgoing.end(body)
  })
}

export const FORM = ['Content-Type', 'application/x-www-form-urlencoded'] as const

/** What a request may deviate in. `undefined` removes a parameter. */
export interface Deviation {
  readonly form?: Readonly<Record<string, string | undefined>>
  readonly assertionClaims?: Record<string, unknown>
  readonly assertionHeader?: Record<string, unknown>
  readonly proofClaims?: Record<string, unknown>
  readonly proofHeader?: Record<string, unknown>
  readonly proofKey?: TestKey
  /** Instead of the one right proof. */
  readonly proofs?: readonly string[] | undefined
  readonly headers?: readonly (readonly [string, string])[]
  /** Instead of the encoded form. */
  readonly rawBody?: string | Uint8Array
}

/** An authenticated request to one of the server's OAuth endpoints, right but for its deviation. */
export function oauthRequest(
  issuer: string,
  path: string,
  client: TestClient,
  parameters: Readonly<Record<string, string | undefined>>,
  deviation: Deviation = {},
  withProof = true,
): { readonly url: string; readonly headers: (readonly [string, string])[]; readonly body: string | Uint8Array } {
  const url = `${issuer}${path}`
  const form = {
    client_id: client.id,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion(client, issuer, deviation.assertionClaims, deviation.assertionHeader),
    ...parameters,
    ...deviation.form,
  }
  const entries = Object.entries(form).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const ownProof = () =>
    proof(
      deviation.proofKey ?? client.key,
      { method: 'POST', htu: url, now: new Date() },
      deviation.proofClaims,
      deviation.proofHeader,
    )
  const proofs = deviation.proofs ?? (withProof ? [ownProof()] : [])
  const headers = deviation.headers ?? []
  return {
    url,
    headers: [
      ...(headers.some(([name]) => name.toLowerCase() === 'content-type') ? [] : [FORM]),
      ...proofs.map((value) => ['DPoP', value] as const),
      ...headers,
    ],
    body: deviation.rawBody ?? new URLSearchParams(entries).toString(),
  }
}

export interface Exchange {
  readonly subjectToken: string
  readonly resource: string
  readonly action: unknown
}

export const exchangeRequest = (issuer: string, agent: TestClient, exchange: Exchange, deviation: Deviation = {}) =>
  oauthRequest(
    issuer,
    '/token',
    agent,
    {
      grant_type: TOKEN_EXCHANGE,
      subject_token: exchange.subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      resource: exchange.resource,
      authorization_details: JSON.stringify([exchange.action]),
    },
    deviation,
  )

/** One exchange, sent. */
export const exchange = (issuer: string, agent: TestClient, wish: Exchange, deviation: Deviation = {}) => {
  const { url, ...request } = exchangeRequest(issuer, agent, wish, deviation)
  return send(url, request)
}

/** An agent token, or an administrator's. */
export const clientToken = (issuer: string, client: TestClient, deviation: Deviation = {}) => {
  const { url, ...request } = oauthRequest(issuer, '/token', client, { grant_type: 'client_credentials' }, deviation)
  return send(url, request)
}

export const introspect = (issuer: string, resource: TestClient, token: string, deviation: Deviation = {}) => {
  const { url, ...request } = oauthRequest(issuer, '/introspect', resource, { token }, deviation, false)
  return send(url, request)
}

export const revoke = (issuer: string, client: TestClient, token: string, deviation: Deviation = {}) => {
  const { url, ...request } = oauthRequest(issuer, '/revoke', client, { token }, deviation, false)
  return send(url, request)
}

/** Calls the admin API as an administrator would: a token from `client_credentials`, a fresh proof for every call. */
export interface AdminApi {
  readonly token: string
  readonly call: (
    method: string,
    path: string,
    body?: unknown,
    headers?: readonly (readonly [string, string])[],
  ) => Promise<Answer>
}

export async function adminApi(issuer: string, client: TestClient, scope?: string): Promise<AdminApi> {
  const answer = await clientToken(issuer, client, scope === undefined ? {} : { form: { scope } })
  if (answer.status !== 200) throw new Error(`no admin token: ${answer.text}`)
  const token: string = answer.body.access_token
  return {
    token,
    call: (method, path, body, headers = []) => {
      const url = `${issuer}${path}`
      const htu = url.split('?')[0] ?? url
      const names = new Set(headers.map(([name]) => name.toLowerCase()))
      const sent: (readonly [string, string])[] = [
        ['Authorization', `DPoP ${token}`],
        ['DPoP', proof(client.key, { method, htu, now: new Date(), accessToken: token })],
        ...headers,
      ]
      if (body !== undefined && !names.has('content-type')) sent.push(['Content-Type', 'application/json'])
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      return send(url, { method, headers: sent, ...(text !== undefined && { body: text }) })
    },
  }
}

export const newClient = (id: string, alg: TestKey['alg'] = 'ES256'): TestClient => ({ id, key: makeKey(alg) })
