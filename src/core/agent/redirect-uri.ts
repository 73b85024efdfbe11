const MAX_CHARACTERS = 2_048
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])
/** A scheme of an app's own: a domain name, reversed (RFC 8252 §7.1). Nothing that a browser or a shell has a meaning for has a dot. */
const PRIVATE_USE = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:\//

/** A name or an address as browsers know it; the URL parser lets stars, quotes and semicolons pass, which mean something elsewhere. */
const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/

/**
 * Why a URI cannot be one to which codes are sent; undefined: it can.
 *
 * https, or http on a loopback address (RFC 8252 §7.3), or a scheme of an app's own; compared as a string whenever it is used.
 */
export function redirectUriProblem(uri: string): string | undefined {
  if (uri.length > MAX_CHARACTERS) return `must be at most ${MAX_CHARACTERS} characters`
  if (!/^[\x21-\x7e]+$/.test(uri) || !URL.canParse(uri)) return 'must be an absolute URI'
  // (RFC 6749 §3.1.2)
  if (uri.includes('#')) return 'must have no fragment'
  const { protocol, hostname, username, password } = new URL(uri)
  if (username !== '' || password !== '') return 'must have no user information'
  const isWeb = protocol === 'https:' || protocol === 'http:'
  if (isWeb && !HOST.test(hostname)) return 'must have a host of letters, digits, dots and hyphens'
  if (protocol === 'https:') return LOOPBACK.has(hostname) ? 'is on a loopback address: use http there' : undefined
  if (protocol === 'http:') return LOOPBACK.has(hostname) ? undefined : 'may be http on a loopback address only'
  return PRIVATE_USE.test(uri) ? undefined : 'must be https, or of a scheme that is a reversed domain name'
}
