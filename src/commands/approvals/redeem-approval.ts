import type { Approvals, StoredApproval } from '../../approval-ports.ts'
import { isKeyCurrent } from '../../core/agent/client.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { APPROVAL_DETAILS } from '../../core/token/approval-detail.ts'
import type { ClientEvidence, RecordEntry } from '../../ports.ts'
import { type Admitted, admitClient, refusedByCommit, refuseOnRecord } from '../admit-client.ts'
import { commitRefusal } from '../commit-detail.ts'
import { type IssueOutcome, type IssuePorts, issueApproved } from '../issue-action-token.ts'
import { actionOf } from './approval-view.ts'

export interface RedeemPorts extends IssuePorts {
  readonly approvals: Pick<Approvals, 'findByAuthReqId' | 'countPoll' | 'makeVoid'>
}

/** One poll, as the front door read it: nothing in it is believed yet. */
export interface RedeemRequest {
  readonly evidence: ClientEvidence
  readonly authReqId: string
  readonly requestId: string
}

/** What a poll is answered. `TooSoon`: nothing is decided yet, and the interval is longer from now on. */
export type RedeemOutcome = IssueOutcome | TooSoon

export interface TooSoon {
  readonly kind: 'too_soon'
  readonly intervalSeconds: number
}

/**
 * Answers the poll of an agent that waits for a yes (CIBA Core §10.1): not yet, no, or the one action token.
 *
 * Only the agent that asked, with the key that it asked with, is told anything: to everybody else there is no such approval.
 */
export async function redeemApproval(ports: RedeemPorts, request: RedeemRequest): Promise<RedeemOutcome> {
  // Step 1: who is asking?
  const admitted = await admitClient(ports, request, 1, ports.now())
  if (admitted.kind === 'refused') return admitted
  const { attemptId, authentication } = admitted
  const { client, jkt = '', marks } = authentication
  let about: Omit<RecordEntry, 'id'> = {
    ...{ kind: 'action_token', client: client.id, jkt, requestId: request.requestId },
    ...(client.kind === 'agent' && { agent: client.id }),
  }
  const no = (refusal: Refusal) => refuseOnRecord(ports, { attemptId, marks }, refusal, about, true)

  // Step 2: is it theirs?
  const approval = await ports.approvals.findByAuthReqId(request.authReqId)
  if (approval?.agent.id !== client.id || approval.jkt !== jkt || approval.state === 'redeemed') {
    return no(refuse('approval_unknown', 'there is no such "auth_req_id" for this agent and key'))
  }
  about = { ...about, ...aboutOf(approval) }

  // Step 3: what was answered? Of what is approved everything else is decided again, with what it rests on now.
  switch (approval.state) {
    case 'approved':
      return redeem(ports, approval, admitted, request.requestId)
    case 'denied':
      return no(refuse('approval_denied', APPROVAL_DETAILS.approval_denied))
    case 'expired':
      return no(refuse('approval_expired', 'the approval was not answered, or not asked for, in time'))
    case 'void':
      return no(refuse('approval_void', APPROVAL_DETAILS.approval_void))
    case 'pending':
      return wait(ports, approval, admitted, about)
  }
}

async function redeem(
  ports: RedeemPorts,
  approval: StoredApproval,
  admitted: Admitted,
  requestId: string,
): Promise<IssueOutcome> {
  const { id, resource, turn, delegationId, principal, actionDigest, actionTypeVersion, needs } = approval
  const outcome = await issueApproved(
    ports,
    {
      ...{ resource, element: actionOf(approval), turn: turn ?? undefined, subjectToken: '', requestId },
      approved: { id, delegationId, principalId: principal.id, actionDigest, actionTypeVersion, needs },
    },
    admitted,
  )
  // What was refused for what has changed stays refused, whatever becomes of it.
  if (outcome.kind === 'refused') await ports.approvals.makeVoid(id)
  return outcome
}

/** Nobody has answered yet. What was presented is used up, and the poll is counted. */
async function wait(
  ports: RedeemPorts,
  approval: StoredApproval,
  admitted: Admitted,
  about: Omit<RecordEntry, 'id'>,
): Promise<IssueOutcome | TooSoon> {
  const { attemptId, authentication } = admitted
  const { marks } = authentication
  const no = (refusal: Refusal) => refuseOnRecord(ports, { attemptId, marks }, refusal, about, true)
  // The commit below looks at marks alone, so whoever asks is looked at afresh here.
  const stopped = await inactive(ports, authentication)
  if (stopped !== undefined) return no(stopped)
  if (!approval.isStanding) {
    await ports.approvals.makeVoid(approval.id)
    return no(refuse('approval_void', APPROVAL_DETAILS.approval_void))
  }
  const committed = await ports.issuance.commit({ attemptId, marks, decision: 'none' })
  if (committed.outcome === 'refused') {
    const record = { ...about, id: ports.ids.recordId() }
    return refusedByCommit(ports, commitRefusal(committed.code, authentication), record, committed.isStored, true)
  }
  const { isTooSoon, intervalSeconds, expiresInSeconds } = await ports.approvals.countPoll(approval.id)
  if (isTooSoon) return { kind: 'too_soon', intervalSeconds }
  return {
    ...{ kind: 'pending', approvalId: approval.id, authReqId: approval.authReqId },
    ...{ expiresInSeconds, intervalSeconds },
  }
}

async function inactive(
  { directory, now }: RedeemPorts,
  { client: { id }, assertionKid, jkt = '', instance }: Admitted['authentication'],
): Promise<Refusal | undefined> {
  const client = await directory.client(id, 'fresh')
  if (client?.status !== 'active') return refuse('client_inactive', 'the client is not active')
  const isActive = (kid: string) => client.keys.some((key) => key.kid === kid && isKeyCurrent(key, now()))
  if (!isActive(assertionKid)) return refuse('assertion_invalid', 'the key of the assertion is not active')
  const isStopped = instance !== undefined && (await directory.instance(id, jkt, 'fresh')) === undefined
  return isStopped || (instance === undefined && !isActive(jkt))
    ? refuse('proof_key_mismatch', 'the key of the proof is not active')
    : undefined
}

const aboutOf = (approval: StoredApproval) => ({
  ...{ principal: approval.principal.id, delegation: approval.delegationId, resource: approval.resource },
  ...{ actionType: approval.actionType, actionTypeVersion: approval.actionTypeVersion },
  ...{ action: approval.action, actionDigest: approval.actionDigest },
  ...(approval.turn !== null && { turn: approval.turn }),
  because: { approval: approval.id },
})
