import { dpopChallenge } from './dpop-challenge.ts'
import { refusal, type WritRefusal } from './refusal.ts'
import { retryAfterSeconds } from './retry-after.ts'

/**
 * Reads why a resource server refused a call, from the challenge in the answer's headers (RFC 6750 §3.1, RFC 9449 §7.1).
 *
 * The body is left for the caller.
 *
 * @returns undefined when the answer does not speak about the token: a 403 of the application itself, for example.
 */
export function refusalOf(response: Pick<Response, 'status' | 'headers'>): WritRefusal | undefined {
  const { status, headers } = response
  const retryAfter = retryAfterSeconds(headers, new Date())
  if (status === 429) return refusal('resource', { status, error: 'slow_down', retryAfterSeconds: retryAfter })
  if (status !== 401 && status !== 403) return undefined
  const challenge = dpopChallenge(headers)
  if (challenge === undefined) return undefined
  // A challenge without an error is for a request without a token (RFC 6750 §3.1).
  return refusal('resource', { status, error: challenge.error ?? 'invalid_token', description: challenge.description })
}
