import type { PublicJwk } from '../agent/client.ts'

/** The claims of a client attestation: this key may speak for this client, until. */
export interface ClientAttestationClaims {
  readonly iss: string
  /** The `client_id`. */
  readonly sub: string
  readonly cnf: { readonly jwk: PublicJwk }
  readonly jti: string
  /** NumericDate. */
  readonly iat: number
  /** NumericDate. */
  readonly exp: number
}
