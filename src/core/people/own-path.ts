const MAX_LENGTH = 2_048
/** Any origin will do: what resolves to another one than this is no path of ours, whichever ours is. */
const BASE = 'https://here.invalid'

/**
 * The path, and perhaps the query, that a person is to be sent on to after a sign-in, or undefined where it could lead anywhere
 * else than to this server.
 *
 * What a browser makes of a reference is what counts (open redirectors, RFC 9700 §4.11): `//evil`, `/\evil` and a tab or a line feed
 * between the two are other hosts to it, so nothing but plain characters is taken and the URL parser has the last word.
 */
export function ownPath(text: string | undefined): string | undefined {
  if (text === undefined || text.length > MAX_LENGTH) return undefined
  if (!/^\/(?![/\\])[\x21-\x7e]*$/.test(text) || text.includes('\\')) return undefined
  if (!URL.canParse(text, BASE)) return undefined
  const { origin, username, pathname, search } = new URL(text, BASE)
  // Dot segments can leave a path that begins with two slashes, which is a host again when it is resolved once more.
  if (origin !== BASE || username !== '' || pathname.startsWith('//')) return undefined
  return `${pathname}${search}`
}
