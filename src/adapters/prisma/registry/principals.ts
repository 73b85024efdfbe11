import type { EntityStore } from '../../../admin-ports.ts'
import { byId, lockRow, type TransactionClient } from './transaction-client.ts'

export function principalStore(client: TransactionClient): EntityStore<'principal'> {
  const find = async (id: string) => (await client.principal.findUnique({ where: { id } })) ?? undefined
  return {
    find,
    hold: async (id) => {
      await lockRow(client, 'principal', id)
      return find(id)
    },
    page: (page) => client.principal.findMany(byId(page)),
    add: async ({ id, kind, name, email }) => {
      const data = [{ id, kind, name, email }]
      return (await client.principal.createMany({ data, skipDuplicates: true })).count === 1
    },
    amend: async (id, version, { members, ...state }, now) => {
      const data = { ...members, ...state, version: version + 1, updatedAt: now }
      if ((await client.principal.updateMany({ where: { id, version }, data })).count !== 1) return false
      // Where he is signed in ends with it: whoever lets him go on does not let on who held his browser.
      if (state.status === 'suspended') {
        await client.login.updateMany({ where: { principalId: id, endedAt: null }, data: { endedAt: now } })
      }
      return true
    },
  }
}
