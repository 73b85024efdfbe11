import type { Page, RegisteredDelegation, Registry } from '../admin-ports.ts'
import type { Admission, Clock } from '../ports.ts'

export interface OwnDelegationPorts {
  readonly now: Clock
  readonly admission: Admission
  readonly registry: Registry
}

/** What an agent may do now or later: its delegations that have neither ended nor been revoked, newest first. */
export function listOwnDelegations(
  { now, registry }: OwnDelegationPorts,
  agentId: string,
  page: Page,
): Promise<readonly RegisteredDelegation[]> {
  return registry.read.delegations.page({ agent: agentId, openAt: now() }, page)
}
