/** What something that was stopped or withdrawn is. Ids of agents, principals and resource servers are of one namespace. */
export type RevokedKind = 'account' | 'token' | 'key' | 'delegation' | 'action_type' | 'signing_key' | 'everything'

/** Something was stopped or withdrawn, or let go on. */
export interface RevocationEvent {
  readonly kind: RevokedKind
  /** The id, `jti`, thumbprint or name; `*` for everything. */
  readonly subject: string
  /** It goes on: what was said of it before counts no more. */
  readonly isLifted: boolean
  readonly at: Date
}

/**
 * For how long a stop concerns any token: none lives longer than 300 seconds, and while something is stopped nothing is
 * issued on it. What was stopped earlier need not be told, nor remembered. Unit: seconds, with 60 for clocks that differ.
 */
export const CONCERNS_SECONDS = 360
