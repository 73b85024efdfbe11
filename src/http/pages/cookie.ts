import type { IncomingMessage, ServerResponse } from 'node:http'

/** Cookies are read from the header of the request and of the request alone, whatever stands around it. */
export interface RequestHolder {
  readonly req: IncomingMessage
}
export interface ResponseHolder {
  readonly res: ServerResponse
}

const MAX_VALUE = 4_000

/**
 * The value of a cookie; undefined where it is missing, or comes twice: of two nobody can tell which one this server set.
 */
export function readCookie({ req }: RequestHolder, name: string): string | undefined {
  const found: string[] = []
  for (const pair of (req.headers.cookie ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals >= 0 && pair.slice(0, equals).trim() === name) found.push(pair.slice(equals + 1).trim())
  }
  const [value] = found
  return found.length === 1 && value !== undefined && value.length <= MAX_VALUE ? value : undefined
}

/**
 * Sets a cookie that only this host sees, on all of its paths (RFC 6265bis §4.1.3.2), and no script.
 *
 * Always `Secure`: browsers take it from a loopback address over http as well. The header is written here because Koa's own cookies refuse
 * to be secure there.
 *
 * @param name begins with `__Host-`.
 * @param value of characters that need no quoting.
 */
export function setHostCookie(holder: ResponseHolder, name: string, value: string, maxAgeSeconds: number): void {
  const { res } = holder
  const before = res.getHeader('set-cookie')
  const kept = (Array.isArray(before) ? before : before === undefined ? [] : [String(before)]).filter(
    (cookie) => !cookie.startsWith(`${name}=`),
  )
  const cookie = `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; Secure; HttpOnly; SameSite=Lax`
  res.setHeader('Set-Cookie', [...kept, cookie])
}

/** Has the browser forget a cookie. */
export const clearHostCookie = (holder: ResponseHolder, name: string): void => setHostCookie(holder, name, '', 0)
