import type { EntityStore, RegisteredAgent } from '../../../admin-ports.ts'
import type { Agent, Key } from '../generated/client.ts'
import { toKey, WITH_ACTIVE_KEYS } from './keys.ts'
import { byId, lockRow, type TransactionClient } from './transaction-client.ts'

export function agentStore(client: TransactionClient): EntityStore<'agent'> {
  const find = async (id: string) => {
    const row = await client.agent.findUnique({ where: { id }, include: WITH_ACTIVE_KEYS })
    return row === null ? undefined : toAgent(row)
  }
  return {
    find,
    hold: async (id) => {
      await lockRow(client, 'agent', id)
      return find(id)
    },
    page: async (page) => (await client.agent.findMany({ ...byId(page), include: WITH_ACTIVE_KEYS })).map(toAgent),
    add: async ({ id, name, description, owner }) => {
      const data = [{ id, name, description, owner }]
      return (await client.agent.createMany({ data, skipDuplicates: true })).count === 1
    },
    amend: async (id, version, { members, ...state }, now) => {
      const data = { ...members, ...state, version: version + 1, updatedAt: now }
      return (await client.agent.updateMany({ where: { id, version }, data })).count === 1
    },
  }
}

const toAgent = ({ identity, ...row }: Agent & { readonly identity: { readonly keys: Key[] } }): RegisteredAgent => ({
  ...row,
  keys: identity.keys.map(toKey),
})
