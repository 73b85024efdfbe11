import type { ActorToken, ActorTokens, NewChild, SubDelegations } from '../chain-ports.ts'
import {
  ApprovalDocument,
  type ApprovalRule,
  NO_APPROVAL,
  nameableApprovers,
} from '../core/delegation/approval-rule.ts'
import { type Bound, parseBound } from '../core/delegation/bound.ts'
import { DelegableDocument, delegableTo } from '../core/delegation/delegable.ts'
import { type ChainedDelegation, chainOf, type Delegable } from '../core/delegation/delegation.ts'
import { checkLimits, Limits } from '../core/delegation/limits.ts'
import { widening } from '../core/delegation/widening.ts'
import { isJsonArray, isJsonObject, type JsonValue, ownMember, parseJson } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type { ClientEvidence, Directory, RecordEntry, SubjectTokens } from '../ports.ts'
import { type AdmitPorts, admitClient, type Refused, refuseOnRecord } from './admit-client.ts'
import { commitRefusal } from './commit-detail.ts'
import { delegationOf } from './consider-action.ts'
import { standing } from './judge-action.ts'
import { readBounds as readWrittenBounds } from './judge-grant.ts'

export interface DelegateOnPorts extends AdmitPorts {
  readonly directory: Directory
  readonly subjectTokens: SubjectTokens
  readonly actorTokens: ActorTokens
  readonly subDelegations: SubDelegations
  readonly signSubjectToken: (delegation: ChainedDelegation & { readonly createdAt: Date }) => string
}

/** A delegation that is to be given on, as the front door read it: nothing in it is believed yet. */
export interface DelegateOnRequest {
  readonly evidence: ClientEvidence
  /** Names the delegation that is given on. */
  readonly subjectToken: string
  /** An agent token of whoever it is given to. */
  readonly actorToken: string
  /** JSON text: the bounds of the child. */
  readonly authorizationDetails: string
  /** Absent: as long as its parent. */
  readonly expiresInSeconds?: number | undefined
  /** JSON texts. */
  readonly limits?: string | undefined
  readonly delegable?: string | undefined
  /** JSON text, or a bare mode. */
  readonly approval?: string | undefined
  readonly requestId: string
}

export interface DelegatedOn {
  readonly kind: 'delegated'
  readonly subjectToken: string
  readonly expiresInSeconds: number
  readonly authorizationDetails: readonly JsonValue[]
}

/** Bounds of one delegation. */
const MAX_BOUNDS = 32

/**
 * Gives a delegation on to the next agent: a child whose bounds lie within, that ends no later, and that is further from
 * its principal by one (RFC 8693 §2.1: here `actor_token` names the next actor, who need not call).
 *
 * @throws only when a port fails (database, signer). Saying no is a return value.
 */
