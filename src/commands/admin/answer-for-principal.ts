import type { StoredApproval } from '../../approval-ports.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { type ApprovalAnswered, answerApproval } from '../approvals/answer-approval.ts'
import type { AdminPorts, ChangeCall } from './change-call.ts'

/** An answer that an administrator gives for an organization or a service. */
export interface AnswerForPrincipal {
  readonly id: string
  readonly answer: 'approve' | 'deny'
  /** For whom; absent: for the only one who may answer. */
  readonly approver: string | undefined
}

export interface AnsweredForPrincipal extends ApprovalAnswered {
  readonly id: string
  readonly approver: string
}

/** Answers an approval for an organization or a service; for a person it is that person's to answer (wire contract, section 10). */
export function answerForPrincipal(
  { ids }: Pick<AdminPorts, 'ids'>,
  { administrator, requestId, change }: ChangeCall<AnsweredForPrincipal>,
  { id, answer, approver }: AnswerForPrincipal,
): Promise<AnsweredForPrincipal | Refusal> {
  return change(async ({ approvals }) => {
    // Step 1: for whom?
    const found = await approvals.find(id)
    if (found === undefined) return refuse('not_found', 'there is no such approval')
    const named = approverOf(found, approver)
    if (isRefusal(named)) return named

    // Step 2: his answer, its record, and what comes of it; that he is no person is told where it is written.
    const by = { kind: 'administrator', clientId: administrator.clientId, approver: named } as const
    const answered = await answerApproval({ approvals, ids }, { id, answer, by, requestId })
    return isRefusal(answered) ? answered : { ...answered, id, approver: named }
  })
}

function approverOf({ approvers }: StoredApproval, named: string | undefined): string | Refusal {
  const [only, more] = approvers
  if (named !== undefined) {
    const isOne = approvers.some(({ id }) => id === named)
    return isOne ? named : refuse('member_invalid', 'is not asked here', 'approver')
  }
  return only !== undefined && more === undefined
    ? only.id
    : refuse('member_invalid', 'must say for whom: several are asked', 'approver')
}
