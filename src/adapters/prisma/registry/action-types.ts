import type { EntityStore, RegisteredActionType } from '../../../admin-ports.ts'
import type { ActionType } from '../generated/client.ts'
import { lockRow, type TransactionClient } from './transaction-client.ts'

/** `onWrite` is told before each write: what was built from the action types must be built anew. */
export function actionTypeStore(client: TransactionClient, onWrite: () => void): EntityStore<'action_type'> {
  const find = async (type: string) => {
    const row = await client.actionType.findUnique({ where: { type } })
    return row === null ? undefined : toActionType(row)
  }
  return {
    find,
    hold: async (type) => {
      await lockRow(client, 'action_type', type)
      return find(type)
    },
    page: async ({ after, limit: take }) => {
      const where = after === undefined ? {} : { type: { gt: after } }
      return (await client.actionType.findMany({ where, orderBy: { type: 'asc' }, take })).map(toActionType)
    },
    add: async ({ id, title, schema, digestible, template, risk, isSingleUse: singleUse }) => {
      onWrite()
      const data = [{ type: id, title, schema, digestible, template, risk, singleUse }]
      return (await client.actionType.createMany({ data, skipDuplicates: true })).count === 1
    },
    amend: async (type, version, { members: { isSingleUse, ...members } = {}, ...state }, now) => {
      onWrite()
      const single = isSingleUse === undefined ? {} : { singleUse: isSingleUse }
      const data = { ...members, ...single, ...state, version: version + 1, updatedAt: now }
      return (await client.actionType.updateMany({ where: { type, version }, data })).count === 1
    },
  }
}

function toActionType({ type, schema, digestible, singleUse, builtIn, ...row }: ActionType): RegisteredActionType {
  return {
    ...row,
    id: type,
    // Only definitions that compiled are ever stored.
    schema: schema as RegisteredActionType['schema'],
    digestible: digestible as RegisteredActionType['digestible'],
    isSingleUse: singleUse,
    isBuiltIn: builtIn,
  }
}
