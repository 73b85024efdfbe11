import type { RegisteredDelegation, RegistryWriter } from '../../admin-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { subjectOf } from '../judge-grant.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/** Ends a delegation and its tree; no issuance that starts after the answer rests on it. Revoking it twice is the same. */
export async function revokeDelegation(
  ports: AdminPorts,
  call: ChangeCall<RegisteredDelegation>,
  id: string,
  reason: string | undefined,
): Promise<RegisteredDelegation | Refusal> {
  return call.change(async (writer) => {
    const revoked = await endDelegation(ports, call, writer, id, reason)
    return revoked ?? refuse('not_found', 'there is no such delegation')
  })
}

/** Ends a delegation inside the caller's transaction. @returns undefined when there is none. */
export async function endDelegation(
  ports: AdminPorts,
  call: Pick<ChangeCall<never>, 'administrator' | 'requestId'>,
  writer: RegistryWriter,
  id: string,
  reason: string | undefined,
): Promise<RegisteredDelegation | undefined> {
  const ended = await writer.delegations.revoke(id, reason ?? null, ports.now())
  const stored = await writer.delegations.find(id)
  if (stored !== undefined && ended > 0) {
    await recordDeed(ports, call, writer, { operation: 'delegation.revoke', target: id, reason, ...subjectOf(stored) })
  }
  return stored
}
