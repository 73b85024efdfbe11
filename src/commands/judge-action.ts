import type { ActionType } from '../core/action/action-type.ts'
import { type Action, parseAction } from '../core/action/parse-action.ts'
import { type Resource, takesActionType } from '../core/action/resource.ts'
import { type Bound, parseBound } from '../core/delegation/bound.ts'
import { type ChainedDelegation, chainOf, type Delegation, isDelegationCurrent } from '../core/delegation/delegation.ts'
import { isJsonArray, isJsonObject, type JsonValue, ownMember } from '../core/json.ts'
import { type ApprovalNeed, type Asking, mergeNeeds, needOf } from '../core/policy/approval-need.ts'
import { decide } from '../core/policy/decide.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type { Directory, Freshness, RecordEntry } from '../ports.ts'

export interface JudgePorts {
  readonly directory: Directory
}

/** One action at one place, as it was asked for. */
export interface Wish {
  /** Resource identifier (RFC 8707 §2). */
  readonly resource: string
  /** The one element of `authorization_details` (RFC 9396 §2): JSON, and nothing more is known of it. */
  readonly element: JsonValue
}

/** What the account says of it, however far it came. */
type About = Pick<
  RecordEntry,
  'principal' | 'delegation' | 'actionType' | 'actionTypeVersion' | 'action' | 'actionDigest'
>

export type Judged =
  | {
      readonly refusal: Refusal
      readonly about: About
      /** Where the bounds alone said no: the place, in the version that it was decided on. */
      readonly outsideAt?: Resource
    }
  | {
      readonly refusal?: never
      readonly about: Required<About>
      readonly action: Action
      readonly resource: Resource
      /** Indexes of the bounds that the action fits. */
      readonly because: readonly number[]
      /** Who is to be asked first, by every delegation of the chain; empty: nobody. */
      readonly needs: readonly ApprovalNeed[]
    }

/**
 * Decides whether a delegation, and each one it was given on from, allows an action, on facts of one freshness; writes
 * nothing.
 *
 * The one place that decides: for an exchange, and for a dry run.
 */
export async function judgeAction(
  ports: JudgePorts,
  delegation: ChainedDelegation,
  wish: Wish,
  freshness: Freshness,
  now: Date,
): Promise<Judged> {
  const about: About = { principal: delegation.principal.id, delegation: delegation.id }
  const no = (refusal: Refusal): Judged => ({ refusal, about })

  const chain = chainOf(delegation)
  const fallen = standing(delegation, now)
  if (fallen !== undefined) return no(fallen)

  // Where (RFC 8707 §2).
  const resource = await ports.directory.resource(wish.resource, freshness)
  if (resource?.status !== 'active') return no(refuse('resource_unknown', 'unknown "resource"'))
  if (!chain.every((link) => isNamedPlace(link, resource))) {
    return no(refuse('resource_not_delegated', 'the delegation does not name this "resource"'))
  }

  // Step 2: what exactly do they want to do?
  const read = await readAction(ports, resource, wish.element, freshness)
  if (read.refusal !== undefined) return { refusal: read.refusal, about: { ...about, ...read.about } }
  const { action } = read
  const whole = {
    principal: delegation.principal.id,
    delegation: delegation.id,
    actionType: action.type.type,
    actionTypeVersion: action.type.version,
    action: action.canonical,
    actionDigest: action.digest,
  }

  // Steps 3 and 4: the action fits one bound of every delegation of the chain wholly, or it is forbidden. That a child is
  // within its parent was found when it was made; here it is not relied on.
  let because: readonly number[] = []
  let needs: readonly ApprovalNeed[] = NOBODY
  for (const link of chain) {
    const bounds = boundsOf(PARSED_BOUNDS, link, link.authorizationDetails, action)
    const decision = decide(action, bounds, resource.identifier, askingOf(link, action))
    if (decision.effect === 'forbid') {
      // No bound of this type: then the type is what does not fit.
      const member = decision.near?.member ?? 'type'
      const refusal = refuse('action_not_permitted', 'the action is outside the bounds', member)
      return { refusal, about: whole, outsideAt: resource }
    }
    because = decision.because
    // What an ancestor's rule asks is asked too.
    if (decision.effect === 'require_approval') needs = [...needs, needOf(link.approval, link.principal.id)]
  }
  return { about: whole, action, resource, because, needs: needs.length > 1 ? mergeNeeds(needs) : needs }
}

