/**
 * Whether `htu` of a proof names the URL of the request (RFC 9449 §4.3 step 9): without query and fragment, scheme and host
 * case-insensitive, the default port the same as none, escapes in their normal form (RFC 3986 §6.2.2, §6.2.3).
 *
 * Anything that is not an absolute http(s) URL is no target, nor is one with a user name. Dot segments are not resolved:
 * a path is what was sent.
 */
export function sameTarget(claimed: string, request: string): boolean {
  const here = target(request)
  return here !== undefined && target(claimed) === here
}

function target(url: string): string | undefined {
  const [, scheme, authority, path] = /^(https?):\/\/([^/?#]+)([^?#]*)/i.exec(url) ?? []
  // Printable ASCII without backslash: URL parsers drop tabs and line breaks, and some read a backslash as a slash.
  if (scheme === undefined || authority === undefined || !/^[\x21-\x5b\x5d-\x7e]*$/.test(url)) return undefined
  if (authority.includes('@') || !URL.canParse(`${scheme}://${authority}`)) return undefined
  const { origin } = new URL(`${scheme}://${authority}`)
  return `${origin}${normalEscapes(path || '/')}`
}

/** Escapes of unreserved characters resolved, all others in upper case (RFC 3986 §6.2.2.1, §6.2.2.2). */
function normalEscapes(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : triplet.toUpperCase()
  })
}
