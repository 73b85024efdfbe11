import { type Refusal, refuse } from '../../core/refusal.ts'

/** Unit: characters. */
export const MAX_IDENTIFIER_LENGTH = 2_048
/** Printable ASCII without what RFC 3986 leaves out of a URI; no fragment and no query (RFC 8707 §2 and our profile of it). */
const ABSOLUTE_URI = /^[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9\-._~:/[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
const USER_INFORMATION = /^[^:]+:\/\/[^/]*@/

/**
 * Checks what a resource is to be known by: the `aud` of its tokens, compared code point by code point.
 *
 * The issuer is refused: tokens for this server itself are told from action tokens by their `aud`.
 */
export function checkResourceIdentifier(identifier: string, issuer: string): Refusal<'member_invalid'> | undefined {
  const invalid = (detail: string) => refuse('member_invalid', detail, 'identifier')
  if (identifier.length > MAX_IDENTIFIER_LENGTH) return invalid(`must be at most ${MAX_IDENTIFIER_LENGTH} characters`)
  if (!ABSOLUTE_URI.test(identifier) || !URL.canParse(identifier)) {
    return invalid('must be an absolute URI without fragment and query')
  }
  if (USER_INFORMATION.test(identifier)) return invalid('must not have user information')
  if (/^https?:/i.test(identifier) && !/^https?:\/\/[^/]/i.test(identifier)) return invalid('must name a host')
  return foldIdentifier(identifier) === foldIdentifier(issuer) ? invalid('must not be the issuer') : undefined
}

/** Two identifiers with one folded form cannot both be registered: nobody tells them apart at a glance. */
export function foldIdentifier(identifier: string): string {
  let end = identifier.length
  while (identifier[end - 1] === '/') end--
  return identifier.slice(0, end).toLowerCase()
}
