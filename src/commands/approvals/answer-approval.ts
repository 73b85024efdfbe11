import type { Answered, ApprovalState, Approvals } from '../../approval-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { Ids } from '../../ports.ts'

export interface AnswerPorts {
  readonly approvals: Pick<Approvals, 'answer'>
  readonly ids: Ids
}

/** Who answers. An administrator answers for an organization or a service, never for a person. */
export type Answerer =
  | { readonly kind: 'principal'; readonly principalId: string; readonly loginId: string }
  | { readonly kind: 'administrator'; readonly clientId: string; readonly approver: string }

export interface AnswerRequest {
  readonly id: string
  readonly answer: 'approve' | 'deny'
  readonly by: Answerer
  readonly requestId: string
}

/** An answer that counts, and where the approval stands after it: `pending` while more have to say yes. */
export interface ApprovalAnswered {
  readonly state: ApprovalState
  /** It was answered so before. */
  readonly isRepeat: boolean
}

/** Answers an approval: one no ends it, and it is approved when as many as were asked for have said yes. */
export async function answerApproval(
  { approvals, ids }: AnswerPorts,
  { id, answer, by, requestId }: AnswerRequest,
): Promise<ApprovalAnswered | Refusal> {
  const { outcome, state } = await approvals.answer({
    ...{ id, isYes: answer === 'approve', recordId: ids.recordId(), requestId },
    ...(by.kind === 'principal'
      ? { approver: by.principalId, loginId: by.loginId }
      : { approver: by.approver, administrator: by.clientId }),
  })
  if (outcome === 'answered' || outcome === 'repeat') return { state, isRepeat: outcome === 'repeat' }
  return refusalOf(outcome, state)
}

function refusalOf(outcome: Exclude<Answered['outcome'], 'answered' | 'repeat'>, state: ApprovalState): Refusal {
  switch (outcome) {
    case 'not_found':
      return refuse('not_found', 'there is no such approval')
    case 'approver_inactive':
      return refuse('principal_inactive', 'the approver is not active')
    case 'for_a_person':
      return refuse('administrator_not_allowed', 'an administrator does not answer for a person')
    case 'answered_before':
      return refuse('status_conflict', 'this approver has answered before')
    case 'void':
      return refuse('approval_void', 'what the approval rests on has changed')
    case 'over':
      return state === 'expired'
        ? refuse('approval_expired', 'the approval was not answered in time')
        : refuse('status_conflict', `the approval is ${state} already`)
  }
}
