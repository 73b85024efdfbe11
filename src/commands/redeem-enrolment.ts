import { isRefusal, type Refusal } from '../core/refusal.ts'
import type { Clock, Enrolments, Ids, NewKeyProofs, ProofCall, StrangerTally } from '../ports.ts'

export interface RedeemPorts {
  readonly now: Clock
  readonly ids: Ids
  readonly newKeyProofs: NewKeyProofs
  readonly enrolments: Enrolments
  readonly strangers: StrangerTally
}

export interface RedeemRequest {
  readonly code: string
  readonly label: string | undefined
  readonly proof: ProofCall
  readonly requestId: string
}

/** Whose key it is now. */
export interface RedeemedEnrolment {
  readonly agentId: string
  readonly kid: string
}

/**
 * Binds a key to the agent that an administrator made the code for.
 *
 * @throws only when a port fails: then no key was bound.
 */
export async function redeemEnrolment(
  ports: RedeemPorts,
  request: RedeemRequest,
): Promise<RedeemedEnrolment | Refusal> {
  const now = ports.now()

  // Step 1: does the caller hold the key? Any new one will do here, the code says whose it becomes.
  const proved = ports.newKeyProofs.check(request.proof, now)
  if (isRefusal(proved)) {
    ports.strangers.count(proved.code)
    return proved
  }

  // Step 2: use up the proof and the code, add the key, write it down: one transaction, so one winner.
  const redeemed = await ports.enrolments.redeem({
    ...proved,
    code: request.code,
    label: request.label,
    recordId: ports.ids.recordId(),
    requestId: request.requestId,
  })
  if (isRefusal(redeemed)) ports.strangers.count(redeemed.code)
  return redeemed
}
