import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { sha256Base64url } from '../../src/core/hash.ts'
import { isRefusal } from '../../src/core/refusal.ts'
import type { SignatureAlgorithm } from '../../src/wire/algorithms.ts'
import { jwkThumbprint, type PublicJwk, parsePublicJwk } from '../../src/wire/jwk.ts'
import { signJws } from '../../src/wire/jws.ts'

/** A key pair as an agent or an issuer holds it. */
export interface TestKey {
  readonly alg: SignatureAlgorithm
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly jwk: PublicJwk
  /** The thumbprint, which is the `kid` as well. */
  readonly jkt: string
}

export function makeKey(alg: SignatureAlgorithm = 'ES256'): TestKey {
  const der = { format: 'der', type: 'pkcs8' } as const
  const pair = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  // By way of DER: Node.js 20 may block for ever in the JWK of a key that it has just made, if garbage is collected meanwhile.
  const privateKey = createPrivateKey({ key: pair.privateKey.export(der), ...der })
  const publicKey = createPublicKey(privateKey)
  const jwk = parsePublicJwk(publicKey.export({ format: 'jwk' }))
  if (isRefusal(jwk)) throw new Error(jwk.detail)
  return { alg, privateKey, publicKey, jwk, jkt: jwkThumbprint(jwk) }
}

/** A JWT of these claims, undefined members left out; the header says whatever the test wants it to say. */
export function jwt(key: TestKey, header: Record<string, unknown>, claims: Record<string, unknown>): string {
  return signJws(header as Record<string, string>, JSON.stringify(claims), key.privateKey, key.alg)
}

/** A DPoP proof, right but for what `claims` and `header` change. */
export function proof(
  key: TestKey,
  request: { method: string; htu: string; now: Date; accessToken?: string },
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  return jwt(
    key,
    { typ: 'dpop+jwt', jwk: key.jwk, ...header },
    {
      jti: randomUUID(),
      htm: request.method,
      htu: request.htu,
      iat: Math.floor(request.now.getTime() / 1000),
      ...(request.accessToken !== undefined && { ath: sha256Base64url(request.accessToken) }),
      ...claims,
    },
  )
}
