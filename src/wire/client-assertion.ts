import { isJsonObject, ownMember } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { isSignatureAlgorithm, type SignatureAlgorithm } from './algorithms.ts'
import type { PublicJwk } from './jwk.ts'
import { type ParsedJws, parseCompactJws, verifyJws } from './jws.ts'
import type { KeyObjectCache } from './key-object-cache.ts'

const KiB = 1024
const MAX_ASSERTION_BYTES = 8 * KiB
const MAX_JTI_CHARACTERS = 256
const MAX_LIFETIME_SECONDS = 300
const SKEW_SECONDS = 30
const MAX_KEYS = 10

/** A client assertion that was read and not verified: it says whose keys to look up and proves nothing. */
export interface UnverifiedAssertion {
  readonly jws: ParsedJws
  readonly alg: SignatureAlgorithm
  /** Who it says it is. */
  readonly iss: string
  readonly kid: string | undefined
}

/** What an assertion's claims must be measured against. */
export interface AssertionExpectations {
  readonly clientId: string
  /** The only `aud` there is (draft-ietf-oauth-rfc7523bis). */
  readonly issuer: string
  readonly now: Date
}

/** The claims that passed. `jti` must then be marked as used for `clientId`. */
export interface AssertionClaims {
  readonly clientId: string
  readonly jti: string
  /** Until when the pair `clientId`, `jti` must be remembered. Unit: seconds since the epoch. */
  readonly rememberUntil: number
  /** Unit: seconds since the epoch. */
  readonly iat: number
  /**
   * Thumbprint of the only key that may come with it (`cnf.jkt`), when the assertion names one: whoever signs an assertion and
   * hands it on says with whose proof it is good.
   */
  readonly confirmedJkt?: string
}

/** One registered, active key of a client. */
export interface AssertionKey {
  readonly kid: string
  readonly jwk: PublicJwk
}

type AssertionRefusal = Refusal<'assertion_missing' | 'assertion_invalid'>

/** Reads a client assertion (RFC 7523 §2.2): its form, `typ`, `alg` and who it says it is. */
export function readAssertion(jwt: string | undefined): UnverifiedAssertion | AssertionRefusal {
  if (jwt === undefined || jwt === '') return refuse('assertion_missing', 'a client assertion is required')
  const jws = parseCompactJws(jwt, MAX_ASSERTION_BYTES)
  if (isRefusal(jws)) return invalid(`the client assertion is not a JWT: ${jws.detail}`)
  const { typ, alg, kid } = jws.header
  if (!isAssertionType(typ)) return invalid('"typ" of the client assertion is not JWT or client-authentication+jwt')
  if (!isSignatureAlgorithm(alg)) return invalid('"alg" of the client assertion is not supported')
  if (kid !== undefined && typeof kid !== 'string') return invalid('"kid" of the client assertion is not a string')
  const { iss } = jws.payload
  if (typeof iss !== 'string' || iss === '') return invalid('"iss" of the client assertion is not a string')
  return { jws, alg, iss, kid }
}

/** Checks the claims of a client assertion (RFC 7523 §3) before its signature: they cost less. */
export function checkAssertion(
  assertion: UnverifiedAssertion,
  { clientId, issuer, now }: AssertionExpectations,
): AssertionClaims | AssertionRefusal {
  const { iss, sub, aud, jti, iat, exp, nbf, cnf } = assertion.jws.payload
  if (iss !== clientId || sub !== clientId)
    return invalid('"iss" and "sub" of the client assertion must be the client_id')
  // One string: an assertion that several servers accept can be replayed among them.
  if (aud !== issuer) return invalid('"aud" of the client assertion must be the issuer, as one string')
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_CHARACTERS) {
    return invalid('"jti" of the client assertion is not a string of 1 to 256 characters')
  }
  if (typeof iat !== 'number' || typeof exp !== 'number') {
    return invalid('"iat" and "exp" of the client assertion must be numbers')
  }
  if (!(exp > iat && exp - iat <= MAX_LIFETIME_SECONDS)) {
    return invalid('the client assertion must live for more than 0 and at most 300 seconds')
  }
  const nowSeconds = now.getTime() / 1000
  if (!(nowSeconds < exp + SKEW_SECONDS)) return invalid('the client assertion has expired')
  if (!(iat <= nowSeconds + SKEW_SECONDS)) return invalid('"iat" of the client assertion is in the future')
  if (nbf !== undefined && !(typeof nbf === 'number' && nbf <= nowSeconds + SKEW_SECONDS)) {
    return invalid('"nbf" of the client assertion is not a number in the past')
  }
  const rememberUntil = exp + 2 * SKEW_SECONDS
  if (cnf === undefined) return { clientId, jti, iat, rememberUntil }
  const confirmedJkt = isJsonObject(cnf) ? ownMember(cnf, 'jkt') : undefined
  if (typeof confirmedJkt !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(confirmedJkt)) {
    return invalid('"cnf" of the client assertion must name a key by its "jkt"')
  }
  return { clientId, jti, iat, rememberUntil, confirmedJkt }
}

/**
 * Verifies a client assertion's signature by the client's active keys.
 *
 * With a `kid` it is that registered key or none; without, every one of the at most ten is tried.
 *
 * @returns the key that signed.
 */
export function verifyAssertion(
  assertion: UnverifiedAssertion,
  active: readonly AssertionKey[],
  keys: KeyObjectCache,
): AssertionKey | AssertionRefusal {
  const { kid, jws, alg } = assertion
  const candidates = kid === undefined ? active.slice(0, MAX_KEYS) : active.filter((key) => key.kid === kid)
  if (kid !== undefined && candidates.length !== 1)
    return invalid('"kid" of the client assertion is not a registered key')
  const signer = candidates.find(({ jwk }) => {
    const key = keys.get(jwk)
    return key !== undefined && verifyJws(jws, key, alg)
  })
  return signer ?? invalid('the signature of the client assertion does not verify')
}

const invalid = (detail: string): AssertionRefusal => refuse('assertion_invalid', detail)

/** Media types are case-insensitive and may omit `application/` (RFC 7515 §4.1.9). */
function isAssertionType(typ: unknown): boolean {
  if (typ === undefined) return true
  return typeof typ === 'string' && /^(?:application\/)?(?:jwt|client-authentication\+jwt)$/i.test(typ)
}
