import type {
  AuditRecord,
  ClientNoun,
  DelegationFilter,
  Entities,
  Noun,
  Page,
  RecordFilter,
  RegisteredDelegation,
  RegisteredEnrolment,
  RegisteredInstance,
  RegisteredKey,
  RegisteredSigningKey,
} from '../../admin-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { AdminPorts } from './change-call.ts'

type ReadPorts = Pick<AdminPorts, 'registry' | 'now'>

/** One registered thing, whatever its status. */
export async function lookUp<N extends Noun>(ports: ReadPorts, noun: N, id: string): Promise<Entities[N] | Refusal> {
  return (await ports.registry.read.entities[noun].find(id)) ?? refuse('not_found', 'there is none of this id')
}

/** Registered things of one kind, in order of id. */
export function lookUpAll<N extends Noun>(ports: ReadPorts, noun: N, page: Page): Promise<readonly Entities[N][]> {
  return ports.registry.read.entities[noun].page(page)
}

/** One key of a client, retired or not. */
export async function lookUpKey(
  ports: ReadPorts,
  noun: ClientNoun,
  id: string,
  kid: string,
): Promise<RegisteredKey | Refusal> {
  const owner = await ports.registry.read.entities[noun].find(id)
  const key = owner && (await ports.registry.read.keys.find(id, kid))
  return key ?? refuse('not_found', 'there is no such key')
}

/** The keys of a client, retired ones included. */
export async function lookUpKeys(
  ports: ReadPorts,
  noun: ClientNoun,
  id: string,
  page: Page,
): Promise<readonly RegisteredKey[] | Refusal> {
  const owner = await ports.registry.read.entities[noun].find(id)
  return owner === undefined ? refuse('not_found', 'there is none of this id') : ports.registry.read.keys.page(id, page)
}

/** One instance of an agent, in force or not. */
export async function lookUpInstance(
  ports: ReadPorts,
  agentId: string,
  kid: string,
): Promise<RegisteredInstance | Refusal> {
  return (await ports.registry.read.instances.find(agentId, kid)) ?? refuse('not_found', 'there is no such instance')
}

/** Instances of an agent, those that are over included unless only those in force are asked for. */
export async function lookUpInstances(
  ports: ReadPorts,
  agentId: string,
  { isInForce }: { readonly isInForce: boolean },
  page: Page,
): Promise<readonly RegisteredInstance[] | Refusal> {
  const agent = await ports.registry.read.entities.agent.find(agentId)
  if (agent === undefined) return refuse('not_found', 'there is none of this id')
  return ports.registry.read.instances.page(agentId, isInForce ? { inForceAt: ports.now() } : {}, page)
}

/** One enrolment of an agent, whatever became of it. */
export async function lookUpEnrolment(
  ports: ReadPorts,
  agentId: string,
  id: string,
): Promise<RegisteredEnrolment | Refusal> {
  return (await ports.registry.read.enrolments.find(agentId, id)) ?? refuse('not_found', 'there is no such enrolment')
}

/** Enrolments of an agent, newest first. */
export async function lookUpEnrolments(
  ports: ReadPorts,
  agentId: string,
  page: Page,
): Promise<readonly RegisteredEnrolment[] | Refusal> {
  const agent = await ports.registry.read.entities.agent.find(agentId)
  return agent === undefined
    ? refuse('not_found', 'there is none of this id')
    : ports.registry.read.enrolments.page(agentId, page)
}

/** Sign-in links of a principal, newest first. */
export const lookUpSignInLinks = (ports: ReadPorts, principalId: string, page: Page) =>
  ofPrincipal(ports, principalId, () => ports.registry.read.signInLinks.page(principalId, page))

/** Passkeys of a principal, newest first. */
export const lookUpPasskeys = (ports: ReadPorts, principalId: string, page: Page) =>
  ofPrincipal(ports, principalId, () => ports.registry.read.passkeys.page(principalId, page))

/** The accounts elsewhere by which a principal signs in. */
export const lookUpUpstreamIdentities = (ports: ReadPorts, principalId: string, page: Page) =>
  ofPrincipal(ports, principalId, () => ports.registry.read.upstreamIdentities.page(principalId, page))

/** What belongs to a principal, if there is one of this id. */
async function ofPrincipal<Item>(
  { registry }: ReadPorts,
  principalId: string,
  read: () => Promise<readonly Item[]>,
): Promise<readonly Item[] | Refusal> {
  const principal = await registry.read.entities.principal.find(principalId)
  return principal === undefined ? refuse('not_found', 'there is none of this id') : read()
}

export async function lookUpDelegation(ports: ReadPorts, id: string): Promise<RegisteredDelegation | Refusal> {
  return (await ports.registry.read.delegations.find(id)) ?? refuse('not_found', 'there is no such delegation')
}

/** Delegations, newest first. */
export function lookUpDelegations(
  ports: ReadPorts,
  filter: DelegationFilter,
  page: Page,
): Promise<readonly RegisteredDelegation[]> {
  return ports.registry.read.delegations.page(filter, page)
}

/** Entries of the account, newest first. */
export function lookUpRecords(ports: ReadPorts, filter: RecordFilter, page: Page): Promise<readonly AuditRecord[]> {
  return ports.registry.read.records.page(filter, page)
}

/** The server's keys, the one activated last first. */
export function lookUpSigningKeys(ports: ReadPorts): Promise<readonly RegisteredSigningKey[]> {
  return ports.registry.read.signingKeys.all(ports.now())
}
