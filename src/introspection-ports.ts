import type { ActorClaim } from './core/agent/actor-chain.ts'
import type { JsonObject } from './core/json.ts'
import type { Refusal } from './core/refusal.ts'
import type { ReplayMark } from './ports.ts'

/** An action token that is genuine, by its signature or because it was signed here, and whose times are good. */
export interface VerifiedActionToken {
  readonly jti: string
  /** NumericDate. */
  readonly exp: number
  readonly txn: string
  readonly act: ActorClaim
  /** Every claim, as it stands in the token. */
  readonly json: JsonObject
}

/** An action token of which everything was looked at but the signature: nothing that it says is believed yet. */
export interface ReadActionToken {
  readonly jti: string
  /** Checks the signature too. */
  readonly verify: () => VerifiedActionToken | Refusal
}

export interface ActionTokens {
  readonly read: (token: string, audience: string, now: Date) => ReadActionToken | Refusal
  readonly verify: (token: string, audience: string, now: Date) => VerifiedActionToken | Refusal
}

export interface TokenStatus {
  /**
   * The action of a token that is on record, not revoked, and whose agent, key, principal, delegations, resource and
   * action type are all active at this moment; undefined otherwise.
   */
  readonly live: (jti: string) => Promise<{ readonly action: JsonObject } | undefined>
}

/** What a resource server asks about a token, with what it authenticated by. */
export interface IntrospectionQuestion {
  /** A UUID of ours for this request (`CommitEntry`). */
  readonly attemptId: string
  readonly marks: readonly ReplayMark[]
  /** Id of the resource server. */
  readonly client: string
  readonly assertionKid: string
  /** Of its proof, where it sent one. */
  readonly jkt: string | undefined
  /**
   * Of the token, which need not be verified yet: nothing is used up on its word, and only a token for this resource server is
   * found by it. Undefined: it cannot be one, and nothing is looked up.
   */
  readonly jti: string | undefined
}

/** `stale`: the resource server or its key is not what it was; nothing is said, and what it showed is judged afresh. */
export type IntrospectionAnswer =
  | { readonly outcome: 'ok'; readonly action: JsonObject | undefined }
  | { readonly outcome: 'stale' | 'assertion_replayed' | 'proof_replayed' }

export interface Introspections {
  /** Uses up the marks, looks again whether the resource server may ask, and whether the token is live (`TokenStatus`) and unused. */
  readonly ask: (question: IntrospectionQuestion) => Promise<IntrospectionAnswer>
}
