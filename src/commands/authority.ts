import type { Action } from '../core/action/parse-action.ts'
import type { Resource } from '../core/action/resource.ts'
import type { ActorClaim } from '../core/agent/actor-chain.ts'
import { type Charge, chargesOf, type LimitOwner } from '../core/delegation/charge.ts'
import { type ChainedDelegation, chainOf } from '../core/delegation/delegation.ts'
import type { Limits } from '../core/delegation/limits.ts'
import type { JsonValue } from '../core/json.ts'
import type { ApprovalNeed } from '../core/policy/approval-need.ts'
import { isRefusal, type Refusal } from '../core/refusal.ts'
import type { RecordEntry } from '../ports.ts'

/** What the account says of an exchange, however far it came. */
export type AboutExchange = Omit<RecordEntry, 'id' | 'kind'> & { readonly kind: 'action_token' }

/** On what a token for one action will rest, decided on facts of one freshness. */
export interface Authority {
  readonly refusal?: never
  readonly about: AboutExchange
  readonly delegation: ChainedDelegation
  readonly action: Action
  readonly resource: Resource
  readonly because: JsonValue
  readonly charges: readonly Charge[]
  /** Who is to be asked first; empty: nobody. */
  readonly needs: readonly ApprovalNeed[]
  /** Who acts, and through whom (RFC 8693 §4.1). */
  readonly act: ActorClaim
  readonly txn: string
  /** The token that it is asked for with, where that is an action token. */
  readonly incoming?: {
    readonly jti: string
    /** NumericDate. */
    readonly exp: number
    /** What it was exchanged from, and itself. */
    readonly lineage: readonly string[]
    /** Of the resource server that asks. */
    readonly clientVersion: number
  }
}

export interface NoAuthority {
  readonly refusal: Refusal
  readonly about: AboutExchange
  /** On what it rests, where the commit can tell whether that is still so. */
  readonly rests?: Facts
}

/** What is remembered and may change: everything else of a delegation is immutable. */
export interface Facts {
  readonly delegation: ChainedDelegation
  readonly resource: Resource
}

/** What the action counts at the limits of every delegation of the chain, of every agent of it, and of the resource. */
export function chargesAlong(
  delegation: ChainedDelegation,
  resource: Resource,
  action: Action,
  isWithinBounds: boolean,
): readonly Charge[] | Refusal<'limit_not_countable'> {
  const charges: Charge[] = []
  const count = (owner: LimitOwner, limits: Limits): Refusal<'limit_not_countable'> | undefined => {
    const counted = chargesOf(owner, limits, action, isWithinBounds)
    if (isRefusal(counted)) return counted
    charges.push(...counted)
    return undefined
  }
  for (const { id, limits, expiresAt, agent } of chainOf(delegation).toReversed()) {
    const refusal =
      (limits && count({ kind: 'delegation', id, until: expiresAt }, limits)) ??
      (agent.limits && count({ kind: 'agent', id: agent.id }, agent.limits))
    if (refusal !== undefined) return refusal
  }
  const refusal = resource.limits && count({ kind: 'resource', id: resource.id }, resource.limits)
  if (refusal !== undefined) return refusal
  return charges
}
