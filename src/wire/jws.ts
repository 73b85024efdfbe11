import { type KeyObject, sign, verify } from 'node:crypto'
import { isJsonObject, type JsonObject, parseJson } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { algorithmFacts, keyFits, type SignatureAlgorithm } from './algorithms.ts'

/** A compact JWS over a JSON object, read and not verified. */
export interface ParsedJws {
  readonly header: JsonObject
  /** The claims: every JWS we take is a JWT. */
  readonly payload: JsonObject
  /** What the signature is over: the first two segments as they came. */
  readonly signingInput: string
  readonly signature: Uint8Array
}

/**
 * Parses a compact JWS whose payload is a JSON object, strictly (RFC 7515 §7.1, RFC 7519 §7.2).
 *
 * Reads and returns `alg`, `kid` and `jwk` without believing them; `jku`, `x5u` and `x5c` are never looked at. Whoever parses
 * something other than an access token gives the refusal his own code.
 */
export function parseCompactJws(token: string, maxBytes: number): ParsedJws | Refusal<'token_invalid'> {
  if (token.length > maxBytes) return refuse('token_invalid', 'the JWT is too large')
  const segments = token.split('.', 4)
  const [header, payload, signature] = segments.map(decodeSegment)
  if (segments.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    return refuse('token_invalid', 'not three segments of base64url')
  }
  const headerObject = jsonObject(header)
  if (headerObject === undefined) return refuse('token_invalid', 'the header is not a JSON object')
  // We understand no extension, so every critical one is refused (RFC 7515 §4.1.11), "b64" with it (RFC 7797 §6).
  if (Object.hasOwn(headerObject, 'crit')) return refuse('token_invalid', '"crit" names what is not understood')
  const payloadObject = jsonObject(payload)
  if (payloadObject === undefined) return refuse('token_invalid', 'the claims are not a JSON object')
  const signingInput = token.slice(0, token.lastIndexOf('.'))
  return { header: headerObject, payload: payloadObject, signingInput, signature }
}

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
    return verify(facts.digest, Buffer.from(parsed.signingInput), verifyingKey(key), parsed.signature)
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
  const facts = algorithmFacts(alg)
  if (facts === undefined || !keyFits(key, facts)) throw new TypeError(`the key does not sign ${alg}`)
  const signingInput = `${encode(JSON.stringify({ ...header, alg }))}.${encode(payloadJson)}`
  const signature = sign(facts.digest, Buffer.from(signingInput), verifyingKey(key))
  return `${signingInput}.${signature.toString('base64url')}`
}

/** ECDSA signatures in a JWS are r and s side by side (RFC 7518 §3.4); Ed25519 ignores the option. */
const verifyingKey = (key: KeyObject) => ({ key, dsaEncoding: 'ieee-p1363' }) as const

const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64url')

/** The bytes of a segment, or undefined: empty, padded, with a foreign character, or not in its one canonical spelling. */
function decodeSegment(segment: string): Buffer | undefined {
  const bytes = Buffer.from(segment, 'base64url')
  return bytes.length > 0 && bytes.toString('base64url') === segment ? bytes : undefined
}

function jsonObject(bytes: Uint8Array): JsonObject | undefined {
  const value = parseJson(bytes)
  return !isRefusal(value) && isJsonObject(value) ? value : undefined
}