export async function delegateOn(ports: DelegateOnPorts, request: DelegateOnRequest): Promise<DelegatedOn | Refused> {
  const now = ports.now()
  // Step 1: who is asking?
  const admitted = await admitClient(ports, request, 1, now)
  if (admitted.kind === 'refused') return admitted
  const { attemptId, authentication } = admitted
  const { client, assertionKid, jkt = '', marks } = authentication
  let about: Omit<RecordEntry, 'id'> = {
    ...{ kind: 'delegation', client: client.id, agent: client.id, jkt, requestId: request.requestId },
  }
  const no = (refusal: Refusal) => refuseOnRecord(ports, { attemptId, marks }, refusal, about, true)
  if (client.kind !== 'agent') return no(refuse('grant_not_allowed', 'only an agent gives a delegation on'))

  // Step 2: which delegation, and does it stand with everything above it? The row decides, not the token.
  const parent = await delegationOf(ports, client.id, request.subjectToken, 'fresh', now)
  if (isRefusal(parent)) return no(parent)
  about = { ...about, principal: parent.principal.id, delegation: parent.id }
  const fallen = standing(parent, now)
  if (fallen !== undefined) return no(fallen)

  // Step 3: to whom, and how far may it go from there?
  const actor = await nextActor(ports, request.actorToken, now)
  if (isRefusal(actor)) return no(actor)
  const wanted = readDelegable(request.delegable)
  if (isRefusal(wanted)) return no(wanted)
  const delegable = delegableTo(parent, actor.agentId, wanted)
  if (isRefusal(delegable)) return no(delegable)

  // Step 4: within what, until when, how often? Never more than its parent.
  const bounds = await readBounds(ports, parent, request.authorizationDetails)
  if (isRefusal(bounds)) return no(bounds)
  const expiresAt = endOf(parent, request.expiresInSeconds, now)
  if (isRefusal(expiresAt)) return no(expiresAt)
  const limits = readLimits(request.limits, bounds)
  if (isRefusal(limits)) return no(limits)
  const approval = await readApproval(ports, parent, request.approval)
  if (isRefusal(approval)) return no(approval)

  // Step 5: write it down, and re-check everything that it stands on, in the same transaction.
  const id = `dlg_${ports.ids.recordId()}`
  const chain = chainOf(parent)
  const child: NewChild = {
    id,
    lineage: [...parent.lineage, id],
    principalId: parent.principal.id,
    agentId: actor.agentId,
    ...(parent.resource !== undefined && { resource: parent.resource }),
    authorizationDetails: bounds.map(({ json }) => json),
    ...(limits !== undefined && { limits }),
    delegable,
    approval,
    ...(parent.notBefore !== undefined && { notBefore: parent.notBefore }),
    expiresAt,
    grantedBy: `agent:${client.id}`,
    createdAt: now,
  }
  const outcome = await ports.subDelegations.add({
    ...{ attemptId, marks, child, actor, client: client.id, assertionKid, jkt },
    actors: chain.map(({ agentId }) => agentId),
    recordId: ports.ids.recordId(),
    requestId: request.requestId,
  })
  if (outcome !== 'ok') return no(commitRefusal(outcome, authentication))

  // Step 6: sign what names it. It is no bearer secret: only the next actor, proving its key, can use it.
  const { lineage, authorizationDetails } = child
  const subjectToken = ports.signSubjectToken({
    ...parent,
    id,
    lineage,
    agentId: actor.agentId,
    approval,
    expiresAt,
    createdAt: now,
  })
  const expiresInSeconds = Math.floor((expiresAt.getTime() - now.getTime()) / 1_000)
  return { kind: 'delegated', subjectToken, expiresInSeconds, authorizationDetails }
}

/** A live agent token of an active agent; asked of the database again when the delegation is written. */
async function nextActor(ports: DelegateOnPorts, token: string, now: Date): Promise<ActorToken | Refusal> {
  const actor = ports.actorTokens.verify(token, now)
  if (isRefusal(actor)) return actor
  const client = await ports.directory.client(actor.agentId, 'fresh')
  return client?.kind === 'agent' && client.status === 'active'
    ? actor
    : refuse('actor_token_invalid', 'the agent of "actor_token" is not active')
}

function readDelegable(text: string | undefined): Delegable | undefined | Refusal {
  if (text === undefined) return undefined
  const json = parseJson(text)
  const parsed = isRefusal(json) ? undefined : DelegableDocument.safeParse(json)
  return parsed?.success ? parsed.data : refuse('request_malformed', '"delegable" is not as it must be')
}

function readLimits(text: string | undefined, bounds: readonly Bound[]): Limits | undefined | Refusal {
  if (text === undefined) return undefined
  const json = parseJson(text)
  if (isRefusal(json)) return refuse('limit_invalid', `"limits": ${json.detail}`)
  const parsed = Limits.safeParse(json)
  if (!parsed.success) return refuse('limit_invalid', '"limits" are not as they must be')
  return checkLimits(parsed.data, bounds) ?? parsed.data
}

/**
 * The child's own rule. It is asked for beside those of all delegations above it, so it can only ask for more; whom it may ask is
 * for them to say: an agent cannot put its actions before just anybody.
 */
