import type { Page, RegisteredDelegation } from './admin-ports.ts'
import type { Status } from './core/agent/client.ts'
import type { ApprovalRule } from './core/delegation/approval-rule.ts'
import type { Delegable } from './core/delegation/delegation.ts'
import type { DownstreamRule } from './core/delegation/downstream.ts'
import type { Limits } from './core/delegation/limits.ts'
import type { JsonObject, JsonValue } from './core/json.ts'
import type { Refusal, RefusalCode } from './core/refusal.ts'
import type { ReplayMark } from './ports.ts'

/** What chains need from outside: delegations that are given on, and resource servers that call others. */

/** What an agent token of the next actor says; whether it is live is asked of the database. */
export interface ActorToken {
  readonly agentId: string
  readonly jti: string
  /** Thumbprint of the key that it is bound to. */
  readonly jkt: string
  /** NumericDate. */
  readonly iat: number
  /** NumericDate. */
  readonly exp: number
}

export interface ActorTokens {
  readonly verify: (token: string, now: Date) => ActorToken | Refusal
}

/** A delegation that an agent gives on. */
export interface NewChild {
  readonly id: string
  /** All delegations above it, root first, and itself. */
  readonly lineage: readonly string[]
  readonly principalId: string
  readonly agentId: string
  readonly resource?: string
  readonly authorizationDetails: readonly JsonValue[]
  readonly limits?: Limits
  readonly delegable: Delegable
  readonly approval: ApprovalRule
  readonly notBefore?: Date
  readonly expiresAt: Date
  readonly grantedBy: string
  readonly createdAt: Date
}

export interface SubDelegations {
  /**
   * Writes the delegation and its record, with the replay marks and the re-check of everything that it will stand on, in one
   * transaction. A refusal has used up the marks and written nothing else.
   *
   * INVARIANT: no delegation is made under one whose revocation was committed before, and a revocation that comes after
   * ends it too (test/pg/sub-delegation.test.ts).
   */
  readonly add: (entry: {
    readonly attemptId: string
    readonly marks: readonly ReplayMark[]
    readonly child: NewChild
    readonly actor: ActorToken
    readonly client: string
    readonly assertionKid: string
    readonly jkt: string
    /** The agents of all delegations above. */
    readonly actors: readonly string[]
    readonly recordId: string
    readonly requestId: string
  }) => Promise<'ok' | RefusalCode>
}

/** What the account says of an action token that is exchanged for another. */
export interface IncomingToken {
  /** With the values that the token may hold digests of. */
  readonly action: JsonObject
  readonly delegationId: string
  /** `jti` of the action tokens that it was exchanged from, first hop first. */
  readonly tokenLineage: readonly string[]
}

export interface IncomingTokens {
  /** A token that is on record and live at this moment, whether it was consumed or not. */
  readonly find: (jti: string) => Promise<IncomingToken | undefined>
}

/** What a resource server may have done elsewhere. Never changed, only removed. */
export interface RegisteredDownstreamRule extends DownstreamRule {
  readonly resourceId: string
  readonly createdBy: string
  readonly createdAt: Date
  readonly removedAt: Date | null
}

export interface DownstreamRuleReader {
  readonly find: (resourceId: string, id: string) => Promise<RegisteredDownstreamRule | undefined>
  /** In order of id, oldest first, removed ones included. */
  readonly page: (resourceId: string, page: Page) => Promise<readonly RegisteredDownstreamRule[]>
}

export interface DownstreamRuleStore extends DownstreamRuleReader {
  readonly countActive: (resourceId: string) => Promise<number>
  readonly add: (rule: Omit<RegisteredDownstreamRule, 'removedAt'>) => Promise<void>
  /** False: it was removed before. */
  readonly remove: (id: string, now: Date) => Promise<boolean>
}

/** A delegation in its tree. */
export interface TreeNode {
  readonly delegation: RegisteredDelegation
  /** What it was given on from; undefined: a principal or an administrator granted it. */
  readonly parent: string | undefined
  /** Below the one whose tree it is. */
  readonly depth: number
  readonly agentStatus: Status
  /** Whether it and all that it stands on lets anything happen now. */
  readonly isInForce: boolean
}
