import type { CryptoKeyPair } from 'oauth4webapi'
import type { TestKey } from '../../wire/signing.ts'

/** A key pair as foreign libraries want it: Web Crypto's, the public half extractable for the `jwk` of proofs. */
export async function keyPair({ alg, privateKey, publicKey }: TestKey): Promise<CryptoKeyPair> {
  const algorithm = alg === 'ES256' ? { name: 'ECDSA', namedCurve: 'P-256' } : { name: 'Ed25519' }
  return {
    privateKey: await crypto.subtle.importKey('jwk', privateKey.export({ format: 'jwk' }), algorithm, false, ['sign']),
    publicKey: await crypto.subtle.importKey('jwk', publicKey.export({ format: 'jwk' }), algorithm, true, ['verify']),
  }
}
