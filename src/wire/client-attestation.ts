import { isJsonObject } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type { TokenSigner, VerificationKey } from './access-token.ts'
import { isSignatureAlgorithm } from './algorithms.ts'
import { jwkThumbprint, readPublicJwk } from './jwk.ts'
import { type ParsedJws, parseCompactJws, signJws, verifyJws } from './jws.ts'

/** (draft-ietf-oauth-attestation-based-client-auth-12 §Client Attestation JWT) */
export const CLIENT_ATTESTATION_TYP = 'oauth-client-attestation+jwt'

const KiB = 1024
const MAX_ATTESTATION_BYTES = 4 * KiB
/** How far the clock of another process of this server may be ahead. Unit: seconds. */
const SKEW_SECONDS = 5

/** A client attestation that was read and not verified. */
export interface UnverifiedAttestation {
  readonly jws: ParsedJws
  /** Of the key that signed it, as it says. */
  readonly kid: string
  readonly clientId: string
  /** Thumbprint of the key it is for. */
  readonly jkt: string
  /** NumericDate. */
  readonly iat: number
  /** NumericDate. */
  readonly exp: number
}

export type AttestationRefusal = Refusal<'attestation_invalid' | 'attestation_expired'>

/** Signs claims, given as JSON text, as a client attestation. */
export const signClientAttestation = (claimsJson: string, signer: TokenSigner): string =>
  signJws({ typ: CLIENT_ATTESTATION_TYP, kid: signer.kid }, claimsJson, signer.key, signer.alg)

/**
 * Reads a client attestation and checks everything about it but its signature
 * (draft-ietf-oauth-attestation-based-client-auth-12 §Verification and Processing).
 *
 * @param issuer who must have signed it: this server attests its own clients, and no other attester is known.
 */
export function readClientAttestation(
  jwt: string,
  issuer: string,
  now: Date,
): UnverifiedAttestation | AttestationRefusal {
  const jws = parseCompactJws(jwt, MAX_ATTESTATION_BYTES)
  if (isRefusal(jws)) return invalid(`the client attestation is not a JWT: ${jws.detail}`)
  const { typ, alg, kid } = jws.header
  // No other JWT of this issuer is an attestation, and an attestation is no other (RFC 8725 §3.11).
  if (typ !== CLIENT_ATTESTATION_TYP) return invalid(`"typ" of the client attestation is not ${CLIENT_ATTESTATION_TYP}`)
  if (!isSignatureAlgorithm(alg)) return invalid('"alg" of the client attestation is not supported')
  if (typeof kid !== 'string') return invalid('the client attestation names no key')
  const { iss, sub, cnf, iat, exp } = jws.payload
  if (iss !== issuer) return invalid('"iss" of the client attestation is not this server')
  if (typeof sub !== 'string' || sub === '') return invalid('"sub" of the client attestation is not a string')
  if (typeof iat !== 'number' || typeof exp !== 'number' || !(exp > iat)) {
    return invalid('"iat" and "exp" of the client attestation must be numbers, one after the other')
  }
  const jwk = isJsonObject(cnf) && Object.hasOwn(cnf, 'jwk') ? readPublicJwk(cnf.jwk) : undefined
  if (jwk === undefined || isRefusal(jwk)) return invalid('"cnf" of the client attestation holds no public key')
  const fresh = checkAttestationTimes({ iat, exp }, now)
  return fresh ?? { jws, kid, clientId: sub, jkt: jwkThumbprint(jwk), iat, exp }
}

/** Why an attestation is not good at this moment; also of one that was verified before. */
export function checkAttestationTimes(
  { iat, exp }: { readonly iat: number; readonly exp: number },
  now: Date,
): AttestationRefusal | undefined {
  const nowSeconds = now.getTime() / 1_000
  if (!(iat <= nowSeconds + SKEW_SECONDS)) return invalid('"iat" of the client attestation is in the future')
  // At "exp" itself it has expired (RFC 7519 §4.1.4): the clock is the one that set it.
  return nowSeconds < exp ? undefined : refuse('attestation_expired', 'the client attestation has expired')
}

/** Verifies the signature, by the key of the server that the attestation names, if there is one. */
export function verifyClientAttestation(
  { jws }: UnverifiedAttestation,
  signer: VerificationKey | undefined,
): AttestationRefusal | undefined {
  if (signer === undefined) return invalid('the client attestation is signed by no key of this server')
  return verifyJws(jws, signer.key, signer.alg)
    ? undefined
    : invalid('the signature of the client attestation does not verify')
}

const invalid = (detail: string): AttestationRefusal => refuse('attestation_invalid', detail)