async function readApproval(
  ports: DelegateOnPorts,
  parent: ChainedDelegation,
  text: string | undefined,
): Promise<ApprovalRule | Refusal> {
  if (text === undefined) return NO_APPROVAL
  const json = /^[a-z]+$/.test(text) ? text : parseJson(text)
  if (isRefusal(json)) return refuse('request_malformed', `"approval": ${json.detail}`)
  const parsed = ApprovalDocument.safeParse(json)
  if (!parsed.success) return refuse('request_malformed', '"approval" is not as it must be')
  const { approvers = [], outside = [] } = parsed.data
  const nameable = nameableApprovers(chainOf(parent), parent.principal.id)
  const n = approvers.findIndex((id) => !nameable.has(id))
  if (n >= 0) {
    return refuse('delegation_not_permitted', 'may not be asked here', `approval.approvers[${n}]`)
  }
  const free = await readWrittenBounds(ports, outside, parent.resource, 'approval.outside')
  return isRefusal(free) ? free : parsed.data
}

/** The child's bounds, each within one bound of its parent, at places that the parent names. */
async function readBounds(
  { directory }: Pick<DelegateOnPorts, 'directory'>,
  parent: ChainedDelegation,
  text: string,
): Promise<readonly Bound[] | Refusal> {
  const parsed = parseJson(text)
  if (isRefusal(parsed)) return refuse('json_malformed', `"authorization_details": ${parsed.detail}`)
  if (!isJsonArray(parsed) || parsed.length === 0 || parsed.length > MAX_BOUNDS) {
    return refuse('action_malformed', `"authorization_details" must be an array of 1 to ${MAX_BOUNDS} bounds`)
  }
  const children: Bound[] = []
  const parents: Bound[] = []
  const read = new Set<string>()
  for (const [n, value] of parsed.entries()) {
    const at = `authorization_details[${n}]`
    const type = isJsonObject(value) ? ownMember(value, 'type') : undefined
    const known = typeof type === 'string' ? await directory.actionType(type, 'fresh') : undefined
    if (known === undefined) return refuse('action_type_unknown', 'unknown action "type"', `${at}.type`)
    const { actionType } = known
    if (!isAtNamedPlaces(parent, value)) {
      return refuse('resource_not_delegated', 'the delegation does not name this place', `${at}.locations`)
    }
    const place = { resource: parent.resource }
    const bound = parseBound(value, actionType, place)
    if (isRefusal(bound)) return refuse(bound.code, bound.detail, bound.member ? `${at}.${bound.member}` : at)
    children.push(bound)
    if (read.has(actionType.type)) continue
    read.add(actionType.type)
    for (const above of parent.authorizationDetails) {
      const held = parseBound(above, actionType, place)
      // What is not valid under the type as it is now allows nothing.
      if (!isRefusal(held)) parents.push(held)
    }
  }
  const wider = widening(children, parents)
  return wider === undefined
    ? children
    : refuse('delegation_not_permitted', 'is wider than the delegation', wider.member)
}

/** Whether the parent, or one of its bounds, names every place of a child's bound. Which bound counts is decided later. */
function isAtNamedPlaces(parent: ChainedDelegation, bound: JsonValue): boolean {
  const locations = isJsonObject(bound) ? ownMember(bound, 'locations') : undefined
  if (!isJsonArray(locations)) return true
  const named = parent.authorizationDetails.flatMap((above) =>
    isJsonObject(above) && isJsonArray(above.locations) ? above.locations : [],
  )
  return locations.every((location) => location === parent.resource || named.includes(location))
}

/** The child's end: as asked, and not later than that of anything above it. */
function endOf(parent: ChainedDelegation, seconds: number | undefined, now: Date): Date | Refusal {
  const latest = Math.min(...chainOf(parent).map(({ expiresAt }) => expiresAt.getTime()))
  const wanted = seconds === undefined ? latest : now.getTime() + seconds * 1_000
  return wanted > latest
    ? refuse('delegation_not_permitted', 'is longer than the delegation', 'expires_in')
    : new Date(wanted)
}
