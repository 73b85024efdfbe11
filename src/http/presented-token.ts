import type { IncomingMessage } from 'node:http'
import type { TokenCall } from '../commands/authorize-client-token.ts'
import { type Refusal, refuse } from '../core/refusal.ts'
import { headerValues } from '../wire/header-values.ts'

/**
 * The token that a request to this server itself presents, with the proofs beside it (RFC 9449 §7.1).
 *
 * @param url absolute URL of the endpoint, built from the issuer and never from `Host`.
 */
export function presentedToken(request: IncomingMessage, url: string): TokenCall | Refusal {
  const [authorization, ...more] = headerValues(request, 'authorization')
  if (authorization === undefined) return refuse('token_missing', 'this needs an access token')
  // One way to present a token, and one token.
  const token = /^DPoP +([A-Za-z0-9\-._~+/]+=*)$/i.exec(authorization)?.[1]
  if (token === undefined || more.length > 0) {
    return refuse('token_invalid', 'the access token must come once, as "Authorization: DPoP …"')
  }
  return { token, proofs: headerValues(request, 'dpop'), method: request.method ?? '', url }
}
