import type { EntityStore, RegisteredResource } from '../../../admin-ports.ts'
import type { Limits } from '../../../core/delegation/limits.ts'
import { ANY_ACTION_TYPE } from '../directory.ts'
import type { Key, Resource } from '../generated/client.ts'
import { withRemaining } from '../limit-counters.ts'
import { toKey, WITH_ACTIVE_KEYS } from './keys.ts'
import { byId, limitsColumn, lockRow, queryOn, type TransactionClient } from './transaction-client.ts'

export function resourceStore(client: TransactionClient): EntityStore<'resource'> {
  const counted = (resources: readonly RegisteredResource[]) => withRemaining(queryOn(client), 'resource', resources)
  const find = async (id: string) => {
    const row = await client.resource.findUnique({ where: { id }, include: WITH_ACTIVE_KEYS })
    return row === null ? undefined : (await counted([toResource(row)]))[0]
  }
  return {
    find,
    hold: async (id) => {
      await lockRow(client, 'resource', id)
      return find(id)
    },
    page: async (page) =>
      counted((await client.resource.findMany({ ...byId(page), include: WITH_ACTIVE_KEYS })).map(toResource)),
    add: async ({ actionTypes, limits, ...resource }) => {
      const { id, identifier, identifierFolded, name, tokenLifetimeSeconds, enforcement, tokenContent } = resource
      const data = [
        {
          ...{ id, identifier, identifierFolded, name, tokenLifetimeSeconds, enforcement, tokenContent },
          actionTypes: toColumn(actionTypes),
          limits: limitsColumn(limits),
        },
      ]
      return (await client.resource.createMany({ data, skipDuplicates: true })).count === 1
    },
    amend: async (id, version, { members: { actionTypes, limits, ...members } = {}, ...state }, now) => {
      const narrowing = actionTypes && { actionTypes: toColumn(actionTypes) }
      const limiting = limits !== undefined && { limits: limitsColumn(limits) }
      const data = { ...members, ...narrowing, ...limiting, ...state, version: version + 1, updatedAt: now }
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
    // Only limits that were parsed are ever stored.
    limits: row.limits as Limits | null,
    actionTypes: actionTypes.includes(ANY_ACTION_TYPE) ? 'all' : actionTypes,
    keys: identity.keys.map(toKey),
  }
}
