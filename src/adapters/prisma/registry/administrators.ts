import type { AdminScope, EntityStore, RegisteredAdministrator } from '../../../admin-ports.ts'
import type { Administrator, Key } from '../generated/client.ts'
import { toKey, WITH_ACTIVE_KEYS } from './keys.ts'
import { byId, lockRow, type TransactionClient } from './transaction-client.ts'

export function administratorStore(client: TransactionClient): EntityStore<'administrator'> {
  const find = async (id: string) => {
    const row = await client.administrator.findUnique({ where: { id }, include: WITH_ACTIVE_KEYS })
    return row === null ? undefined : toAdministrator(row)
  }
  return {
    find,
    hold: async (id) => {
      await lockRow(client, 'administrator', id)
      return find(id)
    },
    page: async (page) =>
      (await client.administrator.findMany({ ...byId(page), include: WITH_ACTIVE_KEYS })).map(toAdministrator),
    add: async ({ id, name, scope }) => {
      const data = [{ id, name, scope: [...scope] }]
      return (await client.administrator.createMany({ data, skipDuplicates: true })).count === 1
    },
    // An administrator is stopped by retiring his keys: no door changes the status.
    amend: async (id, version, { members: { scope, ...members } = {} }, now) => {
      const data = { ...members, ...(scope && { scope: [...scope] }), version: version + 1, updatedAt: now }
      return (await client.administrator.updateMany({ where: { id, version }, data })).count === 1
    },
  }
}

function toAdministrator({
  identity,
  scope,
  ...row
}: Administrator & { readonly identity: { readonly keys: Key[] } }): RegisteredAdministrator {
  // Only scopes of this server are ever stored.
  return { ...row, scope: scope as AdminScope[], reason: null, keys: identity.keys.map(toKey) }
}
