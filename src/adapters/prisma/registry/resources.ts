import type { EntityStore, RegisteredResource } from '../../../admin-ports.ts'
import { ANY_ACTION_TYPE } from '../directory.ts'
import type { Key, Resource } from '../generated/client.ts'
import { toKey, WITH_ACTIVE_KEYS } from './keys.ts'
import { byId, lockRow, type TransactionClient } from './transaction-client.ts'

export function resourceStore(client: TransactionClient): EntityStore<'resource'> {
  const find = async (id: string) => {
    const row = await client.resource.findUnique({ where: { id }, include: WITH_ACTIVE_KEYS })
    return row === null ? undefined : toResource(row)
  }
  return {
    find,
    hold: async (id) => {
      await lockRow(client, 'resource', id)
      return find(id)
    },
    page: async (page) =>
      (await client.resource.findMany({ ...byId(page), include: WITH_ACTIVE_KEYS })).map(toResource),
    add: async ({ id, identifier, identifierFolded, name, actionTypes, tokenLifetimeSeconds, tokenContent }) => {
      const data = [
        {
          ...{ id, identifier, identifierFolded, name, tokenLifetimeSeconds, tokenContent },
          actionTypes: toColumn(actionTypes),
        },
      ]
      return (await client.resource.createMany({ data, skipDuplicates: true })).count === 1
    },
    amend: async (id, version, { members: { actionTypes, ...members } = {}, ...state }, now) => {
      const narrowing = actionTypes && { actionTypes: toColumn(actionTypes) }
      const data = { ...members, ...narrowing, ...state, version: version + 1, updatedAt: now }
      return (await client.resource.updateMany({ where: { id, version }, data })).count === 1
    },
  }
}

const toColumn = (types: readonly string[] | 'all') => (types === 'all' ? [ANY_ACTION_TYPE] : [...types])

function toResource({
  identity,
  identifierFolded: _,
  actionTypes,
  ...row
}: Resource & { readonly identity: { readonly keys: Key[] } }): RegisteredResource {
  return {
    ...row,
    actionTypes: actionTypes.includes(ANY_ACTION_TYPE) ? 'all' : actionTypes,
    keys: identity.keys.map(toKey),
  }
}
