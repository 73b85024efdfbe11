import type { KeyObject } from 'node:crypto'
import { isRefusal, type Refusal, refuse, type TokenRefusalCode } from '../core/refusal.ts'
import { type AccessTokenClaims, claimsOf, type TokenUse } from './access-token-claims.ts'
import { isSignatureAlgorithm, type SignatureAlgorithm } from './algorithms.ts'
import { type HeaderReading, headerSegment, type ParsedJws, parseCompactJws, signJws, verifyJws } from './jws.ts'
import { createSeenHeaders } from './seen-headers.ts'

const KiB = 1024
/** A token may carry one action (64 kB of JSON at most); whatever carries the token sets a lower limit of its own. */
const MAX_TOKEN_BYTES = 128 * KiB

/** What signs: a private key of the server and its names. */
export interface TokenSigner {
  readonly kid: string
  readonly alg: SignatureAlgorithm
  readonly key: KeyObject
}

/** A key of the issuer, for verifying. */
export interface VerificationKey {
  readonly alg: SignatureAlgorithm
  readonly key: KeyObject
}

/** What a token must be. The kind of token has no default: a door that takes one kind never takes another. */
export interface TokenExpectations<Use extends TokenUse> {
  readonly use: Use
  readonly issuer: string
  /** This resource's identifier; the issuer itself for every use but `action`. */
  readonly audience: string
  readonly now: Date
  /** How far the issuer's clock may be off. Default: 5 seconds. */
  readonly skewSeconds?: number
}

/** An access token that was read and not verified. */
export interface UnverifiedAccessToken {
  readonly jws: ParsedJws<TokenHeader>
  readonly alg: SignatureAlgorithm
  readonly kid: string
}

interface TokenHeader extends HeaderReading {
  readonly alg: SignatureAlgorithm
  readonly kid: string
}

/** Headers of tokens that verified: the issuer writes one for each of its keys. */
const seenHeaders = createSeenHeaders<TokenHeader>(64)

/** The claims no access token is without (RFC 9068 §2.2); whoever builds one adds those of its use. */
export type RequiredClaims = Pick<AccessTokenClaims, 'iss' | 'aud' | 'sub' | 'client_id' | 'jti' | 'iat' | 'exp'>

/** Signs the claims as a JWT access token (RFC 9068 §2.1). */
export function buildAccessToken(claims: Readonly<RequiredClaims>, signer: TokenSigner): string {
  return signJws({ typ: 'at+jwt', kid: signer.kid }, JSON.stringify(claims), signer.key, signer.alg)
}

/** Verifies a JWT access token (RFC 9068 §4) by the issuer's keys. */
export function verifyAccessToken<Use extends TokenUse>(
  token: string,
  expected: TokenExpectations<Use> & { readonly keys: (kid: string) => VerificationKey | undefined },
): AccessTokenClaims<Use> | Refusal<TokenRefusalCode> {
  const read = readAccessToken(token)
  return isRefusal(read) ? read : checkAccessToken(read, expected.keys(read.kid), expected)
}

/** Reads a JWT access token: its form, `typ`, `alg` and `kid`, so that the key can be looked up. */
export function readAccessToken(token: string): UnverifiedAccessToken | Refusal<'token_invalid'> {
  const jws = parseCompactJws(token, MAX_TOKEN_BYTES, seenHeaders)
  if (isRefusal(jws)) return refuse('token_invalid', `the access token is not a JWT: ${jws.detail}`)
  if (jws.seen !== undefined) return { jws, alg: jws.seen.alg, kid: jws.seen.kid }
  const { typ, alg, kid } = jws.header
  // Other JWTs of the same issuer, ID tokens among them, are no access tokens (RFC 9068 §4, RFC 8725 §3.11).
  if (typ !== 'at+jwt' && typ !== 'application/at+jwt') return invalid('"typ" of the access token is not at+jwt')
  if (!isSignatureAlgorithm(alg)) return invalid('"alg" of the access token is not supported')
  if (typeof kid !== 'string') return invalid('the access token names no key')
  return { jws, alg, kid }
}

/** Checks a token that was read: claims, then signature. `key` is the issuer's key of that `kid`, if it has one. */
export function checkAccessToken<Use extends TokenUse>(
  read: UnverifiedAccessToken,
  key: VerificationKey | undefined,
  expected: TokenExpectations<Use>,
): AccessTokenClaims<Use> | Refusal<TokenRefusalCode> {
  const claims = checkTokenClaims(read, expected)
  return isRefusal(claims) ? claims : (checkTokenSignature(read, key) ?? claims)
}

/** Checks the signature of a token that was read; undefined: it is by this key. */
export function checkTokenSignature(
  read: UnverifiedAccessToken,
  key: VerificationKey | undefined,
): Refusal<'token_invalid'> | undefined {
  if (key === undefined) return invalid('the access token is signed by no key of the issuer')
  if (!verifyJws(read.jws, key.key, key.alg)) return invalid('the signature of the access token does not verify')
  rememberHeader(read)
  return undefined
}

/** Has the header of a genuine token known again, so that the next one under it need not be parsed. */
export function rememberHeader({ jws, alg, kid }: UnverifiedAccessToken): void {
  if (jws.seen === undefined) seenHeaders.add(headerSegment(jws), { header: { alg }, alg, kid })
}

/** Checks everything of a token that was read but its signature, and believes nothing of it: they cost less. */
export function checkTokenClaims<Use extends TokenUse>(
  { jws: { payload } }: UnverifiedAccessToken,
  { use, issuer, audience, now, skewSeconds = 5 }: TokenExpectations<Use>,
): AccessTokenClaims<Use> | Refusal<TokenRefusalCode> {
  const { iss, aud } = payload
  if (iss !== issuer) return invalid('"iss" of the access token is not the expected issuer')
  if (aud !== audience) return invalid('"aud" of the access token is not this resource')
  // INVARIANT: a token for the issuer itself is never an action token, and any other never anything else.
  if ((use === 'action') === (audience === issuer)) return invalid(`"aud" of the access token does not go with its use`)
  // Each use has its "token_use", or none.
  const claims = claimsOf(use, payload)
  if (claims === undefined) return invalid('the access token is for another use, lacks a claim or has an invalid one')
  const nowSeconds = now.getTime() / 1000
  // At "exp" itself it has expired (RFC 7519 §4.1.4).
  if (!(nowSeconds < claims.exp + skewSeconds)) return refuse('token_expired', 'the access token has expired')
  if (!(claims.iat <= nowSeconds + skewSeconds)) return invalid('"iat" of the access token is in the future')
  if (claims.nbf !== undefined && !(claims.nbf <= nowSeconds + skewSeconds)) {
    return invalid('the access token is not valid yet')
  }
  return claims
}

const invalid = (detail: string) => refuse('token_invalid', detail)
