import { memberOrder } from '../action/member-order.ts'
import type { Action } from '../action/parse-action.ts'
import type { Bound } from '../delegation/bound.ts'
import { boundGap, type Gap } from '../delegation/fits.ts'
import { isJsonArray } from '../json.ts'
import { type Asking, asksFor } from './approval-need.ts'

/** What the bounds say about an action, and why. */
export type Decision =
  /** `because`: indexes of the bounds that the action fits, ascending. */
  | { readonly effect: 'permit'; readonly because: readonly [number, ...number[]] }
  /** The bounds allow it, and the delegation's rule asks somebody first. */
  | { readonly effect: 'require_approval'; readonly because: readonly [number, ...number[]] }
  /** `near`: the first member that does not fit the bound that comes closest; absent when there is no bound at all. */
  | { readonly effect: 'forbid'; readonly because: readonly []; readonly near?: Gap }

/**
 * Decides one action against the bounds of its delegation: it must fit one of them wholly. Deny by default.
 *
 * `resource` is the place the token is for; an action that says another one is forbidden whatever the bounds.
 *
 * An approval only slows down what the bounds allow: it never opens what they do not.
 *
 * INVARIANT: the order of the bounds changes neither the effect nor `near` (test/property/decide.test.ts).
 */
export function decide(action: Action, bounds: readonly Bound[], resource: string, asking?: Asking): Decision {
  const locations = action.details.locations
  if (!isJsonArray(locations) || locations.length !== 1 || locations[0] !== resource) {
    return { effect: 'forbid', because: [], near: { member: 'locations' } }
  }
  const permits: number[] = []
  const gaps: Gap[] = []
  for (const [index, bound] of bounds.entries()) {
    const gap = boundGap(action, bound)
    if (gap === undefined) permits.push(index)
    else gaps.push(gap)
  }
  if (isNonEmpty(permits)) {
    return { effect: asking !== undefined && asksFor(action, asking) ? 'require_approval' : 'permit', because: permits }
  }
  const near = nearest(action, gaps)
  return near === undefined ? { effect: 'forbid', because: [] } : { effect: 'forbid', because: [], near }
}

const isNonEmpty = (indexes: number[]): indexes is [number, ...number[]] => indexes.length > 0

/** The gap that lies furthest in the action's own order: of all bounds, that one agrees with the action for longest. */
function nearest(action: Action, gaps: readonly Gap[]): Gap | undefined {
  // Type and location are the first members of an action, so bounds of another type or place come last by themselves.
  if (gaps.length < 2) return gaps[0]
  const compare = memberOrder(action.details)
  return gaps.toSorted((a, b) => compare(b.member, a.member))[0]
}
