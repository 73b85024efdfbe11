/** Octets that a proxy or a file system may decode into structure: slash, backslash, dot, NUL, and the percent sign. */
const HIDDEN_STRUCTURE = /%(?:2f|5c|2e|00|25)/i
/** `..;x` is a parent directory to servers that strip path parameters (RFC 3986 §3.3). */
const DOTS_WITH_PARAMETER = /\/\.{1,2};/

/**
 * Reads an http(s) URL that has one reading only, or nothing: `new URL(v).href === v`, no user information, fragment,
 * backslash, empty path segment or hidden structure in its path. A URL that is not canonical is refused, never normalized:
 * what was checked is what will be used.
 */
export function parseCanonicalUrl(text: string): URL | undefined {
  if (text.length > 8_192 || text.includes('\\') || text.includes('#')) return undefined
  if (!URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.href !== text) return undefined
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined
  if (url.username !== '' || url.password !== '') return undefined
  const path = url.pathname
  if (path.includes('//') || HIDDEN_STRUCTURE.test(path) || DOTS_WITH_PARAMETER.test(path)) return undefined
  return isUtf8Encoded(path) ? url : undefined
}

/** Malformed percent-encoding, and overlong UTF-8 (`%c0%af`), mean different things to different decoders. */
function isUtf8Encoded(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}
