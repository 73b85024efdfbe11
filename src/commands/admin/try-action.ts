import { renderSentence } from '../../core/action/render.ts'
import type { Delegation } from '../../core/delegation/delegation.ts'
import { canonicalJson, type JsonValue } from '../../core/json.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
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
      readonly decision: 'permit'
      readonly delegation: string
      readonly sentence: string
      readonly because: readonly number[]
    }
  | { readonly decision: 'forbid'; readonly delegation: string | undefined; readonly refusal: Refusal }

/** Decides an action as the exchange would, and issues and records nothing: a dry run. */
export async function tryAction(ports: AdminPorts, request: TryRequest): Promise<TriedAction | Refusal> {
  const now = ports.now()
  const agent = await ports.registry.read.entities.agent.find(request.agent)
  if (agent === undefined) return refuse('member_invalid', 'names no agent', 'agent')
  if (agent.status !== 'active') {
    return { decision: 'forbid', delegation: undefined, refusal: refuse('client_inactive', 'the agent is not active') }
  }
  const delegations = await candidates(ports, request, now)
  const wish = { resource: request.resource, authorizationDetails: canonicalJson([request.action]) }
  let nearest: { readonly delegation: Delegation; readonly judged: Judged & { readonly refusal: Refusal } } | undefined
  for (const delegation of delegations) {
    if (delegation.agentId !== agent.id) return refuse('member_invalid', 'is of another agent', 'delegation')
    const whole = await ports.directory.delegation(delegation.id, 'fresh')
    if (whole === undefined) throw new Error('a delegation that is in the registry is not in the directory')
    const judged = await judgeAction(ports, whole, wish, 'fresh', now)
    if (judged.refusal === undefined) {
      const { action, because } = judged
      return { decision: 'permit', delegation: delegation.id, sentence: renderSentence(action), because }
    }
    // Of several that say no, the one that came furthest says most.
    if (nearest === undefined || Object.keys(judged.about).length > Object.keys(nearest.judged.about).length) {
      nearest = { delegation, judged }
    }
  }
  return {
    decision: 'forbid',
    delegation: nearest?.delegation.id,
    refusal: nearest?.judged.refusal ?? refuse('delegation_inactive', 'the agent has no open delegation'),
  }
}

async function candidates(ports: AdminPorts, request: TryRequest, now: Date): Promise<readonly Delegation[]> {
  const { delegations } = ports.registry.read
  if (request.delegation === undefined) {
    return delegations.page({ agent: request.agent, openAt: now }, { after: undefined, limit: MAX_TRIED })
  }
  const named = await delegations.find(request.delegation)
  return named === undefined ? [] : [named]
}
