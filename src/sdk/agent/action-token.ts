import type { JsonObject } from '../../core/json.ts'
import { isTransportSafe } from '../resource/transport.ts'
import { dpopProof } from './dpop-proof.ts'
import { WritFault } from './fault.ts'
import { hide } from './hidden.ts'
import { refusalOf } from './resource-refusal.ts'
import type { Session } from './session.ts'
import { systemCode } from './transport.ts'

/** A token for one action, and the means to use it. */
export interface ActionToken {
  /** The action that was granted, `locations` included. */
  readonly action: JsonObject & { readonly type: string }
  /** The identifier of the resource it is for. */
  readonly resource: string
  /** When it was issued. */
  readonly expiresInSeconds: number
  /** By the machine's own clock. */
  readonly expiresAt: Date
  /**
   * Makes the one call that the token is for, with a proof for that very request (RFC 9449 §7.1). Otherwise like `fetch`.
   *
   * Redirects are never followed: their answer is returned. Once it was answered, the token is used; an answer that
   * refuses (401, 403, 429, 503), or says that the call is running (409 with `Retry-After`), leaves it as it was. `refusalOf` says what a resource server had against the call.
   *
   * @throws WritFault when the resource cannot be reached, or the token was used or has expired; TypeError for a URL that
   * is not at the resource, before anything is sent.
   */
  readonly fetch: (url: string | URL, init?: ActionFetchInit) => Promise<Response>
  /** For other ways to send it. Not enumerable: it is not printed, logged or stored with the rest. */
  readonly token: string
}

/** What a call may have: everything of `fetch` but what the token decides. */
export interface ActionFetchInit extends RequestInit {
  /** Origins to trust with the token beside that of the resource's identifier: where its API is reached instead. */
  readonly origins?: readonly string[]
}

export interface IssuedToken {
  readonly accessToken: string
  readonly expiresInSeconds: number
  readonly expiresAt: Date
  readonly resource: string
  readonly action: JsonObject & { readonly type: string }
}

/** Answers that say the call was not made: the token is good for another attempt. */
const NOT_MADE: ReadonlySet<number> = new Set([401, 403, 429, 503])

/** Wraps what was issued. The token itself stays in here. */
export function actionToken(session: Session, issued: IssuedToken): ActionToken {
  const { accessToken, resource, expiresAt, expiresInSeconds, action } = issued
  let isSpent = false

  const call = async (wanted: string | URL, init: ActionFetchInit = {}): Promise<Response> => {
    const url = target(wanted, resource, init.origins ?? [])
    const { origins: _, ...rest } = init
    const headers = new Headers(init.headers)
    if (headers.has('authorization') || headers.has('dpop')) {
      throw new TypeError('the headers Authorization and DPoP are set by the token')
    }
    if (init.redirect === 'follow') throw new TypeError('redirects are not followed with a token')
    if (isSpent) throw new WritFault('token_spent', 'this token was used: exchange for another')
    if (session.clock.own() >= expiresAt) throw new WritFault('token_spent', 'this token has expired')
    headers.set('authorization', `DPoP ${accessToken}`)
    // Upper case as the request line will have it: fetch changes some methods and not others.
    const method = (init.method ?? 'GET').toUpperCase()

    const send = async () => {
      const nonce = session.nonces.of(url.origin)
      const now = session.clock.now()
      headers.set('dpop', await dpopProof(session.signer, { method, url, now, nonce, accessToken }))
      const response = await reach(session, url, { ...rest, redirect: init.redirect ?? 'manual', method, headers })
      const offered = session.nonces.notice(url.origin, response.headers)
      return { response, isNonceFresh: offered !== undefined && offered !== nonce }
    }
    isSpent = true
    try {
      const first = await send()
      // (RFC 9449 §9); the call was refused before it was made, so this is not a second use.
      const mustRepeat = first.isNonceFresh && refusalOf(first.response)?.kind === 'nonce_refused'
      if (!mustRepeat || !isRepeatable(init.body)) return settled(first.response)
      await first.response.body?.cancel()
      return settled((await send()).response)
    } catch (error) {
      // Whether the call was made is not known. The resource server knows, and takes no token twice.
      isSpent = false
      throw error
    }
  }
  const settled = (response: Response) => {
    // 409 with a time to come again: the first try of this very call is still running, and its answer is kept for a retry.
    const isRunning = response.status === 409 && response.headers.has('retry-after')
    if (isRunning || NOT_MADE.has(response.status)) isSpent = false
    return response
  }
  return hide(
    { action: Object.freeze(action), resource, expiresInSeconds, expiresAt, fetch: call },
    'token',
    accessToken,
  )
}

/** Where the call goes: at the resource, or where its caller said. Checked before anything is signed. */
function target(wanted: string | URL, resource: string, origins: readonly string[]): URL {
  if (!URL.canParse(String(wanted))) throw new TypeError('the URL of a call must be absolute')
  const url = new URL(wanted)
  const place = new URL(resource)
  const isHere = /^https?:$/.test(place.protocol) && url.origin === place.origin
  if (!isHere && !origins.includes(url.origin)) {
    throw new TypeError(`the token is for ${resource}: name ${url.origin} in origins to send it there all the same`)
  }
  if (!isTransportSafe(url.href)) {
    throw new TypeError('a token is sent over https, or http to a loopback host, without a user name in the URL')
  }
  return url
}

async function reach(session: Session, url: URL, init: RequestInit): Promise<Response> {
  try {
    return await session.transport.fetch(url, init)
  } catch (error) {
    if (init.signal?.aborted) throw init.signal.reason
    const code = systemCode(error)
    throw new WritFault('unreachable', `the resource cannot be reached${code === undefined ? '' : ` (${code})`}`)
  }
}

/** Whether a body can be sent twice: a stream is gone. */
const isRepeatable = (body: unknown) =>
  !(typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body))
