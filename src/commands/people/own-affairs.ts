import type { Page } from '../../admin-ports.ts'
import type { ActionType } from '../../core/action/action-type.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type {
  OwnAffairs,
  OwnAgent,
  OwnDelegation,
  OwnDelegationFilter,
  OwnEntry,
  OwnEntryFilter,
} from '../../me-ports.ts'
import type { Clock, Directory } from '../../ports.ts'
import { type DescribedAction, describeAction } from './describe-action.ts'

export type { OwnAgent, OwnDelegation, OwnEntry, OwnEntryFilter } from '../../me-ports.ts'

export interface OwnAffairsPorts {
  readonly now: Clock
  readonly own: OwnAffairs
  readonly directory: Pick<Directory, 'actionType'>
}

/** A delegation, and the types as they are now that its bounds name; one that is not known any more is not in the map. */
export interface ShownDelegation extends OwnDelegation {
  readonly types: ReadonlyMap<string, ActionType>
}

/** An entry of the account, and in words what was to be done. */
export interface ShownEntry extends OwnEntry {
  readonly described: DescribedAction | undefined
}

/** The agents that act for a principal, in order of id. */
export const listOwnAgents = (
  { own, now }: OwnAffairsPorts,
  principalId: string,
  page: Page,
): Promise<readonly OwnAgent[]> => own.agents(principalId, now(), page)

/** An agent that has, or had, a delegation of the principal. */
export async function findOwnAgent(
  { own, now }: OwnAffairsPorts,
  principalId: string,
  agentId: string,
): Promise<OwnAgent | Refusal<'not_found'>> {
  return (await own.agent(principalId, agentId, now())) ?? refuse('not_found', 'no such agent acts for you')
}

/** Delegations of a principal, newest first. */
export async function listOwnDelegations(
  ports: OwnAffairsPorts,
  principalId: string,
  { isOpen, agent }: Pick<OwnDelegationFilter, 'agent'> & { readonly isOpen: boolean },
  page: Page,
): Promise<readonly ShownDelegation[]> {
  const now = ports.now()
  return withTypes(
    ports,
    await ports.own.delegations(principalId, { agent, ...(isOpen && { openAt: now }) }, now, page),
  )
}

/** A delegation of the principal, and what was given on from it. */
export async function findOwnDelegation(
  ports: OwnAffairsPorts,
  principalId: string,
  id: string,
  maxBelow: number,
): Promise<{ readonly delegation: ShownDelegation; readonly below: readonly OwnDelegation[] } | Refusal<'not_found'>> {
  const now = ports.now()
  const found = await ports.own.delegation(principalId, id, now)
  const [delegation] = found === undefined ? [] : await withTypes(ports, [found])
  if (delegation === undefined) return refuse('not_found', 'you have no such delegation')
  return { delegation, below: await ports.own.below(principalId, id, now, maxBelow) }
}

/** What was done, or was to be done, for a principal: newest first. */
export async function listOwnEntries(
  { own, directory }: OwnAffairsPorts,
  principalId: string,
  filter: OwnEntryFilter,
  page: Page,
): Promise<readonly ShownEntry[]> {
  const found = await own.entries(principalId, filter, page)
  return Promise.all(
    found.map(async (entry) => ({ ...entry, described: await describeAction({ directory }, entry.record) })),
  )
}

async function withTypes(
  { directory }: OwnAffairsPorts,
  found: readonly OwnDelegation[],
): Promise<readonly ShownDelegation[]> {
  const named = found.flatMap(({ delegation: { authorizationDetails, approval } }) =>
    [...authorizationDetails, ...(approval.outside ?? [])].flatMap(typeOf),
  )
  const known = await Promise.all([...new Set(named)].map((type) => directory.actionType(type, 'cached')))
  const types = new Map(
    known.flatMap((one) => (one === undefined ? [] : [[one.actionType.type, one.actionType] as const])),
  )
  return found.map((one) => ({ ...one, types }))
}

const typeOf = (bound: unknown): readonly string[] =>
  typeof bound === 'object' && bound !== null && 'type' in bound && typeof bound.type === 'string' ? [bound.type] : []
