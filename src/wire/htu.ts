/**
 * Whether `htu` of a proof names the URL of the request (RFC 9449 §4.3 step 9): without query and fragment, scheme and host
 * case-insensitive, the default port the same as none, escapes in their normal form (RFC 3986 §6.2.2, §6.2.3).
 *
 * Anything that is not an absolute http(s) URL is no target, nor is one with a user name. Dot segments are not resolved:
 * a path is what was sent.
 */
export function sameTarget(claimed: string, request: string): boolean {
  const here = request === lastRequest ? lastTarget : target(request)
  if (here === undefined) return false
  lastRequest = request
  lastTarget = here
  // The normal form of what is written in it is itself, as long as there is no escape to resolve.
  return claimed === here && !here.includes('%') ? true : target(claimed) === here
}

/** Most requests are for the endpoint that the last one was for. */
let lastRequest: string | undefined
let lastTarget: string | undefined

/** The origins of what stands between `://` and the path, by it: few are asked for, and URLs are costly to parse. */
const origins = new Map<string, string | undefined>()
const MAX_ORIGINS = 64
const MAX_ORIGIN_CHARACTERS = 300

function target(url: string): string | undefined {
  const [, base, path] = /^(https?:\/\/[^/?#]+)([^?#]*)/i.exec(url) ?? []
  // Printable ASCII without backslash: URL parsers drop tabs and line breaks, and some read a backslash as a slash.
  if (base === undefined || !/^[\x21-\x5b\x5d-\x7e]*$/.test(url)) return undefined
  const origin = origins.has(base) ? origins.get(base) : originOf(base)
  return origin === undefined ? undefined : origin + normalEscapes(path || '/')
}

function originOf(base: string): string | undefined {
  const origin = base.includes('@') || !URL.canParse(base) ? undefined : new URL(base).origin
  if (base.length <= MAX_ORIGIN_CHARACTERS) {
    if (origins.size >= MAX_ORIGINS) origins.clear()
    origins.set(base, origin)
  }
  return origin
}

/** Escapes of unreserved characters resolved, all others in upper case (RFC 3986 §6.2.2.1, §6.2.2.2). */
function normalEscapes(path: string): string {
  if (!path.includes('%')) return path
  return path.replace(/%[0-9A-Fa-f]{2}/g, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : triplet.toUpperCase()
  })
}
