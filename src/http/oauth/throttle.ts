import type { Context } from 'koa'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { RateLimiter } from '../rate-limit.ts'

/** Limits failed authentications by address: whoever fails too often is not even listened to for a moment. */
export interface FailureThrottle {
  readonly refusal: (context: Context) => Refusal | undefined
  readonly failed: (context: Context) => void
}

/** The address is the connection's own: no header says who is asking. */
export function failureThrottle(limiter: RateLimiter, now: () => Date): FailureThrottle {
  const address = (context: Context) => context.req.socket.remoteAddress ?? ''
  return {
    refusal: (context) =>
      limiter.hasRoom(address(context), now())
        ? undefined
        : refuse('rate_exceeded', 'too many failed authentications from this address'),
    failed: (context) => void limiter.take(address(context), now()),
  }
}
