import type { Action } from '../action/parse-action.ts'
import type { ApprovalRule } from '../delegation/approval-rule.ts'
import type { Bound } from '../delegation/bound.ts'
import { boundGap } from '../delegation/fits.ts'

/** Who is asked, and how many of them have to say yes. */
export interface ApprovalNeed {
  /** Ids of principals, ascending. */
  readonly approvers: readonly string[]
  readonly threshold: number
}

/** What a delegation's rule says, with the bounds that are free of it as they are under the action's type. */
export interface Asking {
  readonly mode: Exclude<ApprovalRule['mode'], 'none'>
  /** Those of `outside` that are valid now: what is not frees nothing. */
  readonly free: readonly Bound[]
}

/**
 * Whether the rule asks for this action: for each one, or for one that fits no free bound wholly.
 *
 * INVARIANT: asking for more never frees: what fits a bound fits it with every member (test/property/approval.test.ts).
 */
export function asksFor(action: Action, { mode, free }: Asking): boolean {
  return mode === 'each' || !free.some((bound) => boundGap(action, bound) === undefined)
}

/** What a rule needs where it asks: its approvers, or the principal of the delegation. */
export function needOf({ approvers, threshold = 1 }: ApprovalRule, principalId: string): ApprovalNeed {
  return { approvers: [...(approvers ?? [principalId])].sort(), threshold }
}

/** Several needs as few: the same approvers are asked once, for the larger number of them. */
export function mergeNeeds(needs: readonly ApprovalNeed[]): readonly ApprovalNeed[] {
  const byApprovers = new Map<string, ApprovalNeed>()
  for (const need of needs) {
    const key = need.approvers.join(' ')
    const known = byApprovers.get(key)
    if (known === undefined || known.threshold < need.threshold) byApprovers.set(key, need)
  }
  return [...byApprovers.values()]
}

/** Whether whoever was asked is everybody who is to be asked: what was approved for less is not approved. */
export function covers(asked: readonly ApprovalNeed[], needed: readonly ApprovalNeed[]): boolean {
  return needed.every((need) =>
    asked.some((a) => a.threshold >= need.threshold && a.approvers.join(' ') === need.approvers.join(' ')),
  )
}

/** Everybody who may answer. */
export const allApprovers = (needs: readonly ApprovalNeed[]): readonly string[] => [
  ...new Set(needs.flatMap(({ approvers }) => approvers)),
]
