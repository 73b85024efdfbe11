import type { Middleware } from 'koa'
import type { PublicJwk } from '../../core/agent/client.ts'

/** The public half of a key that signs now, will soon, or did until a moment ago. */
export interface PublishedKey {
  readonly kid: string
  readonly jwk: PublicJwk
}

/**
 * `GET /jwks`: the keys that verify what this server signed (RFC 7517 §5).
 *
 * Read anew for every answer, so that a rotation shows at once; a verifier that asks for an unknown `kid` finds it here.
 */
export function jwks(publishedKeys: () => readonly PublishedKey[]): Middleware {
  return (context) => {
    context.type = 'application/jwk-set+json'
    context.set('Cache-Control', 'public, max-age=60')
    const keys = publishedKeys().map(({ kid, jwk }) => ({ ...jwk, kid, use: 'sig', alg: 'ES256' }))
    context.body = JSON.stringify({ keys })
  }
}
