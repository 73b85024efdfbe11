import { createPublicKey, type KeyObject } from 'node:crypto'
import { sha256Base64url } from '../core/hash.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { isEd25519Point, isLowOrderEd25519 } from './ed25519-point.ts'

/** The public keys we take, with their required members only (RFC 7638 §3.2, RFC 8037 §2). */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }

/**
 * Parses a public key an agent, a resource server or an issuer presents: P-256 or Ed25519, a point on its curve.
 *
 * Private, symmetric and RSA keys are refused, and so is a key that says it is for something other than verifying.
 *
 * @returns only the required members, so that nothing else of what was sent is ever stored.
 */
export function parsePublicJwk(value: unknown): PublicJwk | Refusal<'key_invalid'> {
  const jwk = readPublicJwk(value)
  if (isRefusal(jwk)) return jwk
  const onCurve =
    jwk.kty === 'OKP' ? isEd25519Point(Buffer.from(jwk.x, 'base64url')) : importPublicKey(jwk) !== undefined
  return onCurve ? jwk : refuse('key_invalid', 'the key is not a point on its curve')
}

/**
 * Reads a public key without asking whether it lies on its curve: for proofs, where that question answers itself.
 *
 * INVARIANT: a P-256 point off the curve cannot be imported and an Ed25519 one verifies nothing
 * (test/wire/jwk.test.ts), so a key read by this function is never accepted where parsePublicJwk would refuse it.
 */
export function readPublicJwk(value: unknown): PublicJwk | Refusal<'key_invalid'> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse('key_invalid', 'not a JWK')
  const jwk = value as Readonly<Record<string, unknown>>
  const secret = SECRET_MEMBERS.find((name) => Object.hasOwn(jwk, name))
  if (secret !== undefined) return refuse('key_invalid', 'the key has a private or secret member', secret)
  const kind = kindOf(jwk)
  if (kind === undefined) return refuse('key_invalid', 'only P-256 and Ed25519 keys are taken')
  const misuse = misusedMember(jwk, kind.algorithms)
  if (misuse !== undefined) return refuse('key_invalid', 'the key is not for verifying signatures', misuse)
  const x = own(jwk, 'x')
  if (!isCoordinate(x)) return refuse('key_invalid', 'a coordinate is not 32 bytes of canonical base64url', 'x')
  if (kind.kty === 'OKP') {
    if (isLowOrderEd25519(Buffer.from(x, 'base64url')))
      return refuse('key_invalid', 'the key is a point of low order', 'x')
    return { kty: 'OKP', crv: 'Ed25519', x }
  }
  const y = own(jwk, 'y')
  if (!isCoordinate(y)) return refuse('key_invalid', 'a coordinate is not 32 bytes of canonical base64url', 'y')
  return { kty: 'EC', crv: 'P-256', x, y }
}

/** The key's SHA-256 thumbprint, base64url: its `kid` and the value of `cnf.jkt` (RFC 7638 §3, RFC 9449 §6.1). */
export function jwkThumbprint(jwk: PublicJwk): string {
  // The members are base64url or fixed words, so writing them out in lexical order is the canonical form (RFC 7638 §3.3).
  const canonical =
    jwk.kty === 'EC'
      ? `{"crv":"P-256","kty":"EC","x":"${jwk.x}","y":"${jwk.y}"}`
      : `{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`
  return sha256Base64url(canonical)
}

/**
 * The key as node:crypto takes it.
 *
 * @throws for a P-256 point off the curve, which parsePublicJwk never returns.
 */
export function publicKeyObject(jwk: PublicJwk): KeyObject {
  return createPublicKey({ key: { ...jwk }, format: 'jwk' })
}

/** The key as node:crypto takes it, or undefined for a point off the curve. */
export function importPublicKey(jwk: PublicJwk): KeyObject | undefined {
  try {
    return publicKeyObject(jwk)
  } catch {
    return undefined
  }
}

/** Members that only private or symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2). */
export const SECRET_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

const EC = { kty: 'EC', algorithms: ['ES256'] } as const
const OKP = { kty: 'OKP', algorithms: ['Ed25519', 'EdDSA'] } as const

function kindOf(jwk: Readonly<Record<string, unknown>>): typeof EC | typeof OKP | undefined {
  const [kty, crv] = [own(jwk, 'kty'), own(jwk, 'crv')]
  if (kty === 'EC' && crv === 'P-256') return EC
  return kty === 'OKP' && crv === 'Ed25519' ? OKP : undefined
}

/** The first member that says the key is for something else (RFC 7517 §4.2, §4.3, §4.4). */
function misusedMember(jwk: Readonly<Record<string, unknown>>, algorithms: readonly string[]): string | undefined {
  const [use, operations, alg] = [own(jwk, 'use'), own(jwk, 'key_ops'), own(jwk, 'alg')]
  if (use !== undefined && use !== 'sig') return 'use'
  if (
    operations !== undefined &&
    !(Array.isArray(operations) && operations.length === 1 && operations[0] === 'verify')
  ) {
    return 'key_ops'
  }
  return alg !== undefined && !(typeof alg === 'string' && algorithms.includes(alg)) ? 'alg' : undefined
}

/** 32 bytes, no padding, unused bits zero: one value has one spelling, or one key would have several thumbprints. */
const isCoordinate = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(value)

const own = (jwk: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(jwk, name) ? jwk[name] : undefined
