import { isRefusal } from '../../core/refusal.ts'
import type { RevokedKind } from '../../core/revocation/revocation-event.ts'
import { checkSecurityEvent, readSecurityEvent } from '../../wire/security-event.ts'
import { createClock } from '../agent/clock.ts'
import { dpopProof } from '../agent/dpop-proof.ts'
import { checkIssuer, readMetadata } from '../agent/issuer.ts'
import { createNonces } from '../agent/nonces.ts'
import { isWritRefusal } from '../agent/refusal.ts'
import { checkSigner } from '../agent/signer.ts'
import { readTokenAnswer } from '../agent/token-answer.ts'
import { tokenRequest } from '../agent/token-request.ts'
import { createTransport, isRedirect } from '../agent/transport.ts'
import { readEventStream } from './event-stream.ts'
import { createIssuerClient, type IssuerClientOptions } from './issuer-client.ts'
import type { IssuerKeys } from './issuer-keys.ts'
import { createStoppedSet, type Stoppable } from './stopped-set.ts'

/** How this resource server learns what was stopped while it verifies offline. */
export interface RevocationsOptions extends IssuerClientOptions {
  /** For how long it may go on without a word of the issuer. The issuer says something every 2 seconds. At least 3. */
  readonly maxSilenceSeconds: number
  /**
   * What to do when it was silent for longer: `refuse` every call (503) until it is heard again, or `introspect` each token;
   * where the issuer does not answer that either, the call is refused. A call is never let through unasked.
   */
  readonly onLoss: 'refuse' | 'introspect'
}

export interface RevocationFollower {
  /** What stops the token. `unknown`: nobody can say. @throws IssuerUnavailableError when the issuer was to be asked and is away. */
  readonly stops: (
    token: Stoppable & { readonly accessToken: string },
  ) => Promise<RevokedKind | 'restored' | 'inactive' | 'unknown' | undefined>
  /** Whether the issuer was heard within the time it may be silent. */
  readonly isFresh: () => boolean
  readonly close: () => void
}

/** How far the issuer's clock may be off. Unit: seconds. */
const SKEW_SECONDS = 5
/** Between two attempts to connect: at first, and at most. Unit: ms. */
const FIRST_WAIT = 100
const LONGEST_WAIT = 5_000
const CONNECT_SECONDS = 10
const EVENT_ID = /^[0-9]{1,15}\.[0-9]{1,18}$/

