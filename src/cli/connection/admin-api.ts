import { z } from 'zod'
import { CliError, EXIT } from '../cli-error.ts'
import type { Credential } from './credential.ts'
import { clientAssertion, dpopProof } from './proof.ts'
import { refusalOf } from './refusal-of.ts'
import { type Reply, send } from './send.ts'

const CLIENT_ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** How long before its end a token is replaced. Unit: milliseconds. */
const RENEWAL_MARGIN = 10_000

export interface AdminCall {
  readonly query?: Readonly<Record<string, string | undefined>> | undefined
  readonly body?: unknown
  readonly ifMatch?: string | undefined
  readonly idempotencyKey?: string | undefined
}

/** The admin API of one server, called as one client. */
export interface AdminApi {
  readonly issuer: string
  readonly credential: Credential
  /** The answer, whatever its status. */
  readonly call: (method: string, path: string, call?: AdminCall) => Promise<Reply>
  /** The answer's body. Throws a CliError when the server says no. */
  readonly ask: (method: string, path: string, call?: AdminCall) => Promise<unknown>
  /** The present access token, for what it says of us. */
  readonly token: () => Promise<string>
}

const TokenAnswer = z.object({ access_token: z.string(), expires_in: z.number(), token_type: z.literal('DPoP') })

/** Signs in when it is first needed, and again before the token ends. */
export function adminApi(issuer: string, credential: Credential, now: () => Date): AdminApi {
  let held: { readonly token: string; readonly until: number } | undefined
  let nonce: string | undefined

  /** Sends once more when the server wants its nonce in the proof: it has done nothing yet (RFC 9449 §8). */
  const withNonce = async (attempt: () => Promise<Reply>, wantsNonce: (reply: Reply) => boolean): Promise<Reply> => {
    const first = await attempt()
    nonce = first.headers.get('dpop-nonce') ?? nonce
    if (!wantsNonce(first) || nonce === undefined) return first
    const second = await attempt()
    nonce = second.headers.get('dpop-nonce') ?? nonce
    return second
  }

  const token = async (): Promise<string> => {
    if (held !== undefined && held.until > now().getTime()) return held.token
    const url = `${issuer}/token`
    const reply = await withNonce(
      async () =>
        send(url, {
          method: 'POST',
          headers: { dpop: await dpopProof(credential, { method: 'POST', url, now: now(), nonce }) },
          body: new URLSearchParams({
            grant_type: 'client_credentials',
            client_id: credential.clientId,
            client_assertion_type: CLIENT_ASSERTION_TYPE,
            client_assertion: await clientAssertion(credential, issuer, now()),
          }),
        }),
      ({ status, json }) => status === 400 && errorOf(json) === 'use_dpop_nonce',
    )
    const answer = TokenAnswer.safeParse(reply.json)
    if (reply.status !== 200 || !answer.success) throw await notSignedIn(issuer, credential, reply, now())
    const { access_token, expires_in } = answer.data
    held = { token: access_token, until: now().getTime() + expires_in * 1_000 - RENEWAL_MARGIN }
    return access_token
  }

  const call: AdminApi['call'] = async (method, path, { query = {}, body, ifMatch, idempotencyKey } = {}) => {
    const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
    const url = `${issuer}${path}${given.length === 0 ? '' : `${path.includes('?') ? '&' : '?'}${new URLSearchParams(given)}`}`
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const reply = await withNonce(
      async () => {
        const accessToken = await token()
        return send(url, {
          method,
          headers: {
            accept: 'application/json, application/problem+json',
            authorization: `DPoP ${accessToken}`,
            dpop: await dpopProof(credential, { method, url, now: now(), accessToken, nonce }),
            ...(body !== undefined && { 'content-type': contentType }),
            ...(ifMatch !== undefined && { 'if-match': ifMatch }),
            ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
          },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
      },
      ({ status, headers }) => status === 401 && /use_dpop_nonce/.test(headers.get('www-authenticate') ?? ''),
    )
    // Whatever ended it, it works no more: the next call signs in anew.
    if (reply.status === 401) held = undefined
    return reply
  }

  return {
    issuer,
    credential,
    token,
    call,
    ask: async (method, path, request) => {
      const reply = await call(method, path, request)
      if (reply.status < 200 || reply.status > 299) throw refusalOf(reply, `${method} ${path}`)
      return reply.json
    },
  }
}

const errorOf = (json: unknown): string | undefined => z.object({ error: z.string() }).safeParse(json).data?.error

/** Far enough off to be refused as stale. Unit: milliseconds. */
const CLOCK_TOLERANCE = 25_000

/** Why the server gave no token, as far as it can be told from here. */
async function notSignedIn(issuer: string, credential: Credential, reply: Reply, now: Date): Promise<CliError> {
  const error = errorOf(reply.json)
  const where = `${issuer} as "${credential.clientId}", with ${credential.path}`
  const fail = (message: string, mend: string) => new CliError(EXIT.unreachable, message, { where, mend })
  if (reply.status >= 500) return fail(`the server cannot answer now (${reply.status})`, 'see its log, and try again')
  if (reply.status === 429) return fail('the server had too many requests', 'try again in a few seconds')
  const called = await issuerOf(issuer)
  if (called === undefined) {
    return fail('this address answers, but not as a Writ server', 'name its issuer with --issuer or WRIT_ISSUER')
  }
  if (called !== issuer) return fail(`the server calls itself ${called}`, `use --issuer ${called}`)
  const theirs = new Date(reply.headers.get('date') ?? now)
  if (Math.abs(theirs.getTime() - now.getTime()) > CLOCK_TOLERANCE) {
    return fail(`the clocks differ: here ${now.toISOString()}, there ${theirs.toISOString()}`, 'set the clock right')
  }
  return fail(
    `the server does not accept the credential (${error ?? reply.status})`,
    'is it of this server, and its key still active? On the machine of the server `writ admin reset-credential` makes a new one',
  )
}

async function issuerOf(issuer: string): Promise<string | undefined> {
  const reply = await send(`${issuer}/.well-known/oauth-authorization-server`, {}).catch(() => undefined)
  return z.object({ issuer: z.string() }).safeParse(reply?.json).data?.issuer
}
