import type { ApprovalFilter, ApprovalReader } from '../../approval-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { Directory } from '../../ports.ts'
import { type ApprovalView, viewOf } from './approval-view.ts'

export interface ApprovalViewPorts {
  readonly approvals: ApprovalReader
  readonly directory: Pick<Directory, 'actionType'>
}

/** Who looks: a principal sees what he may answer and what is done for him, an administrator everything. */
export type ApprovalViewer =
  | { readonly kind: 'principal'; readonly principalId: string }
  | { readonly kind: 'administrator' }

/** One approval, for whoever may see it. To everybody else it is not there. */
export async function findApproval(
  ports: ApprovalViewPorts,
  id: string,
  viewer: ApprovalViewer,
): Promise<ApprovalView | Refusal<'not_found'>> {
  const found = await ports.approvals.find(id)
  const isSeen =
    found !== undefined &&
    (viewer.kind === 'administrator' ||
      found.principal.id === viewer.principalId ||
      found.approvers.some(({ id: approver }) => approver === viewer.principalId))
  return isSeen ? viewOf(ports, found) : refuse('not_found', 'there is no such approval')
}

/** Approvals, newest first. Whoever calls says in the filter whose they are. */
export async function listApprovals(
  ports: ApprovalViewPorts,
  { after, limit, ...filter }: ApprovalFilter & { readonly after?: string | undefined; readonly limit: number },
): Promise<readonly ApprovalView[]> {
  const found = await ports.approvals.page(filter, { after, limit })
  return Promise.all(found.map((approval) => viewOf(ports, approval)))
}
