import { createHash, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { Credential } from './credential.ts'

const nowSeconds = (now: Date) => Math.floor(now.getTime() / 1_000)

/** Unit: seconds. */
const ASSERTION_LIFETIME = 60

/** A DPoP proof for one request (RFC 9449 §4.2). */
export function dpopProof(
  { alg, publicJwk, privateKey }: Credential,
  request: {
    readonly method: string
    readonly url: string
    readonly now: Date
    readonly accessToken?: string | undefined
    readonly nonce?: string | undefined
  },
): Promise<string> {
  const { method, url, now, accessToken, nonce } = request
  return new SignJWT({
    htm: method,
    // Without query and fragment (RFC 9449 §4.2).
    htu: url.replace(/[?#].*$/, ''),
    jti: randomUUID(),
    ...(accessToken !== undefined && { ath: createHash('sha256').update(accessToken).digest('base64url') }),
    ...(nonce !== undefined && { nonce }),
  })
    .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk: publicJwk })
    .setIssuedAt(nowSeconds(now))
    .sign(privateKey)
}

/** A client assertion; its audience is the issuer alone (RFC 7523 §3). */
export function clientAssertion(
  { alg, clientId, kid, privateKey }: Credential,
  issuer: string,
  now: Date,
): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ typ: 'JWT', alg, kid })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(issuer)
    .setJti(randomUUID())
    .setIssuedAt(nowSeconds(now))
    .setExpirationTime(nowSeconds(now) + ASSERTION_LIFETIME)
    .sign(privateKey)
}
