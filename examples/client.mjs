// What a client of Writ has to do, with nothing but fetch and jose: an assertion, a proof, a form.
import { createHash, randomUUID } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'

export const now = () => Math.floor(Date.now() / 1000)

/** A key pair that never leaves this process. */
export async function newKey() {
  const { privateKey, publicKey } = await generateKeyPair('ES256')
  return describeKey(privateKey, await exportJWK(publicKey))
}

/** The key in a private JWK, such as the one in admin-credential.json. */
export async function keyFromJwk({ d, ...jwk }) {
  const { kty, crv, x, y } = jwk
  return describeKey(await importJWK({ kty, crv, x, y, d }, 'ES256'), { kty, crv, x, y })
}

async function describeKey(privateKey, jwk) {
  return { privateKey, jwk, kid: await calculateJwkThumbprint(jwk) }
}

/** A DPoP proof: I hold this key, for this method and URL, with this token (RFC 9449 §4.2). */
export function proof(key, method, url, accessToken) {
  const ath = accessToken && createHash('sha256').update(accessToken).digest('base64url')
  return new SignJWT({ htm: method, htu: url, ...(ath && { ath }) })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk })
    .setJti(randomUUID())
    .setIssuedAt()
    .sign(key.privateKey)
}

/** A request to the token endpoint, authenticated with `private_key_jwt` and a proof. */
export async function tokenRequest(issuer, id, key, parameters) {
  const assertion = await new SignJWT({})
    .setProtectedHeader({ typ: 'JWT', alg: 'ES256', kid: key.kid })
    .setIssuer(id)
    .setSubject(id)
    .setAudience(issuer)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(key.privateKey)
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { DPoP: await proof(key, 'POST', `${issuer}/token`) },
    body: new URLSearchParams({
      client_id: id,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
      ...parameters,
    }),
  })
  return { status: response.status, body: await response.json() }
}

/** Exchanges for one action (RFC 8693, RFC 9396). */
export const exchange = (issuer, id, key, { subjectToken, resource, action }) =>
  tokenRequest(issuer, id, key, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    resource,
    authorization_details: JSON.stringify([action]),
  })

/** Calls an API with a DPoP-bound token. */
export async function call(method, url, token, key, body) {
  const response = await fetch(url, {
    method,
    headers: {
      Authorization: `DPoP ${token}`,
      DPoP: await proof(key, method, url, token),
      ...(body && { 'Content-Type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json() }
}
