import type { ActionType } from '../core/action/action-type.ts'
import type { Action } from '../core/action/parse-action.ts'
import { digestMembers, parseAction } from '../core/action/parse-action.ts'
import { type Resource, takesActionType } from '../core/action/resource.ts'
import { actorClaim } from '../core/agent/actor-chain.ts'
import { isKeyCurrent } from '../core/agent/client.ts'
import { type Bound, parseBound } from '../core/delegation/bound.ts'
import { type Delegation, isDelegationCurrent } from '../core/delegation/delegation.ts'
import { isJsonArray, isJsonObject, type JsonValue, ownMember, parseJson } from '../core/json.ts'
import { decide } from '../core/policy/decide.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { type ActionTokenClaims, actionTokenExpiry } from '../core/token/action-token.ts'
import type {
  Authentication,
  Clock,
  DecidedOn,
  Directory,
  Freshness,
  Ids,
  RecordEntry,
  SubjectToken,
  SubjectTokens,
} from '../ports.ts'
import type { IssueRequest } from './issue-action-token.ts'

export interface ConsiderPorts {
  readonly issuer: string
  /** Lifetime of an action token where its resource does not say. Unit: seconds. */
  readonly defaultLifetimeSeconds: number
  readonly now: Clock
  readonly ids: Ids
  readonly subjectTokens: SubjectTokens
  readonly directory: Directory
}

/** What can be said about an exchange in the account, however far it came. */
type About = Omit<RecordEntry, 'id' | 'kind'> & { readonly kind: 'action_token' }

export type Considered =
  | { readonly refusal: Refusal; readonly about: About }
  | {
      readonly refusal?: never
      readonly about: About
      readonly action: Action
      readonly claims: ActionTokenClaims
      readonly decidedOn: DecidedOn
    }

/** Steps 2 to 4 on facts of one freshness: decides, writes nothing. */
export async function considerAction(
  ports: ConsiderPorts,
  request: IssueRequest,
  { client: { id: clientId }, jkt = '', assertionKid }: Authentication,
  freshness: Freshness,
  now: Date,
): Promise<Considered> {
  let about: About = {
    kind: 'action_token',
    client: clientId,
    agent: clientId,
    resource: request.resource,
    jkt,
    requestId: request.requestId,
  }
  const no = (refusal: Refusal): Considered => ({ refusal, about })

  const agent = await ports.directory.client(clientId, freshness)
  if (agent?.status !== 'active') return no(refuse('client_inactive', 'the agent is not active'))
  if (agent.kind !== 'agent') return no(refuse('grant_not_allowed', 'only an agent exchanges for an action'))
  const isActive = (kid: string) => agent.keys.some((key) => key.kid === kid && isKeyCurrent(key, now))
  if (!isActive(assertionKid)) return no(refuse('assertion_invalid', 'the key of the assertion is not active'))
  if (!isActive(jkt)) return no(refuse('proof_key_mismatch', 'the key of the proof is not active'))

  // For whom: the token names a delegation, the row decides (RFC 8693 §4.4).
  const subject = await ports.subjectTokens.verify(request.subjectToken, now)
  if (isRefusal(subject)) return no(subject)
  if (subject.agentId !== agent.id) return no(refuse('subject_token_invalid', '"may_act" names another agent'))
  const delegation = await ports.directory.delegation(subject.delegationId, freshness)
  if (delegation === undefined || !isNamedBy(delegation, subject)) {
    return no(refuse('subject_token_invalid', '"subject_token" names no delegation to this agent'))
  }
  about = { ...about, principal: delegation.principal.id, delegation: delegation.id }
  if (!isDelegationCurrent(delegation, now)) {
    return no(refuse('delegation_inactive', 'the delegation is revoked, expired or not yet valid'))
  }
  if (delegation.principal.status !== 'active') return no(refuse('principal_inactive', 'the principal is not active'))

  // Where (RFC 8707 §2).
  const resource = await ports.directory.resource(request.resource, freshness)
  if (resource?.status !== 'active') return no(refuse('resource_unknown', 'unknown "resource"'))
  if (!isNamedPlace(delegation, resource)) {
    return no(refuse('resource_not_delegated', 'the delegation does not name this "resource"'))
  }

  // Step 2: what exactly do they want to do? Unknown types and members are refused (RFC 9396 §5).
  const element = soleElement(request.authorizationDetails)
  if (isRefusal(element)) return no(element)
  const type = isJsonObject(element) ? ownMember(element, 'type') : undefined
  const known = typeof type === 'string' ? await ports.directory.actionType(type, freshness) : undefined
  if (known === undefined) return no(refuse('action_type_unknown', 'unknown action "type"', 'type'))
  about = { ...about, actionType: known.actionType.type, actionTypeVersion: known.actionType.version }
  if (!takesActionType(resource, known.actionType.type)) {
    return no(refuse('action_type_not_at_resource', 'this "resource" does not take actions of this type'))
  }
  const action = parseAction(element, known.actionType, resource.identifier)
  if (isRefusal(action)) return no(action)
  about = { ...about, action: action.canonical, actionDigest: action.digest }
  if (known.status !== 'active') return no(refuse('action_type_inactive', 'the action type is suspended', 'type'))

  // Steps 3 and 4: the action fits one bound of the delegation wholly, or it is forbidden.
  const decision = decide(action, boundsOf(delegation, action), resource.identifier)
  if (decision.effect !== 'permit') {
    // No bound of this type: then the type is what does not fit.
    const member = decision.near?.member ?? 'type'
    return no(refuse('action_not_permitted', 'the action is outside the bounds', member))
  }

  const iat = Math.floor(now.getTime() / 1_000)
  const lifetimeSeconds = resource.tokenLifetimeSeconds ?? ports.defaultLifetimeSeconds
  const exp = actionTokenExpiry(now, lifetimeSeconds, delegation.expiresAt)
  if (exp <= iat) return no(refuse('delegation_inactive', 'the delegation expires now'))
  const claims: ActionTokenClaims = {
    iss: ports.issuer,
    aud: resource.identifier,
    sub: delegation.principal.id,
    client_id: agent.id,
    act: actorClaim(ports.issuer, [agent.id]),
    cnf: { jkt },
    authorization_details: [resource.tokenContent === 'digest' ? digestMembers(action) : action.details],
    delegation_id: delegation.id,
    txn: ports.ids.random(),
    jti: ports.ids.random(),
    iat,
    exp,
  }
  about = {
    ...about,
    jti: claims.jti,
    txn: claims.txn,
    because: decision.because,
    tokenIssuedAt: iat,
    tokenExpiresAt: exp,
  }
  const decidedOn = {
    assertionKid,
    lineage: delegation.lineage,
    resourceId: resource.id,
    resourceVersion: resource.version,
  }
  return { about, action, claims, decidedOn }
}

