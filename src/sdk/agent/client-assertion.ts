import { numericDate, signJwt, uniqueId } from './sign-jwt.ts'
import type { CheckedSigner } from './signer.ts'

const LIFETIME_SECONDS = 60
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** The form parameters that authenticate an agent, for one request (RFC 7523 §2.2, OpenID Connect Core §9). */
export async function clientAuthentication(
  signer: CheckedSigner,
  { id, issuer, now }: { readonly id: string; readonly issuer: string; readonly now: Date },
): Promise<Readonly<Record<string, string>>> {
  const iat = numericDate(now)
  const assertion = await signJwt(
    signer,
    { typ: 'client-authentication+jwt', kid: await signer.kid() },
    // One string, the issuer: no other server can use it (draft-ietf-oauth-rfc7523bis).
    { iss: id, sub: id, aud: issuer, jti: uniqueId(), iat, exp: iat + LIFETIME_SECONDS },
  )
  return { client_id: id, client_assertion_type: ASSERTION_TYPE, client_assertion: assertion }
}
