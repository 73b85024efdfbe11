import type { GuardedFetch } from './guarded-fetch.ts'

/** Statuses whose answers have no body (Fetch, "null body status"). */
const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 103, 204, 205, 304])

/**
 * The guard as a `fetch`, for libraries that take one (openid-client, oidc-provider).
 *
 * Redirects are never followed: the answer that redirects is returned where the caller asked for `manual`, and is an error
 * otherwise.
 */
export function fetchCompatible(guarded: GuardedFetch): typeof globalThis.fetch {
  return async (input, init = {}) => {
    // Only what is named here is taken: a dispatcher of the caller's would go around the guard.
    const { method, headers, body, signal, redirect } = init
    const request = new Request(input, {
      ...(method !== undefined && { method }),
      ...(headers !== undefined && { headers }),
      ...(body !== undefined && { body, duplex: 'half' }),
      ...(signal !== undefined && { signal }),
      ...(redirect !== undefined && { redirect }),
    })
    const hasBody = request.body !== null
    const answer = await guarded(request.url, {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      ...(hasBody && { body: new Uint8Array(await request.arrayBuffer()) }),
      signal: request.signal,
    })
    const isRedirect = answer.status >= 300 && answer.status < 400 && answer.status !== 304
    if (isRedirect && request.redirect !== 'manual') throw new TypeError('it redirects, which is never followed')
    const { status, headers: answered } = answer
    const response = new Response(WITHOUT_BODY.has(status) ? null : Buffer.from(answer.body), {
      status,
      headers: answered,
    })
    Object.defineProperty(response, 'url', { value: request.url })
    return response
  }
}
