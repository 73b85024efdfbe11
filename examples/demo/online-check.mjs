// A resource server asks whether a token still stands (RFC 7662), with its own key (RFC 7523 §2.2).
import { randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'

const ASK_MILLISECONDS = 10_000

/** Makes the question. Anything but a clear yes is a no. */
export function createOnlineCheck({ issuer, id, key }) {
  return async (token) => {
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'ES256', kid: key.kid })
      .setIssuer(id)
      .setSubject(id)
      .setAudience(issuer)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(key.privateKey)
    const response = await fetch(`${issuer}/introspect`, {
      method: 'POST',
      body: new URLSearchParams({
        token,
        client_id: id,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
      signal: AbortSignal.timeout(ASK_MILLISECONDS),
    })
    // What is wrong with the question is no verdict on the token: the API answers 500, and sends nothing.
    if (!response.ok) throw new Error(`introspection: ${response.status} ${await response.text()}`)
    return (await response.json()).active === true
  }
}