/** Follows the revocation feed from now on, and comes back to it whenever it is lost. */
export function createRevocationFollower(
  { issuer, resource }: { readonly issuer: string; readonly resource: string },
  options: RevocationsOptions,
  issuerKeys: IssuerKeys,
  now: () => Date,
): RevocationFollower {
  const { clientId, key, maxSilenceSeconds, onLoss } = options
  checkIssuer(issuer)
  if (!(maxSilenceSeconds >= 3 && maxSilenceSeconds <= 300)) throw new RangeError('maxSilenceSeconds must be 3 to 300')
  if (onLoss !== 'refuse' && onLoss !== 'introspect') throw new TypeError('onLoss must be refuse or introspect')
  const client = createIssuerClient(issuer, options, now)
  const signer = checkSigner(key)
  const transport = createTransport({ timeoutSeconds: options.timeoutSeconds ?? 5 })
  const nonces = createNonces()
  const session = {
    ...{ signer, transport, nonces, clock: createClock(now, false) },
    retries: { attempts: 0, maxWaitSeconds: 0 },
  }
  const door = { session, issuer, id: clientId, metadata: () => readMetadata(issuer, transport) }

  let stopped = createStoppedSet()
  let lastEventId: string | undefined
  /** When the issuer was heard last, by a clock that never goes back, and what it said its own time was. Unit: seconds. */
  let heardAt = Number.NEGATIVE_INFINITY
  let heardOf = Number.NEGATIVE_INFINITY
  let connection = new AbortController()
  let isClosed = false
  const monotonic = () => performance.now() / 1_000

  const isFresh = () =>
    !isClosed &&
    stopped.isWhole() &&
    monotonic() - heardAt <= maxSilenceSeconds &&
    // By the issuer's own word: what is played back to us from earlier makes nothing younger.
    Math.abs(now().getTime() / 1_000 - heardOf) <= maxSilenceSeconds + SKEW_SECONDS

  async function hear(data: string, id: string | undefined): Promise<void> {
    const read = readSecurityEvent(data)
    if (isRefusal(read)) throw new Error(read.detail)
    const checked = checkSecurityEvent(read, await issuerKeys.find(read.kid), { issuer, audience: resource })
    if (isRefusal(checked)) throw new Error(checked.detail)
    const saidAt = checked.issuedAt.getTime() / 1_000
    // Said earlier than what was heard already, it is played back, and would undo what was stopped since.
    if (saidAt < heardOf - SKEW_SECONDS) throw new Error('the event is from before what was heard already')
    // What is from the future would for as long hide that nothing newer comes.
    if (saidAt > now().getTime() / 1_000 + SKEW_SECONDS) throw new Error('the event is from the future')
    // It is no part of what was signed, and is sent back with the next connection, and the one after it.
    if (id !== undefined && !EVENT_ID.test(id)) throw new Error('the id of the event is none of the issuer')
    stopped.apply(checked.message, monotonic())
    if (id !== undefined) lastEventId = id
    heardAt = monotonic()
    heardOf = Math.max(heardOf, saidAt)
  }

  /** One connection, until it ends. Everything that is said on it is verified, or the connection is given up. */
  async function follow(signal: AbortSignal): Promise<void> {
    const answer = await tokenRequest(door, { grant_type: 'client_credentials' }, { signal })
    if (isWritRefusal(answer)) throw new Error(`the issuer gives no token to follow with: ${answer.error}`)
    const { accessToken } = readTokenAnswer(answer)
    const response = await connect(accessToken, signal, true)
    if (response.body === null) throw new Error('the feed has no body')
    for await (const event of readEventStream(response.body)) await hear(event.data, event.id)
  }
  async function connect(accessToken: string, signal: AbortSignal, mayRepeat: boolean): Promise<Response> {
    const url = new URL(`${issuer}/revocations`)
    const proven = { method: 'GET', url, now: now(), nonce: nonces.of(url.origin), accessToken }
    const headers = new Headers({
      ...{ accept: 'text/event-stream', authorization: `DPoP ${accessToken}` },
      dpop: await dpopProof(signer, proven),
    })
    // What was heard before counts only together with what was missed since.
    if (lastEventId !== undefined && stopped.isWhole()) headers.set('last-event-id', lastEventId)
    const timer = setTimeout(() => connection.abort(), CONNECT_SECONDS * 1_000)
    const response = await transport
      .fetch(url, { headers, redirect: 'manual', credentials: 'omit', signal })
      .finally(() => clearTimeout(timer))
    const offered = nonces.notice(url.origin, response.headers)
    if (response.status === 200 && !isRedirect(response)) return response
    await response.body?.cancel()
    const wantsNonce = response.status === 401 && offered !== undefined && offered !== proven.nonce
    if (wantsNonce && mayRepeat) return connect(accessToken, signal, false)
    throw new Error(`the feed answered ${response.status}`)
  }

  async function run(): Promise<void> {
    let wait = FIRST_WAIT
    while (!isClosed) {
      connection = new AbortController()
      const { signal } = connection
      const since = monotonic()
      // A connection that says nothing may be half open: it is given up, and made anew.
      const watch = setInterval(() => {
        if (monotonic() - Math.max(heardAt, since) > maxSilenceSeconds) connection.abort()
      }, 250)
      await follow(signal)
        .catch((error: unknown) => {
          // More than can be remembered: only a new beginning helps, and until then nothing is known.
          if (!(error instanceof RangeError)) return
          stopped = createStoppedSet()
          lastEventId = undefined
        })
        .finally(() => {
          clearInterval(watch)
          connection.abort()
        })
      if (isClosed) return
      // Whoever was heard a moment ago is tried at once; who is away, less and less often.
      wait = heardAt > since ? FIRST_WAIT : Math.min(wait * 2, LONGEST_WAIT)
      await sleep(wait * (0.5 + Math.random()))
    }
  }
  void run()

  async function introspect({ accessToken, claims }: Stoppable & { readonly accessToken: string }) {
    const { body } = await client.post('/introspect', { token: accessToken, token_type_hint: 'access_token' }, [200])
    return body.active === true && body.jti === claims.jti ? undefined : ('inactive' as const)
  }

  return {
    isFresh,
    async stops(token) {
      // A stop that was heard of is one, however long ago anything was heard.
      const stop = stopped.stops(token)
      if (stop !== undefined) return stop
      if (isFresh()) return undefined
      return onLoss === 'introspect' ? introspect(token) : 'unknown'
    },
    close() {
      isClosed = true
      connection.abort()
    },
  }
}

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds).unref())
