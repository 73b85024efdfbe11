import type { AdminRecord, AdminScope, Entities, Noun, Registry, RegistryWriter } from '../../admin-ports.ts'
import type { ApprovalReader } from '../../approval-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { Clock, Directory, Ids } from '../../ports.ts'
import type { Administrator } from '../authorize-administrator.ts'

/** What the commands of the admin API need. */
export interface AdminPorts {
  readonly now: Clock
  readonly ids: Ids
  readonly registry: Registry
  readonly directory: Directory
  readonly approvals: ApprovalReader
  /** How long a delegation may last, and lasts where nothing is said. Unit: seconds. */
  readonly maxDelegationSeconds: number
  readonly administratorsGrantForPersons: boolean
  /** Why an address is none that this server would ask, as far as the address alone tells; undefined: it may be one. */
  readonly refuseOutboundUrl: (url: string) => string | undefined
  /** How long a sign-in link is good where nothing is said. Unit: seconds. */
  readonly signInLinkSeconds: number
}

/** One call that changes something. `Outcome` is what the administrator is answered with. */
export interface ChangeCall<Outcome> {
  readonly administrator: Administrator
  readonly requestId: string
  /** The one transaction of the call: the change, its record, and what the door keeps of the answer, or nothing. */
  readonly change: (work: (writer: RegistryWriter) => Promise<Outcome | Refusal>) => Promise<Outcome | Refusal>
}

/** What an entry of the account says beyond who and when. */
export type Deed = Omit<AdminRecord, 'id' | 'client' | 'requestId'>

/** Writes the record of a change, in the transaction of the change. */
export function recordDeed(
  { ids }: Pick<AdminPorts, 'ids'>,
  { administrator, requestId }: Pick<ChangeCall<never>, 'administrator' | 'requestId'>,
  writer: Pick<RegistryWriter, 'records'>,
  deed: Deed,
): Promise<void> {
  return writer.records.add({ ...deed, id: ids.recordId(), client: administrator.clientId, requestId })
}

/** The columns of the account under which a thing is found. */
export const SUBJECTS: { readonly [N in Noun]: (entity: Entities[N]) => Partial<Deed> } = {
  agent: ({ id }) => ({ agent: id }),
  principal: ({ id }) => ({ principal: id }),
  resource: ({ identifier }) => ({ resource: identifier }),
  administrator: () => ({}),
  action_type: ({ id, version }) => ({ actionType: id, actionTypeVersion: version }),
}

/** Whether one scope lets its holder do whatever the other does. */
export function covers(held: readonly string[], wanted: AdminScope): boolean {
  return held.includes(wanted) || (wanted === 'admin:read' && held.includes('admin'))
}

/**
 * Refuses an administrator who would give away more than he holds: by a scope, or by a key of someone who has it.
 */
export function beyondOwnScope(
  { scope }: Administrator,
  wanted: readonly AdminScope[],
): Refusal<'administrator_not_allowed'> | undefined {
  const missing = wanted.find((one) => !covers(scope, one))
  return missing && refuse('administrator_not_allowed', `you do not hold the scope "${missing}" yourself`, 'scope')
}
