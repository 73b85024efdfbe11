import { type Refusal, refuse } from '../../core/refusal.ts'
import type { OwnAffairs, OwnStops } from '../../me-ports.ts'
import type { Clock, Ids } from '../../ports.ts'

export interface StopOwnPorts {
  readonly now: Clock
  readonly ids: Pick<Ids, 'recordId'>
  readonly own: Pick<OwnAffairs, 'agent'>
  readonly stops: OwnStops
}

/** Who stops it, and where he is signed in. */
export interface StopCall {
  readonly principalId: string
  readonly loginId: string
  readonly requestId: string
}

/**
 * A principal revokes a delegation of his, and with it all that was given on from it. No exchange that starts after the answer
 * rests on it. Revoking it twice is the same.
 *
 * @returns how many delegations ended.
 */
export async function revokeOwnDelegation(
  { now, ids, stops }: StopOwnPorts,
  call: StopCall,
  id: string,
): Promise<number | Refusal<'not_found'>> {
  const ended = await stops.revoke(id, { ...call, recordId: ids.recordId() }, now())
  return ended ?? refuse('not_found', 'you have no such delegation')
}

/** A principal stops an agent for himself: every delegation of his to it ends, and all that was given on from them. */
export async function stopOwnAgent(
  { now, ids, own, stops }: StopOwnPorts,
  call: StopCall,
  agentId: string,
): Promise<number | Refusal<'not_found'>> {
  const agent = await own.agent(call.principalId, agentId, now())
  if (agent === undefined) return refuse('not_found', 'no such agent acts for you')
  return stops.stopAgent(agentId, { ...call, recordId: ids.recordId() }, now())
}
