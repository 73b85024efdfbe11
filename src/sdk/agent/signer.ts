import { algorithmOf, type PublicJwk, publicMembers, type SignatureAlgorithm, thumbprint } from './public-jwk.ts'

/**
 * Signs for an agent. `createKey` makes one in this process; give your own when the key lives elsewhere: in another process
 * outside the sandbox, in a key service, in hardware.
 */
export interface Signer {
  readonly alg: SignatureAlgorithm
  readonly publicJwk: PublicJwk
  /**
   * Signs as JWS does (RFC 7518 §3.4, RFC 8037 §3.1): 64 bytes, for ES256 `r` and `s` and no DER.
   *
   * What it throws reaches the caller as the `cause` of a fault.
   */
  readonly sign: (data: Uint8Array) => Promise<Uint8Array>
}

/** A signer that was checked, with what is sent of it. */
export interface CheckedSigner {
  readonly alg: SignatureAlgorithm
  readonly publicJwk: PublicJwk
  readonly kid: () => Promise<string>
  readonly sign: Signer['sign']
}

/**
 * Checks what a developer gave as key, before its first use.
 *
 * @throws TypeError that says what is wrong with it.
 */
export function checkSigner(key: Signer): CheckedSigner {
  if (typeof key?.sign !== 'function') throw new TypeError('key must be a signer: see createKey')
  const publicJwk = publicMembers(key.publicJwk)
  if (publicJwk === undefined) throw new TypeError('key.publicJwk must be a P-256 or Ed25519 public key')
  // Its members are sent with every request. Ours are picked by name; theirs show that something is mixed up.
  if (Object.hasOwn(key.publicJwk, 'd')) throw new TypeError('key.publicJwk must not hold the private member d')
  const alg = algorithmOf(publicJwk)
  if (key.alg !== alg) throw new TypeError(`key.alg must be ${alg}, the algorithm of its public key`)
  let kid: Promise<string> | undefined
  return {
    alg,
    publicJwk,
    kid: () => {
      kid ??= thumbprint(publicJwk)
      return kid
    },
    sign: (data) => key.sign(data),
  }
}
