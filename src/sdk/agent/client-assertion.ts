import { numericDate, signJwt, uniqueId } from './sign-jwt.ts'
import type { CheckedSigner } from './signer.ts'

const LIFETIME_SECONDS = 60
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** Who asserts what, to whom. */
export interface Asserted {
  readonly id: string
  readonly issuer: string
  readonly now: Date
}

/**
 * The form parameters that authenticate an agent, for one request (RFC 7523 §2.2, OpenID Connect Core §9).
 *
 * @param asserted `assertion`: one that somebody else made; default: by this key.
 */
export async function clientAuthentication(
  signer: CheckedSigner,
  { assertion, ...asserted }: Asserted & { readonly assertion?: string | undefined },
): Promise<Readonly<Record<string, string>>> {
  return {
    client_id: asserted.id,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion ?? (await clientAssertion(signer, asserted)),
  }
}

/** @param jkt the only key whose proof may come with it; default: any that is registered. */
export async function clientAssertion(
  signer: CheckedSigner,
  { id, issuer, now }: Asserted,
  jkt?: string,
): Promise<string> {
  const iat = numericDate(now)
  return signJwt(
    signer,
    { typ: 'client-authentication+jwt', kid: await signer.kid() },
    // One string, the issuer: no other server can use it (draft-ietf-oauth-rfc7523bis).
    {
      ...{ iss: id, sub: id, aud: issuer, jti: uniqueId(), iat, exp: iat + LIFETIME_SECONDS },
      ...(jkt !== undefined && { cnf: { jkt } }),
    },
  )
}
