import type { Status } from '../agent/client.ts'
import type { JsonValue } from '../json.ts'

/** Principal lets agent do actions within bounds, until (RFC 8693 §1.1). */
export interface Delegation {
  readonly id: string
  readonly principal: { readonly id: string; readonly status: Status }
  readonly agentId: string
  /** A resource identifier; absent when each bound names its `locations`. */
  readonly resource?: string
  /** As written; each element is parsed by the action type it names. */
  readonly authorizationDetails: readonly JsonValue[]
  readonly notBefore?: Date
  readonly expiresAt: Date
  /** This delegation and its ancestors, root first. */
  readonly lineage: readonly string[]
  readonly status: 'active' | 'revoked'
}

/** Whether the delegation and its principal let anything happen at this moment. */
export function isDelegationCurrent(delegation: Delegation, now: Date): boolean {
  return (
    delegation.status === 'active' &&
    delegation.expiresAt > now &&
    (delegation.notBefore === undefined || delegation.notBefore <= now)
  )
}
