import type { Status } from '../agent/client.ts'
import type { JsonValue } from '../json.ts'
import type { ApprovalRule } from './approval-rule.ts'
import type { Limits } from './limits.ts'

/** Principal lets agent do actions within bounds, until (RFC 8693 §1.1). */
export interface Delegation {
  readonly id: string
  readonly principal: { readonly id: string; readonly status: Status }
  readonly agentId: string
  /** A resource identifier; absent when each bound names its `locations`. */
  readonly resource?: string
  /** As written; each element is parsed by the action type it names. */
  readonly authorizationDetails: readonly JsonValue[]
  readonly limits?: Limits
  readonly delegable: Delegable
  /** When its principal, or whoever it names, is asked before an action. */
  readonly approval: ApprovalRule
  readonly notBefore?: Date
  readonly expiresAt: Date
  /** This delegation and its ancestors, root first. */
  readonly lineage: readonly string[]
  readonly status: 'active' | 'revoked'
}

/** How far a delegation may be given on. */
export interface Delegable {
  /** How many hops more; 0: not at all. */
  readonly maxDepth: number
  /** To whom; absent: to any active agent. */
  readonly agents?: readonly string[]
}

export const NOT_DELEGABLE: Delegable = { maxDepth: 0 }

/** An agent as it stands, as far as an issuance rests on it. */
export interface Actor {
  readonly id: string
  readonly status: Status
  readonly version: number
  readonly limits?: Limits
}

/** A delegation with everything it stands on: at every issuance each of its ancestors counts as it does itself. */
export interface ChainedDelegation extends Delegation {
  /** The agent it was given to. */
  readonly agent: Actor
  /** Those it was given on from, root first; they hold none themselves. */
  readonly ancestors: readonly ChainedDelegation[]
}

/** The whole chain, root first: the last one is the delegation that is used. */
export function chainOf(delegation: ChainedDelegation): readonly [ChainedDelegation, ...ChainedDelegation[]] {
  const [root, ...children] = delegation.ancestors
  return root === undefined ? [delegation] : [root, ...children, delegation]
}

/** Whether the delegation itself lets anything happen at this moment. */
export function isDelegationCurrent(delegation: Delegation, now: Date): boolean {
  return (
    delegation.status === 'active' &&
    delegation.expiresAt > now &&
    (delegation.notBefore === undefined || delegation.notBefore <= now)
  )
}
