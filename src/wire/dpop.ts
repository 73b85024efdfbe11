import type { KeyObject } from 'node:crypto'
import { sha256Base64url } from '../core/hash.ts'
import { isRefusal, type ProofRefusalCode, type Refusal, refuse } from '../core/refusal.ts'
import { isSignatureAlgorithm, type SignatureAlgorithm } from './algorithms.ts'
import { sameTarget } from './htu.ts'
import { jwkThumbprint, type PublicJwk, readPublicJwk } from './jwk.ts'
import { type HeaderReading, headerSegment, type ParsedJws, parseCompactJws, verifyJws } from './jws.ts'
import type { KeyObjectCache } from './key-object-cache.ts'
import { createSeenHeaders } from './seen-headers.ts'

const KiB = 1024
const MAX_PROOF_BYTES = 8 * KiB
const MAX_JTI_CHARACTERS = 256
/** How far `iat` may be from now, either way. */
const WINDOW_SECONDS = 300
/** For how much longer a proof is remembered than it is accepted, so that clocks that differ open no gap. */
const CLOCK_SKEW_SECONDS = 30

/** A DPoP proof that was checked in full but for its replay, which the caller marks by `jkt` and `jti` (RFC 9449 §11.1). */
export interface Proof {
  /** Thumbprint of the key that was proved. */
  readonly jkt: string
  readonly jti: string
  /** Unit: seconds since the epoch. */
  readonly iat: number
  /** Until when the pair `jkt`, `jti` must be remembered. Unit: seconds since the epoch. */
  readonly rememberUntil: number
  readonly jwk: PublicJwk
  readonly nonce?: string
}

/** What a proof must be for. No member has a default: a check that does not apply is said not to. */
export interface ProofExpectations {
  /** Every value of the `DPoP` header, as counted in the raw headers. */
  readonly values: readonly string[]
  readonly method: string
  /** URL of the request, built from the configured origin and never from `Host`. */
  readonly htu: string
  readonly now: Date
  /** The access token the proof comes with (`ath`), undefined where none does. */
  readonly accessToken: string | undefined
  /** Whether the key may be used here: registered for the client, or `cnf.jkt` of the token. Undefined at an enrolment. */
  readonly isExpectedKey: ((jkt: string) => boolean) | undefined
  /** Whether a nonce is one of ours and fresh; undefined where none is required (RFC 9449 §8). */
  readonly isExpectedNonce: ((nonce: string) => boolean) | undefined
  /** Whether this process knows already that it was used before: asked when all but the signature is good. */
  readonly isUsed?: (proof: Proof) => boolean
}

/** A proof that was read and not verified. */
export interface UnverifiedProof {
  readonly jws: ParsedJws<ProofHeader>
  readonly alg: SignatureAlgorithm
  readonly jwk: PublicJwk
  readonly jkt: string
}

interface ProofHeader extends HeaderReading {
  readonly alg: SignatureAlgorithm
  readonly jwk: PublicJwk
  readonly jkt: string
  /** The imported key; together with the rest about 4 kB. */
  readonly key: KeyObject
}

/** Headers of proofs that verified: an agent writes the same one, with its key, into every proof. */
const seenHeaders = createSeenHeaders<ProofHeader>()

/**
 * Checks a DPoP proof (RFC 9449 §4.3), the signature last: whatever can be refused for little is refused before it.
 */
export function checkProof(expected: ProofExpectations, keys: KeyObjectCache): Proof | Refusal<ProofRefusalCode> {
  const read = readProof(expected.values)
  if (isRefusal(read)) return read
  const claimed = checkProofClaims(read, expected)
  if (isRefusal(claimed)) return claimed
  if (expected.isUsed?.(claimed) === true) return refuse('proof_replayed', 'the DPoP proof was used before')
  return checkProofSignature(read, keys) ?? claimed
}

/** Checks the signature of a proof that was read; undefined: it is by the key in its header. */
export function checkProofSignature(
  { jws, alg, jwk, jkt }: UnverifiedProof,
  keys: KeyObjectCache,
): Refusal<'proof_malformed'> | undefined {
  // The key embedded in the header is the right one here, by the RFC; that it is an expected one is checked with the claims.
  const key = jws.seen?.key ?? keys.get(jwk)
  if (key === undefined || !verifyJws(jws, key, alg)) {
    return refuse('proof_malformed', 'the signature of the DPoP proof does not verify')
  }
  if (jws.seen === undefined) seenHeaders.add(headerSegment(jws), { header: { alg }, alg, jwk, jkt, key })
  return undefined
}

