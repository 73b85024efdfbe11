import type { RegisteredDelegation, RegisteredPrincipal, RegistryWriter } from '../admin-ports.ts'
import type { ApprovalRule } from '../core/delegation/approval-rule.ts'
import { type Bound, parseBound } from '../core/delegation/bound.ts'
import type { Delegable } from '../core/delegation/delegation.ts'
import { checkLimits, type Limits } from '../core/delegation/limits.ts'
import { isJsonObject, type JsonValue, ownMember } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type { Clock, Directory, Ids } from '../ports.ts'

export interface GrantPorts {
  readonly now: Clock
  readonly ids: Ids
  readonly directory: Directory
  /** How long a delegation may last, and lasts where nothing is said. Unit: seconds. */
  readonly maxDelegationSeconds: number
}

/** A delegation as it is written by whoever grants it; its bounds are judged here. */
export interface DelegationRequest {
  readonly principal: string
  readonly agent: string
  readonly resource: string | undefined
  readonly authorizationDetails: readonly JsonValue[]
  readonly limits?: Limits | undefined
  readonly delegable?: Delegable | undefined
  /** Absent: nobody is asked. */
  readonly approval?: ApprovalRule | undefined
  readonly notBefore: Date | undefined
  readonly expiresAt: Date | undefined
  readonly purpose: string | undefined
}

/** What was judged before the transaction: the bounds, where they count, and until when. */
export interface JudgedGrant {
  readonly request: DelegationRequest
  readonly bounds: readonly Bound[]
  readonly places: ReadonlySet<string>
  readonly expiresAt: Date
  readonly now: Date
}

/**
 * Whether a delegation may be as it is written, whoever grants it: an administrator or the principal.
 *
 * Read outside of the transaction: an issuance parses the bounds again by the type it finds.
 */
export async function judgeGrant(ports: GrantPorts, request: DelegationRequest): Promise<JudgedGrant | Refusal> {
  const now = ports.now()
  const period = periodOf(request, ports.maxDelegationSeconds, now)
  if (isRefusal(period)) return period
  const bounds = await readBounds(ports, request.authorizationDetails, request.resource)
  if (isRefusal(bounds)) return bounds
  const places = new Set<string>(request.resource === undefined ? [] : [request.resource])
  for (const { locations } of bounds) for (const location of locations) places.add(location)
  // What needs no approval is written as bounds too; it widens nothing, so it need not be within anything.
  const free = await readBounds(ports, request.approval?.outside ?? [], request.resource, 'approval.outside')
  if (isRefusal(free)) return free
  const uncountable = request.limits && checkLimits(request.limits, bounds)
  return uncountable ?? { request, bounds, places, expiresAt: period.expiresAt, now }
}

/** Bounds, each judged by the action type that it names, as that type is now. */
export async function readBounds(
  { directory }: Pick<GrantPorts, 'directory'>,
  values: readonly JsonValue[],
  resource: string | undefined,
  /** Where they stand, for a refusal. */
  list = 'authorization_details',
): Promise<readonly Bound[] | Refusal> {
  const bounds: Bound[] = []
  for (const [n, value] of values.entries()) {
    const type = isJsonObject(value) ? ownMember(value, 'type') : undefined
    const known = typeof type === 'string' ? await directory.actionType(type, 'fresh') : undefined
    const bound =
      known === undefined
        ? refuse('bound_invalid', 'names no action type', 'type')
        : parseBound(value, known.actionType, { resource })
    if (isRefusal(bound)) return refuse(bound.code, bound.detail, inElement(list, n, bound.member))
    bounds.push(bound)
  }
  return bounds
}

const inElement = (list: string, n: number, member: string | undefined) =>
  `${list}[${n}]${member === undefined || member === '' ? '' : `.${member}`}`

/** Who grants it: the column `granted_by`, and what must hold of the principal beyond being active. */
export interface Granting {
  readonly grantedBy: string
  readonly mayGrantFor?: (principal: RegisteredPrincipal) => Refusal | undefined
}

