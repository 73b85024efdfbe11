import type { Page } from '../../admin-ports.ts'
import type { TreeNode } from '../../chain-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { AdminPorts } from './change-call.ts'

/** A delegation and all that was given on from it, parents before children, page by page. */
export async function lookUpDelegationTree(
  { registry: { read }, now }: Pick<AdminPorts, 'registry' | 'now'>,
  id: string,
  page: Page,
): Promise<readonly TreeNode[] | Refusal> {
  const root = await read.delegations.find(id)
  return root === undefined
    ? refuse('not_found', 'there is no such delegation')
    : read.delegations.tree(id, page, now())
}
