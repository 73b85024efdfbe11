import { sha256Base64url } from './digest.ts'

/** The public keys an agent may have, with their required members only (RFC 7638 §3.2, RFC 8037 §2). */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }

/** Signature algorithms of agents. The key decides which one it is: P-256 signs ES256. */
export type SignatureAlgorithm = 'ES256' | 'Ed25519'

/**
 * Takes the public members out of a key, and nothing else: what is returned goes into every proof.
 *
 * @returns undefined for anything but a P-256 or Ed25519 key whose coordinates are 32 bytes of base64url.
 */
export function publicMembers(value: unknown): PublicJwk | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kty, crv, x, y } = value as Readonly<Record<string, unknown>>
  if (!isCoordinate(x)) return undefined
  if (kty === 'OKP' && crv === 'Ed25519') return { kty, crv, x }
  return kty === 'EC' && crv === 'P-256' && isCoordinate(y) ? { kty, crv, x, y } : undefined
}

/** The key's SHA-256 thumbprint, base64url: its `kid`, and `cnf.jkt` of its tokens (RFC 7638 §3, RFC 9449 §6.1). */
export function thumbprint(jwk: PublicJwk): Promise<string> {
  // The members are base64url or fixed words, so writing them out in lexical order is the canonical form (RFC 7638 §3.3).
  return sha256Base64url(
    jwk.kty === 'EC'
      ? `{"crv":"P-256","kty":"EC","x":"${jwk.x}","y":"${jwk.y}"}`
      : `{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`,
  )
}

/** The algorithm that a key signs with. */
export const algorithmOf = (jwk: PublicJwk): SignatureAlgorithm => (jwk.kty === 'EC' ? 'ES256' : 'Ed25519')

/** 32 bytes, no padding, unused bits zero: one value has one spelling, or one key would have several thumbprints. */
export const isCoordinate = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(value)
