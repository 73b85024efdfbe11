import type { RegisteredDelegation } from '../../admin-ports.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { type DelegationRequest, judgeGrant, subjectOf, writeGrant } from '../judge-grant.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/** Records that a principal lets an agent do actions within bounds, until. Immutable but for its end. */
export async function grantDelegation(
  ports: AdminPorts,
  call: ChangeCall<RegisteredDelegation>,
  request: DelegationRequest,
): Promise<RegisteredDelegation | Refusal> {
  // Step 1: may it be, as it is written: what, where, until when?
  const judged = await judgeGrant(ports, request)
  if (isRefusal(judged)) return judged

  return call.change(async (writer) => {
    // Step 2: are all whom it names there and active, and may an administrator grant it?
    const stored = await writeGrant(ports, writer, judged, {
      grantedBy: `admin:${call.administrator.clientId}`,
      mayGrantFor: ({ kind }) =>
        kind === 'person' && !ports.administratorsGrantForPersons
          ? refuse('administrator_not_allowed', 'administrators do not grant for persons here', 'principal')
          : undefined,
    })
    if (isRefusal(stored)) return stored

    // Step 3: who did it.
    await recordDeed(ports, call, writer, { operation: 'delegation.grant', target: stored.id, ...subjectOf(stored) })
    return stored
  })
}
