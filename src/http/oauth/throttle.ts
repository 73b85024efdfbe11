import { type Refusal, refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import type { RateLimiter } from '../rate-limit.ts'

/**
 * Limits failed authentications by address.
 *
 * DECISION: who fails too often is told to slow down; who does not fail is served whatever others at his address do. Behind
 * a proxy all of the world has one address, and a flood of bad requests must not lock out the administrator who would
 * stop it. What a bad request may cost is limited by itself: a lookup and the signatures of one request. Whoever lacks the nonce
 * that every first proof lacks has not failed: it is what he is to be told (RFC 9449 §8).
 */
export interface FailureThrottle {
  /** Counts one failure and tells what to answer: the refusal, or that there were too many. */
  readonly failed: (context: Door, refusal: Refusal) => Refusal
}

/** The address is the connection's own: no header says who is asking. */
export function failureThrottle(limiter: RateLimiter, now: () => Date): FailureThrottle {
  return {
    failed: (context, refusal) =>
      refusal.code === 'proof_nonce_required' || limiter.take(context.req.socket.remoteAddress ?? '', now())
        ? refusal
        : refuse('rate_exceeded', 'too many failed authentications from this address'),
  }
}
