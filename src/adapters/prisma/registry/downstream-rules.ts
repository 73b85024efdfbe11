import type { DownstreamRuleStore, RegisteredDownstreamRule } from '../../../chain-ports.ts'
import type { JsonObject, JsonValue } from '../../../core/json.ts'
import type { DownstreamRule } from '../generated/client.ts'
import type { TransactionClient } from './transaction-client.ts'

/** What resource servers may have done elsewhere. */
export function downstreamRuleStore(client: TransactionClient): DownstreamRuleStore {
  return {
    find: async (resourceId, id) => {
      const row = await client.downstreamRule.findUnique({ where: { id, resourceId } })
      return row === null ? undefined : toRule(row)
    },
    page: async (resourceId, { after, limit: take }) => {
      const where = after === undefined ? { resourceId } : { resourceId, id: { gt: after } }
      return (await client.downstreamRule.findMany({ where, orderBy: { id: 'asc' }, take })).map(toRule)
    },
    countActive: (resourceId) => client.downstreamRule.count({ where: { resourceId, removedAt: null } }),
    add: async ({ from, authorizationDetails, ...rule }) => {
      // Only bounds that were parsed are ever stored.
      const [fromBound, bounds] = [from as JsonObject, authorizationDetails as readonly JsonObject[]]
      await client.downstreamRule.createMany({ data: [{ ...rule, fromBound, authorizationDetails: [...bounds] }] })
    },
    remove: async (id, now) => {
      const where = { id, removedAt: null }
      return (await client.downstreamRule.updateMany({ where, data: { removedAt: now } })).count === 1
    },
  }
}

const toRule = ({ fromBound, authorizationDetails, ...row }: DownstreamRule): RegisteredDownstreamRule => ({
  ...row,
  from: fromBound as JsonValue,
  authorizationDetails: authorizationDetails as readonly JsonValue[],
})
