import { type Refusal, refuse } from '../../core/refusal.ts'
import { headerValues } from '../../wire/header-values.ts'
import type { ResourceRequest } from './resource-request.ts'

/** What came with the request, unread. */
export interface PresentedCredentials {
  readonly accessToken: string
  /** Every value of the `DPoP` header; that there is exactly one is for the proof's check to say. */
  readonly proofs: readonly string[]
}

const SPACE = 0x20

/**
 * Takes the credentials off a request: exactly one `Authorization` header, of the scheme DPoP (RFC 9449 §7.1).
 *
 * Bearer is refused (RFC 9449 §7.2), and so is a token anywhere else: query and body are not looked at.
 */
export function readCredentials(
  request: ResourceRequest,
): PresentedCredentials | Refusal<'token_missing' | 'token_invalid'> {
  const values = headerValues(request, 'authorization')
  const authorization = values[0]
  if (authorization === undefined) return refuse('token_missing', 'an access token is required')
  if (values.length > 1) return refuse('token_invalid', 'more than one "Authorization" header')
  // What is no token68 (RFC 9110 §11.2) is no JWT either: that is said by whoever reads it.
  let start = authorization.slice(0, 5).toLowerCase() === 'dpop ' ? 5 : 0
  while (start > 0 && authorization.charCodeAt(start) === SPACE) start++
  if (start === 0 || start === authorization.length)
    return refuse('token_invalid', 'the "Authorization" header is not "DPoP" and a token')
  const accessToken = authorization.slice(start)
  return { accessToken, proofs: headerValues(request, 'dpop') }
}
