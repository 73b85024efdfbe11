import { sha256Base64url } from './digest.ts'
import { numericDate, signJwt, uniqueId } from './sign-jwt.ts'
import type { CheckedSigner } from './signer.ts'

/** The one request that a proof is for. */
export interface ProvenRequest {
  readonly method: string
  readonly url: URL
  readonly now: Date
  /** The nonce this origin gave last (RFC 9449 §8). */
  readonly nonce: string | undefined
  /** The token that the request carries, if any. */
  readonly accessToken?: string
}

/** Makes a DPoP proof for one request (RFC 9449 §4.2). */
export async function dpopProof(signer: CheckedSigner, request: ProvenRequest): Promise<string> {
  const { method, url, now, nonce, accessToken } = request
  return signJwt(
    signer,
    { typ: 'dpop+jwt', jwk: signer.publicJwk },
    {
      jti: uniqueId(),
      htm: method,
      // Without query and fragment (RFC 9449 §4.2).
      htu: url.origin + url.pathname,
      iat: numericDate(now),
      ...(accessToken !== undefined && { ath: await sha256Base64url(accessToken) }),
      ...(nonce !== undefined && { nonce }),
    },
  )
}
