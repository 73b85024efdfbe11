import type { JsonObject } from '../../core/json.ts'
import { WritFault } from './fault.ts'

/** The members that every token answer has. */
export interface TokenAnswer {
  readonly accessToken: string
  readonly expiresInSeconds: number
}

const KiB = 1024
const MAX_TOKEN_CHARACTERS = 256 * KiB

/**
 * Reads a successful answer of the token endpoint (RFC 6749 §5.1).
 *
 * @throws WritFault when it is not one: a token that is not bound to the key is not used (RFC 9449 §5).
 */
export function readTokenAnswer(body: JsonObject): TokenAnswer {
  const { access_token: accessToken, token_type: tokenType, expires_in: expiresIn } = body
  if (typeof tokenType !== 'string' || tokenType.toLowerCase() !== 'dpop') {
    throw new WritFault('unexpected_answer', 'the token of the server is not bound to a key')
  }
  if (typeof accessToken !== 'string' || accessToken.length > MAX_TOKEN_CHARACTERS || !TOKEN.test(accessToken)) {
    throw new WritFault('unexpected_answer', 'the answer of the server holds no token')
  }
  if (typeof expiresIn !== 'number' || !(expiresIn > 0)) {
    throw new WritFault('unexpected_answer', 'the answer of the server does not say how long the token lives')
  }
  return { accessToken, expiresInSeconds: expiresIn }
}

/** What may follow the scheme in an `Authorization` header (RFC 9110 §11.2). */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/