/** Writes a judged delegation, if all whom it names are there and active. The caller adds who did it to the account. */
export async function writeGrant(
  ports: Pick<GrantPorts, 'ids'>,
  writer: RegistryWriter,
  { request, places, expiresAt, now }: JudgedGrant,
  { grantedBy, mayGrantFor }: Granting,
): Promise<RegisteredDelegation | Refusal> {
  const missing =
    (await missingParty(writer, request, mayGrantFor)) ??
    (await missingPlace(writer, request, places)) ??
    (await missingHeir(writer, request)) ??
    (await missingApprover(writer, request.approval))
  if (missing !== undefined) return missing
  const id = `dlg_${ports.ids.recordId()}`
  await writer.delegations.add({
    id,
    principalId: request.principal,
    agentId: request.agent,
    resource: request.resource ?? null,
    authorizationDetails: request.authorizationDetails,
    limits: request.limits,
    delegable: request.delegable,
    approval: request.approval,
    grantedBy,
    purpose: request.purpose ?? null,
    notBefore: request.notBefore ?? null,
    expiresAt,
    createdAt: now,
  })
  const stored = await writer.delegations.find(id)
  if (stored === undefined) throw new Error('the delegation that was just granted is missing')
  return stored
}

/** The columns of the account under which a delegation is found. */
export function subjectOf({ id, agentId, principal, resource }: RegisteredDelegation) {
  return { delegation: id, agent: agentId, principal: principal.id, resource }
}

function periodOf(
  { notBefore, expiresAt }: DelegationRequest,
  maxSeconds: number,
  now: Date,
): { readonly expiresAt: Date } | Refusal {
  const latest = new Date(now.getTime() + maxSeconds * 1_000)
  const end = expiresAt ?? latest
  if (end <= now) return refuse('member_invalid', 'must be in the future', 'expires_at')
  if (end > latest) return refuse('member_invalid', `must be within ${maxSeconds} seconds from now`, 'expires_at')
  if (notBefore !== undefined && notBefore >= end) {
    return refuse('member_invalid', 'must be before "expires_at"', 'not_before')
  }
  return { expiresAt: end }
}

async function missingParty(
  writer: RegistryWriter,
  request: DelegationRequest,
  mayGrantFor: Granting['mayGrantFor'],
): Promise<Refusal | undefined> {
  const principal = await writer.entities.principal.find(request.principal)
  if (principal?.status !== 'active') return refuse('member_invalid', 'names no active principal', 'principal')
  const forbidden = mayGrantFor?.(principal)
  if (forbidden !== undefined) return forbidden
  const agent = await writer.entities.agent.find(request.agent)
  return agent?.status === 'active' ? undefined : refuse('member_invalid', 'names no active agent', 'agent')
}

/** Whom it may be given on to is there; whether he is active is asked when it is given on. */
async function missingHeir(writer: RegistryWriter, { delegable }: DelegationRequest): Promise<Refusal | undefined> {
  const named = delegable?.agents ?? []
  const [unknown] = named.length === 0 ? [] : await writer.unknownAgents(named)
  if (unknown === undefined) return undefined
  return refuse('member_invalid', 'names no agent', `delegable.agents[${named.indexOf(unknown)}]`)
}

/** Whoever is to be asked is there and active: a rule that nobody can answer would be a no in disguise. */
async function missingApprover(
  writer: RegistryWriter,
  approval: ApprovalRule | undefined,
): Promise<Refusal | undefined> {
  for (const [n, id] of (approval?.approvers ?? []).entries()) {
    const approver = await writer.entities.principal.find(id)
    if (approver?.status === 'active') continue
    return refuse('member_invalid', 'names no active principal', `approval.approvers[${n}]`)
  }
  return undefined
}

async function missingPlace(
  writer: RegistryWriter,
  { resource }: DelegationRequest,
  places: ReadonlySet<string>,
): Promise<Refusal | undefined> {
  const found = await writer.activeIdentifiers([...places])
  if ([...places].every((place) => found.has(place))) return undefined
  return refuse(
    'member_invalid',
    'names no active resource, by its identifier',
    resource === undefined ? 'authorization_details' : 'resource',
  )
}
