import { renderSentence } from '../../core/action/render.ts'
import { soleElement } from '../../core/action/sole-element.ts'
import type { ChainedDelegation, Delegation } from '../../core/delegation/delegation.ts'
import { fitsUnder, type LimitLeft, limitLeft } from '../../core/delegation/remaining.ts'
import { canonicalJson, type JsonValue } from '../../core/json.ts'
import type { ApprovalNeed } from '../../core/policy/approval-need.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { chargesAlong } from '../authority.ts'
import { commitDetail } from '../commit-detail.ts'
import { type Judged, judgeAction } from '../judge-action.ts'
import type { AdminPorts } from './change-call.ts'

/** Delegations of one agent that a dry run looks through, newest first. */
const MAX_TRIED = 200

export interface TryRequest {
  readonly agent: string
  /** One delegation; absent: every open one of the agent, until one allows it. */
  readonly delegation: string | undefined
  readonly resource: string
  readonly action: JsonValue
}

/** What an exchange for the action would be answered now. */
export type TriedAction =
  | {
      /** `require_approval`: nothing is issued before those who are to be asked have said yes. */
      readonly decision: 'permit' | 'require_approval'
      readonly delegation: string
      readonly sentence: string
      readonly because: readonly number[]
      /** Every limit that it would count at, and what would be left of it afterwards; absent: there is none. */
      readonly limits?: readonly LimitLeft[]
      /** Who is to be asked, each of these; absent: nobody. */
      readonly needs?: readonly ApprovalNeed[]
    }
  | {
      readonly decision: 'forbid'
      readonly delegation: string | undefined
      readonly refusal: Refusal
      /** The one that is reached, and what is left of it. */
      readonly limit?: LimitLeft
    }

/** Decides an action as the exchange would, and issues, counts and records nothing: a dry run. */
export async function tryAction(ports: AdminPorts, request: TryRequest): Promise<TriedAction | Refusal> {
  const now = ports.now()
  const agent = await ports.registry.read.entities.agent.find(request.agent)
  if (agent === undefined) return refuse('member_invalid', 'names no agent', 'agent')
  if (agent.status !== 'active') {
    return { decision: 'forbid', delegation: undefined, refusal: refuse('client_inactive', 'the agent is not active') }
  }
  if ((await ports.registry.read.stop.find()) !== undefined) {
    return { decision: 'forbid', delegation: undefined, refusal: refuse('stopped', commitDetail('stopped')) }
  }
  const delegations = await candidates(ports, request, now)
  // As an exchange would send it: what is too large for one is no action here either.
  const element = soleElement(canonicalJson([request.action]))
  if (isRefusal(element)) return { decision: 'forbid', delegation: request.delegation, refusal: element }
  const wish = { resource: request.resource, element }
  let nearest: Nearest | undefined
  let asking: TriedAction | undefined
  for (const delegation of delegations) {
    if (delegation.agentId !== agent.id) return refuse('member_invalid', 'is of another agent', 'delegation')
    const whole = await ports.directory.delegation(delegation.id, 'fresh')
    if (whole === undefined) throw new Error('a delegation that is in the registry is not in the directory')
    const judged = await judgeAction(ports, whole, wish, 'fresh', now)
    const counted = judged.refusal === undefined ? await tryLimits(ports, whole, judged) : judged
    if (counted.refusal === undefined && judged.refusal === undefined) {
      const { action, because } = judged
      const limits = counted.limits.length > 0 && { limits: counted.limits }
      const found = { delegation: delegation.id, sentence: renderSentence(action), because, ...limits }
      if (judged.needs.length === 0) return { decision: 'permit', ...found }
      // One that asks nobody would be better.
      asking ??= { decision: 'require_approval', ...found, needs: judged.needs }
      continue
    }
    // Of several that say no, the one that came furthest says most.
    const depth = Object.keys(judged.about).length + (judged.refusal === undefined ? 1 : 0)
    if (counted.refusal !== undefined && (nearest === undefined || depth > nearest.depth)) {
      nearest = { delegation, depth, refusal: counted.refusal, ...('limit' in counted && { limit: counted.limit }) }
    }
  }
  if (asking !== undefined) return asking
  return {
    decision: 'forbid',
    delegation: nearest?.delegation.id,
    refusal: nearest?.refusal ?? refuse('delegation_inactive', 'the agent has no open delegation'),
    ...(nearest?.limit !== undefined && { limit: nearest.limit }),
  }
}

/** A delegation that says no, and how far the action came with it. */
interface Nearest {
  readonly delegation: Delegation
  readonly depth: number
  readonly refusal: Refusal
  readonly limit?: LimitLeft
}

/** Steps 4 and 5 of an issuance, without counting: what each limit would say at this moment. */
async function tryLimits(
  { registry }: AdminPorts,
  delegation: ChainedDelegation,
  { action, resource }: Judged & { readonly refusal?: never },
): Promise<
  { readonly refusal: Refusal; readonly limit?: LimitLeft } | { readonly refusal?: never; readonly limits: LimitLeft[] }
> {
  const charges = chargesAlong(delegation, resource, action, true)
  if (isRefusal(charges)) return { refusal: charges }
  const used = await registry.read.counters.used(charges)
  const limits: LimitLeft[] = []
  for (const [n, charge] of charges.entries()) {
    const before = used[n] ?? '0'
    if (!fitsUnder(charge, before)) {
      const refusal = refuse('limit_reached', charge.label, charge.member)
      return { refusal, limit: limitLeft(charge, before, false) }
    }
    limits.push(limitLeft(charge, before, true))
  }
  return { limits }
}

async function candidates(ports: AdminPorts, request: TryRequest, now: Date): Promise<readonly Delegation[]> {
  const { delegations } = ports.registry.read
  if (request.delegation === undefined) {
    return delegations.page({ agent: request.agent, openAt: now }, { after: undefined, limit: MAX_TRIED })
  }
  const named = await delegations.find(request.delegation)
  return named === undefined ? [] : [named]
}
