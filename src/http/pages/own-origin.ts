import { headerValues } from '../../wire/header-values.ts'
import type { RequestHolder } from './cookie.ts'

/**
 * Whether a request that changes something comes from a page of this server, as the browser itself says it.
 *
 * No page can write these headers. `Sec-Fetch-Site` decides where there is one; `Origin` must be ours where it names an origin (a page whose
 * policy is to tell no referrer says `null` there); a request that says neither comes from no browser that we know.
 */
export function isFromOwnPage({ req }: RequestHolder, issuer: string): boolean {
  const [site, ...moreSites] = headerValues(req, 'sec-fetch-site')
  const [origin, ...moreOrigins] = headerValues(req, 'origin')
  if (moreSites.length > 0 || moreOrigins.length > 0) return false
  if (site !== undefined && site !== 'same-origin') return false
  if (origin === undefined || origin === 'null') return site !== undefined
  return origin === issuer
}
