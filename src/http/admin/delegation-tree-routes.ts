import { z } from 'zod'
import { lookUpDelegationTree } from '../../commands/admin/delegation-tree.ts'
import { Delegation, delegationView } from './delegation-routes.ts'
import { list, type Route } from './route.ts'

const TreeNode = Delegation.extend({
  parent: z
    .string()
    .describe('What it was given on from. Absent: a principal or an administrator granted it.')
    .optional(),
  depth: z.int().describe('Below the delegation whose tree it is, which has 0.'),
  agent_status: z.enum(['active', 'suspended', 'retired']),
  in_force: z.boolean().describe('Whether it and everything it stands on lets anything happen now.'),
}).meta({ id: 'DelegationTreeNode' })

/** A delegation and all that was given on from it, as a list in which each is followed by its own children. */
export const delegationTreeRoutes: readonly Route[] = [
  list({
    ...{ path: '/delegations/:id/tree', operation: 'showDelegationTree', shows: TreeNode, filters: z.strictObject({}) },
    summary: 'Lists a delegation and all that was given on from it, each followed by its own children.',
    run: (ports, { params: { id = '' }, page }) => lookUpDelegationTree(ports, id, page),
    view: ({ delegation, parent, depth, agentStatus, isInForce }) => ({
      ...delegationView(delegation),
      ...{ parent, depth, agent_status: agentStatus, in_force: isInForce },
    }),
    position: ({ delegation }) => delegation.lineage.join(' '),
  }),
]
