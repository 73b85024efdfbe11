import type { ActorClaim } from '../agent/actor-chain.ts'
import type { JsonObject } from '../json.ts'

/** The longest an action token may live, whatever a resource asks for. Unit: seconds. */
export const MAX_ACTION_TOKEN_SECONDS = 300

/** The claims of an action token: who acts, for whom, doing exactly what, where, until (RFC 9068 §2.2, RFC 8693 §4.1). */
export interface ActionTokenClaims {
  readonly iss: string
  /** The resource's identifier, one string. */
  readonly aud: string
  /** The principal, never the agent. */
  readonly sub: string
  readonly client_id: string
  readonly act: ActorClaim
  readonly cnf: { readonly jkt: string }
  readonly authorization_details: readonly [JsonObject]
  readonly delegation_id: string
  /** Minted at the first hop, carried through a chain. */
  readonly txn: string
  /** The agent's own name for the step it is in. */
  readonly turn?: string | undefined
  readonly jti: string
  /** NumericDate. */
  readonly iat: number
  /** NumericDate. */
  readonly exp: number
}

/**
 * When the token that is issued now expires.
 *
 * @returns NumericDate; never later than the delegation, so possibly not after `now`: then there is nothing to issue.
 */
export function actionTokenExpiry(now: Date, lifetimeSeconds: number, delegationExpiresAt: Date): number {
  const issuedAt = Math.floor(now.getTime() / 1_000)
  const lifetime = Math.min(lifetimeSeconds, MAX_ACTION_TOKEN_SECONDS)
  return Math.min(issuedAt + lifetime, Math.floor(delegationExpiresAt.getTime() / 1_000))
}