/** The row and the token tell the same story, or the token is not of this delegation. */
const isNamedBy = (delegation: Delegation, subject: SubjectToken) =>
  delegation.agentId === subject.agentId && delegation.principal.id === subject.principalId

/** Whether the delegation, or one of its bounds, names the place. Which bound counts is decided later. */
function isNamedPlace(delegation: Delegation, { identifier }: Resource): boolean {
  if (delegation.resource !== undefined) return delegation.resource === identifier
  return delegation.authorizationDetails.some(
    (bound) => isJsonObject(bound) && isJsonArray(bound.locations) && bound.locations.includes(identifier),
  )
}

/** One token, one action: an array of exactly one element. */
function soleElement(authorizationDetails: string): JsonValue | Refusal {
  const parsed = parseJson(authorizationDetails)
  if (isRefusal(parsed)) return refuse('json_malformed', `"authorization_details": ${parsed.detail}`)
  const [element, ...more] = isJsonArray(parsed) ? parsed : []
  return element === undefined || more.length > 0
    ? refuse('action_malformed', '"authorization_details" must be an array of exactly one element')
    : element
}

/**
 * The bounds this action could fit: of its type, and valid under the type as it is now.
 *
 * Parsed once for each delegation and version of the type that are remembered: both are immutable.
 */
function boundsOf(delegation: Delegation, { type }: Action): readonly Bound[] {
  let byType = PARSED_BOUNDS.get(delegation)
  if (byType === undefined) {
    byType = new WeakMap()
    PARSED_BOUNDS.set(delegation, byType)
  }
  let bounds = byType.get(type)
  if (bounds === undefined) {
    bounds = delegation.authorizationDetails
      .filter((bound) => isJsonObject(bound) && bound.type === type.type)
      .map((bound) => parseBound(bound, type, { resource: delegation.resource }))
      .filter((bound): bound is Bound => !isRefusal(bound))
    byType.set(type, bounds)
  }
  return bounds
}

const PARSED_BOUNDS = new WeakMap<Delegation, WeakMap<ActionType, readonly Bound[]>>()
