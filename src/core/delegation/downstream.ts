import type { ActionType } from '../action/action-type.ts'
import type { Action } from '../action/parse-action.ts'
import type { JsonValue } from '../json.ts'
import { isJsonObject } from '../json.ts'
import { decide } from '../policy/decide.ts'
import { isRefusal, type Refusal, refuse } from '../refusal.ts'
import { type Bound, parseBound } from './bound.ts'

/** What a resource server may have done elsewhere, on the strength of one action that it was asked for. */
export interface DownstreamRule {
  readonly id: string
  /** The bound that the incoming action must fit, as written. */
  readonly from: JsonValue
  /** Resource identifier. */
  readonly toResource: string
  /** The bounds of what may be asked for there, as written. */
  readonly authorizationDetails: readonly JsonValue[]
  /** How many tokens one incoming token is good for. */
  readonly maxPerToken: number
}

/** The rules of one resource server, oldest first, and the version of it that they are part of. */
export interface DownstreamRules {
  readonly version: number
  readonly rules: readonly DownstreamRule[]
}

/** One action at one place. */
export interface PlacedAction {
  readonly action: Action
  /** Resource identifier. */
  readonly resource: string
}

/**
 * Finds the rule by which one action leads to another: the incoming one fits its `from`, the wanted one one of its bounds.
 *
 * Nothing is put together from two rules. Where several allow it, the oldest counts it.
 */
export function downstreamRule(
  rules: readonly DownstreamRule[],
  incoming: PlacedAction,
  wanted: PlacedAction,
): DownstreamRule | Refusal<'resource_not_delegated' | 'action_not_permitted'> {
  const there = rules.filter(({ toResource }) => toResource === wanted.resource)
  if (there.length === 0) return refuse('resource_not_delegated', 'no downstream rule names this "resource"')
  const applicable = there.filter(({ from }) => {
    const bounds = boundsOf([from], incoming.action.type, incoming.resource)
    return decide(incoming.action, bounds, incoming.resource).effect === 'permit'
  })
  if (applicable.length === 0) {
    return refuse('action_not_permitted', 'no downstream rule is for the action of "subject_token"')
  }
  const boundsBy = applicable.map((rule) => boundsOf(rule.authorizationDetails, wanted.action.type, wanted.resource))
  const found = applicable.find((_, n) => decide(wanted.action, boundsBy[n] ?? [], wanted.resource).effect === 'permit')
  if (found !== undefined) return found
  const decision = decide(wanted.action, boundsBy.flat(), wanted.resource)
  const near = decision.effect === 'forbid' ? decision.near?.member : undefined
  return refuse('action_not_permitted', 'the action is outside the downstream rules', near ?? 'type')
}

/** The bounds of this type that are valid under it as it is now: no other can fit. */
const boundsOf = (written: readonly JsonValue[], type: ActionType, resource: string): readonly Bound[] =>
  written
    .filter((bound) => isJsonObject(bound) && bound.type === type.type)
    .map((bound) => parseBound(bound, type, { resource }))
    .filter((bound): bound is Bound => !isRefusal(bound))
