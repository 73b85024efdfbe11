import type { Client } from '../agent/client.ts'

/** A token of this server for a client, about to be signed: what the record says of it. */
export interface IssuedClientToken {
  readonly jti: string
  readonly client: Client
  readonly jkt: string
  readonly scope: string
  /** NumericDate. */
  readonly iat: number
  /** NumericDate. */
  readonly exp: number
  readonly requestId: string
}