const NOBODY: readonly ApprovalNeed[] = []

/** Whether a rule of the chain may ask somebody. */
export const isUnderRule = (delegation: ChainedDelegation): boolean =>
  delegation.approval.mode !== 'none' || delegation.ancestors.some(({ approval }) => approval.mode !== 'none')

/** What the delegation's rule says of actions of this type; undefined: nothing. */
function askingOf(link: Delegation, action: Action): Asking | undefined {
  const { mode, outside } = link.approval
  if (mode === 'none') return undefined
  return { mode, free: outside === undefined ? [] : boundsOf(PARSED_FREE, link, outside, action) }
}

/** Why a delegation lets nothing happen at this moment: its own state, its principal's, or that of anything above it. */
export function standing(delegation: ChainedDelegation, now: Date): Refusal | undefined {
  const chain = chainOf(delegation)
  if (!chain.every((link) => isDelegationCurrent(link, now))) {
    return refuse('delegation_inactive', 'the delegation is revoked, expired or not yet valid')
  }
  if (delegation.principal.status !== 'active') return refuse('principal_inactive', 'the principal is not active')
  if (!chain.every(({ agent }) => agent.status === 'active')) {
    return refuse('actor_inactive', 'an agent of the actor chain is not active')
  }
  return undefined
}

type ReadAction =
  | { readonly refusal: Refusal; readonly about: Partial<About> }
  | { readonly refusal?: never; readonly about: Partial<About>; readonly action: Action }

/** The one action that is asked for at a resource. Unknown types and members are refused (RFC 9396 §5). */
export async function readAction(
  ports: JudgePorts,
  resource: Resource,
  element: JsonValue,
  freshness: Freshness,
): Promise<ReadAction> {
  const type = isJsonObject(element) ? ownMember(element, 'type') : undefined
  const known = typeof type === 'string' ? await ports.directory.actionType(type, freshness) : undefined
  if (known === undefined) return { refusal: refuse('action_type_unknown', 'unknown action "type"', 'type'), about: {} }
  const { type: actionType, version: actionTypeVersion } = known.actionType
  const no = (refusal: Refusal): ReadAction => ({ refusal, about: { actionType, actionTypeVersion } })
  if (!takesActionType(resource, actionType)) {
    return no(refuse('action_type_not_at_resource', 'this "resource" does not take actions of this type'))
  }
  const action = parseAction(element, known.actionType, resource.identifier)
  if (isRefusal(action)) return no(action)
  const about = { actionType, actionTypeVersion, action: action.canonical, actionDigest: action.digest }
  if (known.status !== 'active') {
    return { refusal: refuse('action_type_inactive', 'the action type is suspended', 'type'), about }
  }
  return { about, action }
}

/** Whether the delegation, or one of its bounds, names the place. Which bound counts is decided later. */
function isNamedPlace(delegation: Delegation, { identifier }: Resource): boolean {
  if (delegation.resource !== undefined) return delegation.resource === identifier
  return delegation.authorizationDetails.some(
    (bound) => isJsonObject(bound) && isJsonArray(bound.locations) && bound.locations.includes(identifier),
  )
}

/**
 * Those of a delegation's written bounds that this action could fit: of its type, and valid under the type as it is now.
 *
 * Parsed once for each delegation and version of the type that are remembered: both are immutable.
 */
function boundsOf(
  parsed: ParsedBounds,
  delegation: Delegation,
  written: readonly JsonValue[],
  { type }: Action,
): readonly Bound[] {
  let byType = parsed.get(delegation)
  if (byType === undefined) {
    byType = new WeakMap()
    parsed.set(delegation, byType)
  }
  let bounds = byType.get(type)
  if (bounds === undefined) {
    bounds = written
      .filter((bound) => isJsonObject(bound) && bound.type === type.type)
      .map((bound) => parseBound(bound, type, { resource: delegation.resource }))
      .filter((bound): bound is Bound => !isRefusal(bound))
    byType.set(type, bounds)
  }
  return bounds
}

type ParsedBounds = WeakMap<Delegation, WeakMap<ActionType, readonly Bound[]>>
const PARSED_BOUNDS: ParsedBounds = new WeakMap()
/** Those that nobody is asked for. */
const PARSED_FREE: ParsedBounds = new WeakMap()
