import type { RegisteredDelegation, RegistryWriter } from '../../admin-ports.ts'
import { type Bound, parseBound } from '../../core/delegation/bound.ts'
import type { Delegable } from '../../core/delegation/delegation.ts'
import { checkLimits, type Limits } from '../../core/delegation/limits.ts'
import { isJsonObject, type JsonValue } from '../../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/** A delegation as an administrator writes it; its bounds are judged here. */
export interface DelegationRequest {
  readonly principal: string
  readonly agent: string
  readonly resource: string | undefined
  readonly authorizationDetails: readonly JsonValue[]
  readonly limits?: Limits | undefined
  readonly delegable?: Delegable | undefined
  readonly notBefore: Date | undefined
  readonly expiresAt: Date | undefined
  readonly purpose: string | undefined
}

/** Records that a principal lets an agent do actions within bounds, until. Immutable but for its end. */
export async function grantDelegation(
  ports: AdminPorts,
  call: ChangeCall<RegisteredDelegation>,
  request: DelegationRequest,
): Promise<RegisteredDelegation | Refusal> {
  const now = ports.now()
  // Step 1: how long?
  const period = periodOf(request, ports.maxDelegationSeconds, now)
  if (isRefusal(period)) return period

  // Step 2: what, and where? Read outside of the transaction: an issuance parses the bounds again by the type it finds.
  const bounds: Bound[] = []
  const places = new Set<string>(request.resource === undefined ? [] : [request.resource])
  for (const [n, value] of request.authorizationDetails.entries()) {
    const bound = await readBound(ports, value, request.resource)
    if (isRefusal(bound)) return refuse(bound.code, bound.detail, inElement(n, bound.member))
    for (const location of bound.locations) places.add(location)
    bounds.push(bound)
  }
  const uncountable = request.limits && checkLimits(request.limits, bounds)
  if (uncountable !== undefined) return uncountable

  return call.change(async (writer) => {
    // Step 3: are all whom it names there and active?
    const missing =
      (await missingParty(ports, writer, request)) ??
      (await missingPlace(writer, request, places)) ??
      (await missingHeir(writer, request))
    if (missing !== undefined) return missing

    // Step 4: write it, and who did.
    const id = `dlg_${ports.ids.recordId()}`
    await writer.delegations.add({
      id,
      principalId: request.principal,
      agentId: request.agent,
      resource: request.resource ?? null,
      authorizationDetails: request.authorizationDetails,
      limits: request.limits,
      delegable: request.delegable,
      grantedBy: `admin:${call.administrator.clientId}`,
      purpose: request.purpose ?? null,
      notBefore: request.notBefore ?? null,
      expiresAt: period.expiresAt,
      createdAt: now,
    })
    const stored = await writer.delegations.find(id)
    if (stored === undefined) throw new Error('the delegation that was just granted is missing')
    await recordDeed(ports, call, writer, { operation: 'delegation.grant', target: id, ...subjectOf(stored) })
    return stored
  })
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

async function readBound(ports: AdminPorts, value: JsonValue, resource: string | undefined) {
  const type = isJsonObject(value) && Object.hasOwn(value, 'type') ? value.type : undefined
  const known = typeof type === 'string' ? await ports.directory.actionType(type, 'fresh') : undefined
  if (known === undefined) return refuse('bound_invalid', 'names no action type', 'type')
  return parseBound(value, known.actionType, { resource })
}

const inElement = (n: number, member: string | undefined) =>
  `authorization_details[${n}]${member === undefined || member === '' ? '' : `.${member}`}`

async function missingParty(
  { administratorsGrantForPersons }: AdminPorts,
  writer: RegistryWriter,
  request: DelegationRequest,
): Promise<Refusal | undefined> {
  const principal = await writer.entities.principal.find(request.principal)
  if (principal?.status !== 'active') return refuse('member_invalid', 'names no active principal', 'principal')
  if (principal.kind === 'person' && !administratorsGrantForPersons) {
    return refuse('administrator_not_allowed', 'administrators do not grant for persons here', 'principal')
  }
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
