import { base64url, utf8 } from './base64url.ts'
import { WritFault } from './fault.ts'
import type { CheckedSigner } from './signer.ts'

/** Header members beside `alg`, which the key decides. */
type JwtHeader = Readonly<Record<string, unknown>>

/**
 * Signs a JWT in the compact form (RFC 7515 §7.1).
 *
 * @throws WritFault `signer_failed` when the signer throws, or answers anything but 64 bytes.
 */
export async function signJwt(signer: CheckedSigner, header: JwtHeader, claims: object): Promise<string> {
  const input = `${base64url(JSON.stringify({ ...header, alg: signer.alg }))}.${base64url(JSON.stringify(claims))}`
  let signature: Uint8Array
  try {
    signature = await signer.sign(utf8(input))
  } catch (cause) {
    throw new WritFault('signer_failed', 'the signer failed', { cause })
  }
  if (!(signature instanceof Uint8Array) || signature.length !== SIGNATURE_BYTES) {
    throw new WritFault('signer_failed', 'the signer must answer a signature of 64 bytes')
  }
  return `${input}.${base64url(signature)}`
}

/** A `jti`: 128 random bits. */
export function uniqueId(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(16)))
}

/** NumericDate (RFC 7519 §2). */
export const numericDate = (date: Date): number => Math.floor(date.getTime() / 1_000)

/** Of ES256 (RFC 7518 §3.4) and Ed25519 (RFC 8032 §5.1.6) alike. */
const SIGNATURE_BYTES = 64
