import { createVerify, type KeyObject, sign, verify } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { algorithmFacts, keyFits, type SignatureAlgorithm } from './algorithms.ts'
import { derSignature } from './ecdsa-der.ts'
import type { SeenHeaders } from './seen-headers.ts'

/** A compact JWS over a JSON object, read and not verified. */
export interface ParsedJws<Reading extends HeaderReading = HeaderReading> {
  readonly header: JsonObject
  /** The claims: every JWS we take is a JWT. */
  readonly payload: JsonObject
  /** What the signature is over: the first two segments as they came. */
  readonly signingInput: string
  readonly signature: Uint8Array
  /** What was made of the very same header before. */
  readonly seen?: Reading | undefined
}

/** What is kept of a header that came before: what its reader made of it. */
export interface HeaderReading {
  /** What is still read of the header itself, its `alg`: the rest may be whatever its sender likes, and as large. */
  readonly header: JsonObject
}

/**
 * Parses a compact JWS whose payload is a JSON object, strictly (RFC 7515 §7.1, RFC 7519 §7.2).
 *
 * Reads and returns `alg`, `kid` and `jwk` without believing them; `jku`, `x5u` and `x5c` are never looked at. Whoever parses
 * something other than an access token gives the refusal his own code.
 *
 * @param headers where headers that this function took before are found again.
 */
export function parseCompactJws<Reading extends HeaderReading = HeaderReading>(
  token: string,
  maxBytes: number,
  headers?: SeenHeaders<Reading>,
): ParsedJws<Reading> | Refusal<'token_invalid'> {
  if (token.length > maxBytes) return refuse('token_invalid', 'the JWT is too large')
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 0 || second < 0 || token.includes('.', second + 1)) return malformed()
  const segment = token.slice(0, first)
  const seen = headers?.get(segment)
  // One that was taken before needs no decoding; any other is decoded before it is believed to be one.
  const header = seen === undefined ? decodeSegment(segment) : undefined
  const payload = decodeSegment(token.slice(first + 1, second))
  const signature = decodeSegment(token.slice(second + 1))
  if ((seen ?? header) === undefined || payload === undefined || signature === undefined) return malformed()
  const headerObject = seen?.header ?? (header === undefined ? undefined : jsonObject(header))
  if (headerObject === undefined) return refuse('token_invalid', 'the header is not a JSON object')
  // We understand no extension, so every critical one is refused (RFC 7515 §4.1.11), "b64" with it (RFC 7797 §6).
  if (Object.hasOwn(headerObject, 'crit')) return refuse('token_invalid', '"crit" names what is not understood')
  const payloadObject = jsonObject(payload)
  if (payloadObject === undefined) return refuse('token_invalid', 'the claims are not a JSON object')
  return { header: headerObject, payload: payloadObject, signingInput: token.slice(0, second), signature, seen }
}

/** The header segment of what was parsed, for `SeenHeaders`. */
export const headerSegment = ({ signingInput }: ParsedJws): string => signingInput.slice(0, signingInput.indexOf('.'))

const malformed = () => refuse('token_invalid', 'not three segments of base64url')

/**
 * Whether the signature is by this key under this algorithm; false for every mismatch.
 *
 * `alg` comes from where the key comes from. The header must name the same one, and the key must be of its type
 * (RFC 8725 §3.1).
 */
export function verifyJws(parsed: ParsedJws, key: KeyObject, alg: SignatureAlgorithm): boolean {
  const facts = algorithmFacts(alg)
  const named = algorithmFacts(parsed.header.alg)
  // "EdDSA" and "Ed25519" have the same facts: two names of one algorithm.
  if (facts === undefined || named !== facts || !keyFits(key, facts)) return false
  try {
    if (facts.digest === null) return verify(null, Buffer.from(parsed.signingInput), key, parsed.signature)
    const signature = derSignature(parsed.signature)
    // DECISION: DER and a stream of one text; the one-shot `verify` with "ieee-p1363" makes both itself and is never faster.
    return signature !== undefined && createVerify(facts.digest).update(parsed.signingInput).verify(key, signature)
  } catch {
    return false
  }
}

/**
 * Signs JSON text as a compact JWS.
 *
 * @throws when the key is not of the algorithm's type: a fault of ours and never the caller's.
 */
export function signJws(
  header: Readonly<Record<string, string>>,
  payloadJson: string,
  key: KeyObject,
  alg: SignatureAlgorithm,
): string {
  return signUnder(encodeHeader(header, alg), payloadJson, key, alg)
}

/** The first segment of a JWS, for whoever signs many under the same header. */
export const encodeHeader = (header: Readonly<Record<string, string>>, alg: SignatureAlgorithm): string =>
  encode(JSON.stringify({ ...header, alg }))

/** The same as `signJws`. @param header from `encodeHeader`, with the same `alg`. */
export function signUnder(header: string, payloadJson: string, key: KeyObject, alg: SignatureAlgorithm): string {
  const facts = algorithmFacts(alg)
  if (facts === undefined || !keyFits(key, facts)) throw new TypeError(`the key does not sign ${alg}`)
  const signingInput = `${header}.${encode(payloadJson)}`
  // ECDSA signatures in a JWS are r and s side by side (RFC 7518 §3.4); Ed25519 ignores the option.
  const signature = sign(facts.digest, Buffer.from(signingInput, 'latin1'), { key, dsaEncoding: 'ieee-p1363' })
  return `${signingInput}.${signature.toString('base64url')}`
}

const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64url')

/** The bytes of a segment, or undefined: empty, padded, with a foreign character, or not in its one canonical spelling. */
function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  return bytes.length > 0 && bytes.toString('base64url') === segment ? bytes : undefined
}

function jsonObject(bytes: Buffer): JsonObject | undefined {
  const value = parseJson(bytes)
  return !isRefusal(value) && isJsonObject(value) ? value : undefined
}
