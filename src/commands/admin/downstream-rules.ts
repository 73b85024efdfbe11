import type { Page, RegisteredResource, RegistryWriter } from '../../admin-ports.ts'
import type { RegisteredDownstreamRule } from '../../chain-ports.ts'
import { parseBound } from '../../core/delegation/bound.ts'
import { isJsonObject, type JsonValue, ownMember } from '../../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/** Rules of one resource that are in force. */
const MAX_RULES = 100

/** A rule as an administrator writes it; its bounds are judged here. */
export interface DownstreamRuleRequest {
  readonly resourceId: string
  readonly from: JsonValue
  /** Resource identifier. */
  readonly toResource: string
  readonly authorizationDetails: readonly JsonValue[]
  readonly maxPerToken: number
}

/** Says what a resource server may have done elsewhere, on the strength of an action that it was asked for. */
export async function addDownstreamRule(
  ports: AdminPorts,
  call: ChangeCall<RegisteredDownstreamRule>,
  request: DownstreamRuleRequest,
): Promise<RegisteredDownstreamRule | Refusal> {
  const now = ports.now()
  // Step 1: what may lead to what? An exchange parses the bounds again by the types it finds.
  const here = await ports.registry.read.entities.resource.find(request.resourceId)
  if (here === undefined) return refuse('not_found', 'there is none of this id')
  if (request.toResource === here.identifier) {
    return refuse('member_invalid', 'is the resource itself', 'to_resource')
  }
  const broken = await checkBounds(ports, here, request)
  if (broken !== undefined) return broken

  return call.change(async (writer) => {
    // Step 2: whose rule, and where to? Held until the end, so that its rules are counted.
    const resource = await writer.entities.resource.hold(here.id)
    if (resource === undefined) return refuse('not_found', 'there is none of this id')
    if (resource.status === 'retired') return refuse('status_conflict', 'it is retired, for ever')
    if (!(await writer.activeIdentifiers([request.toResource])).has(request.toResource)) {
      return refuse('member_invalid', 'names no active resource, by its identifier', 'to_resource')
    }
    if ((await writer.downstreamRules.countActive(resource.id)) >= MAX_RULES) {
      return refuse('status_conflict', `it has ${MAX_RULES} downstream rules already`)
    }

    // Step 3: write it, raise the version by which a commit notices it, and who did.
    const id = `dsr_${ports.ids.recordId()}`
    await writer.downstreamRules.add({ ...request, id, createdBy: call.administrator.clientId, createdAt: now })
    return settle(ports, call, writer, resource, id, 'resource.add_downstream_rule')
  })
}

/** Removes a rule: no exchange that starts after the answer goes by it. Removing it twice is the same. */
export function removeDownstreamRule(
  ports: AdminPorts,
  call: ChangeCall<RegisteredDownstreamRule>,
  { resourceId, id }: { readonly resourceId: string; readonly id: string },
): Promise<RegisteredDownstreamRule | Refusal> {
  return call.change(async (writer) => {
    const resource = await writer.entities.resource.hold(resourceId)
    const rule = resource && (await writer.downstreamRules.find(resource.id, id))
    if (resource === undefined || rule === undefined) return refuse('not_found', 'there is no such rule')
    if (!(await writer.downstreamRules.remove(id, ports.now()))) return rule
    return settle(ports, call, writer, resource, id, 'resource.remove_downstream_rule')
  })
}

/** One rule of a resource, removed or not. */
export async function lookUpDownstreamRule(
  ports: Pick<AdminPorts, 'registry'>,
  resourceId: string,
  id: string,
): Promise<RegisteredDownstreamRule | Refusal> {
  const rule = await ports.registry.read.downstreamRules.find(resourceId, id)
  return rule ?? refuse('not_found', 'there is no such rule')
}

/** The rules of a resource, oldest first. */
export async function lookUpDownstreamRules(
  ports: Pick<AdminPorts, 'registry'>,
  resourceId: string,
  page: Page,
): Promise<readonly RegisteredDownstreamRule[] | Refusal> {
  const resource = await ports.registry.read.entities.resource.find(resourceId)
  return resource === undefined
    ? refuse('not_found', 'there is none of this id')
    : ports.registry.read.downstreamRules.page(resourceId, page)
}

async function settle(
  ports: AdminPorts,
  call: ChangeCall<RegisteredDownstreamRule>,
  writer: RegistryWriter,
  resource: RegisteredResource,
  id: string,
  operation: string,
): Promise<RegisteredDownstreamRule> {
  // The rules are part of the resource: what was decided by the version before is decided again.
  if (!(await writer.entities.resource.amend(resource.id, resource.version, {}, ports.now()))) {
    throw new Error('a resource that is held was changed meanwhile')
  }
  const stored = await writer.downstreamRules.find(resource.id, id)
  if (stored === undefined) throw new Error('the rule that was just written is missing')
  const target = `${resource.id}/${id}`
  await recordDeed(ports, call, writer, { operation, target, resource: resource.identifier })
  return stored
}

async function checkBounds(
  ports: AdminPorts,
  here: RegisteredResource,
  { from, toResource, authorizationDetails }: DownstreamRuleRequest,
): Promise<Refusal | undefined> {
  const bounds = [
    { value: from, resource: here.identifier, at: 'from' },
    ...authorizationDetails.map((value, n) => ({ value, resource: toResource, at: `authorization_details[${n}]` })),
  ]
  for (const { value, resource, at } of bounds) {
    const type = isJsonObject(value) ? ownMember(value, 'type') : undefined
    const known = typeof type === 'string' ? await ports.directory.actionType(type, 'fresh') : undefined
    const bound =
      known === undefined
        ? refuse('bound_invalid', 'names no action type', 'type')
        : parseBound(value, known.actionType, { resource })
    if (isRefusal(bound)) return refuse(bound.code, bound.detail, bound.member ? `${at}.${bound.member}` : at)
  }
  return undefined
}
