import type { JsonObject } from '../../core/json.ts'
import { type AgentClock, clockSkewSeconds, NOTICED_SKEW_SECONDS } from './clock.ts'
import { dpopChallenge } from './dpop-challenge.ts'
import { dpopProof } from './dpop-proof.ts'
import { WritFault } from './fault.ts'
import type { Nonces } from './nonces.ts'
import { readInterval, readPendingApproval } from './pending-approval.ts'
import { isWritRefusal, refusal, type WritRefusal } from './refusal.ts'
import type { Door } from './refusal-kind.ts'
import { retryAfterSeconds } from './retry-after.ts'
import type { CheckedSigner } from './signer.ts'
import { type Answer, send, type Transport } from './transport.ts'

/** Whether requests that were turned away for their number, or because a store is away, are made again. */
export interface Retries {
  /** How many times more, at most. */
  readonly attempts: number
  /** A server that names a longer wait is not waited for. Unit: seconds. */
  readonly maxWaitSeconds: number
}

/** What all requests of one agent share. Nothing in it belongs to a single request. */
export interface Session {
  readonly signer: CheckedSigner
  readonly transport: Transport
  readonly clock: AgentClock
  readonly nonces: Nonces
  readonly retries: Retries
}

/** A request to the issuer that can be made again: with a new proof, and a body that is made anew. */
export interface RepeatableRequest {
  readonly door: Door
  readonly method: 'GET' | 'POST'
  readonly url: string
  /** The agent token, at doors that take one. */
  readonly accessToken?: string
  /** Headers and body for one attempt: an assertion is for one request only. */
  readonly content?: () => Promise<{
    readonly contentType: string
    readonly body: string
    readonly headers?: Readonly<Record<string, string>>
  }>
  readonly signal?: AbortSignal | undefined
  /** Whether making it twice is the same as making it once: then a lost answer is asked for again. Default: false. */
  readonly isRepeatable?: boolean
}

/**
 * Makes a request with a DPoP proof, and again with everything new: once for a nonce (RFC 9449 §8), once for a corrected
 * clock, once when no answer came to a request that may be repeated, and as often as configured when the server asks to
 * come later.
 *
 * @returns the body of a 2xx answer, or the refusal.
 * @throws WritFault when something broke.
 */
export async function request(session: Session, wanted: RepeatableRequest): Promise<JsonObject | WritRefusal> {
  let mayFetchNonce = true
  let mayCorrectClock = true
  let mayAskAgain = wanted.isRepeatable === true
  let retriesLeft = session.retries.attempts
  for (;;) {
    const offsetSeconds = session.clock.offsetSeconds()
    const attempted = await attempt(session, wanted).catch((error: unknown) => {
      // Cut, or not in time: what became of the request is not known.
      const isLost = error instanceof WritFault && (error.kind === 'unreachable' || error.kind === 'timed_out')
      if (!isLost || !mayAskAgain) throw error
    })
    if (attempted === undefined) {
      mayAskAgain = false
      continue
    }
    const { answer, skewSeconds, freshNonce } = attempted
    const outcome = judge(wanted.door, answer, skewSeconds, session.clock.own())
    if (!(outcome instanceof WritFault) && !isWritRefusal(outcome)) return outcome

    if (isWritRefusal(outcome)) {
      if (outcome.kind === 'nonce_refused' && freshNonce && mayFetchNonce) {
        mayFetchNonce = false
        continue
      }
      if (outcome.clockSkewSeconds !== undefined && mayCorrectClock) {
        session.clock.correctBy(skewSeconds)
        // Compared with what this request was made with: another one may have corrected the clock meanwhile. What is
        // measured wavers by the time that requests take.
        if (Math.abs(session.clock.offsetSeconds() - offsetSeconds) >= NOTICED_SKEW_SECONDS) {
          mayCorrectClock = false
          continue
        }
      }
    }
    // Who polls too often is to poll less, not again (CIBA Core §11): that is for whoever polls.
    const isPaced = wanted.door === 'approval' && outcome.status === 400
    const mayPass = isWritRefusal(outcome) ? outcome.kind === 'slow_down' && !isPaced : outcome.kind === 'unavailable'
    const waitSeconds = outcome.retryAfterSeconds ?? 1
    if (mayPass && retriesLeft > 0 && waitSeconds <= session.retries.maxWaitSeconds) {
      retriesLeft--
      await wait(waitSeconds, wanted.signal)
      continue
    }
    if (outcome instanceof WritFault) throw outcome
    return outcome
  }
}

async function attempt(session: Session, wanted: RepeatableRequest) {
  const { method, accessToken, signal } = wanted
  const url = new URL(wanted.url)
  const content = await wanted.content?.()
  const nonce = session.nonces.of(url.origin)
  const proof = await dpopProof(session.signer, {
    method,
    url,
    now: session.clock.now(),
    nonce,
    ...(accessToken !== undefined && { accessToken }),
  })
  const headers = new Headers({ ...content?.headers, accept: 'application/json', dpop: proof })
  if (accessToken !== undefined) headers.set('authorization', `DPoP ${accessToken}`)
  if (content !== undefined) headers.set('content-type', content.contentType)
  const sentAt = session.clock.own()
  const answer = await send(
    session.transport,
    url.href,
    { method, headers, ...(content !== undefined && { body: content.body }) },
    signal,
  )
  const offered = session.nonces.notice(url.origin, answer.headers)
  return {
    answer,
    skewSeconds: clockSkewSeconds(answer.headers, sentAt, session.clock.own()),
    freshNonce: offered !== undefined && offered !== nonce,
  }
}

/** What an answer means: its body, a refusal, or a fault. */
function judge(door: Door, answer: Answer, skewSeconds: number, now: Date): JsonObject | WritRefusal | WritFault {
  const { status, headers, body } = answer
  const facts = {
    status,
    requestId: requestIdOf(headers),
    retryAfterSeconds: retryAfterSeconds(headers, now),
  }
  if (status >= 500) {
    return status === 503
      ? new WritFault('unavailable', 'the server is not available for the moment', facts)
      : new WritFault('server_error', `something broke in the server (status ${status})`, facts)
  }
  if (status >= 200 && status < 300) {
    return body ?? new WritFault('unexpected_answer', 'the answer of the server is not a JSON object', facts)
  }
  const challenge = dpopChallenge(headers)
  // Whatever stands before the server may turn requests away too, without its words.
  const error = text(body?.error) ?? challenge?.error ?? (status === 429 ? 'slow_down' : undefined)
  if (error === undefined) {
    return new WritFault('unexpected_answer', `the server answered ${status} and does not say why`, facts)
  }
  return refusal(door, {
    ...facts,
    error,
    description: text(body?.error_description) ?? challenge?.description,
    decisionId: text(body?.decision_id),
    approval: readPendingApproval(body, now),
    retryAfterSeconds: facts.retryAfterSeconds ?? readInterval(body),
    clockSkewSeconds: skewSeconds,
  })
}

/** Waits, and a little longer: those who were turned away together should not come back together. */
export function wait(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }
    const timer = setTimeout(done, seconds * 1_000 * (1 + Math.random() / 4))
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}

function requestIdOf(headers: Headers): string | undefined {
  const id = headers.get('x-request-id')
  return id !== null && /^[A-Za-z0-9._-]{1,64}$/.test(id) ? id : undefined
}

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
