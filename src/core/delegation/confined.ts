import { parseCanonicalUrl } from '../action/canonical-url.ts'

/** Whether the text is an absolute path with one reading: no empty, `.` or `..` segment, no NUL, no backslash. */
export function isCanonicalPath(text: string): boolean {
  if (text === '/') return true
  if (!text.startsWith('/') || text.includes('\0') || text.includes('\\')) return false
  return text
    .slice(1)
    .split('/')
    .every((segment) => segment !== '' && segment !== '.' && segment !== '..')
}

/** Whether a path is the base or lies inside it, at a segment boundary: `/data2` is not inside `/data`. */
export function isPathWithin(path: string, base: string): boolean {
  return isCanonicalPath(path) && isCanonicalPath(base) && isInside(path, base)
}

/** Whether a URL is canonical, of the same origin, and inside the base; with a query only where queries are allowed. */
export function isUrlWithin(text: string, base: string, isQueryAllowed: boolean): boolean {
  const url = parseCanonicalUrl(text)
  const baseUrl = parseUrlBase(base)
  if (url === undefined || baseUrl === undefined || url.origin !== baseUrl.origin) return false
  // An empty query, `?` alone, is one as well; `URL` does not tell.
  if (!isQueryAllowed && text.includes('?')) return false
  return isInside(url.pathname, baseUrl.pathname)
}

/** Reads the base of a `$url_within`: a canonical URL without a query. */
export function parseUrlBase(text: string): URL | undefined {
  return text.includes('?') ? undefined : parseCanonicalUrl(text)
}

function isInside(path: string, base: string): boolean {
  return path === base || path.startsWith(base.endsWith('/') ? base : `${base}/`)
}