/** Reads the one proof of a request: its form, `typ`, `alg` and key (RFC 9449 §4.3 steps 1 to 5, 7). */
export function readProof(values: readonly string[]): UnverifiedProof | Refusal<'proof_missing' | 'proof_malformed'> {
  const value = values[0]
  if (value === undefined) return refuse('proof_missing', 'a DPoP proof is required')
  // (RFC 9449 §4.3 step 1)
  if (values.length > 1) return refuse('proof_malformed', 'more than one DPoP header')
  const jws = parseCompactJws(value, MAX_PROOF_BYTES, seenHeaders)
  if (isRefusal(jws)) return refuse('proof_malformed', `the DPoP proof is not a JWT: ${jws.detail}`)
  if (jws.seen !== undefined) return { jws, alg: jws.seen.alg, jwk: jws.seen.jwk, jkt: jws.seen.jkt }
  const { typ, alg } = jws.header
  if (typ !== 'dpop+jwt') return refuse('proof_malformed', '"typ" of the DPoP proof is not dpop+jwt')
  if (!isSignatureAlgorithm(alg)) return refuse('proof_malformed', '"alg" of the DPoP proof is not supported')
  const jwk = readPublicJwk(jws.header.jwk)
  if (isRefusal(jwk)) return refuse('proof_malformed', `"jwk" of the DPoP proof: ${jwk.detail}`)
  return { jws, alg, jwk, jkt: jwkThumbprint(jwk) }
}

/** Checks everything about a proof that was read but its signature and its replay. */
export function checkProofClaims(
  read: UnverifiedProof,
  expected: ProofExpectations,
): Proof | Refusal<ProofRefusalCode> {
  const { jti, iat, exp, nbf, htm, htu, ath, nonce } = read.jws.payload
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_CHARACTERS) {
    return refuse('proof_malformed', '"jti" of the DPoP proof is not a string of 1 to 256 characters')
  }
  if (typeof iat !== 'number') return refuse('proof_malformed', '"iat" of the DPoP proof is not a number')
  // Negated, so that nothing but a true comparison passes (RFC 9449 §4.3 step 11).
  if (!(Math.abs(expected.now.getTime() / 1000 - iat) <= WINDOW_SECONDS)) {
    return refuse('proof_stale', '"iat" of the DPoP proof is not within 300 seconds of now')
  }
  // A proof needs neither, but one that says itself when it is good is held to it (RFC 7519 §4.1.4, §4.1.5).
  const nowSeconds = expected.now.getTime() / 1000
  const isPast = exp !== undefined && !(typeof exp === 'number' && nowSeconds < exp + CLOCK_SKEW_SECONDS)
  const isAhead = nbf !== undefined && !(typeof nbf === 'number' && nbf <= nowSeconds + CLOCK_SKEW_SECONDS)
  if (isPast || isAhead) return refuse('proof_stale', 'the DPoP proof has expired or is not yet valid')
  if (typeof htm !== 'string' || typeof htu !== 'string') {
    return refuse('proof_malformed', '"htm" and "htu" of the DPoP proof must be strings')
  }
  if (htm !== expected.method) return refuse('proof_wrong_target', '"htm" of the DPoP proof is not this method')
  if (!sameTarget(htu, expected.htu)) return refuse('proof_wrong_target', '"htu" of the DPoP proof is not this URL')
  if (expected.isExpectedKey !== undefined && !expected.isExpectedKey(read.jkt)) {
    return refuse('proof_key_mismatch', 'the key of the DPoP proof is not the expected one')
  }
  // (RFC 9449 §4.3 step 12)
  if (expected.accessToken !== undefined && ath !== sha256Base64url(expected.accessToken)) {
    return refuse('proof_wrong_token', '"ath" of the DPoP proof is not the hash of the access token')
  }
  if (nonce !== undefined && typeof nonce !== 'string') {
    return refuse('proof_malformed', '"nonce" of the DPoP proof is not a string')
  }
  // (RFC 9449 §4.3 step 10)
  if (expected.isExpectedNonce !== undefined && (nonce === undefined || !expected.isExpectedNonce(nonce))) {
    return refuse('proof_nonce_required', 'the DPoP proof must have the nonce of this server')
  }
  const rememberUntil = iat + WINDOW_SECONDS + CLOCK_SKEW_SECONDS
  const { jkt, jwk } = read
  return nonce === undefined ? { jkt, jti, iat, rememberUntil, jwk } : { jkt, jti, iat, rememberUntil, jwk, nonce }
}
