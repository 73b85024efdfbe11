import type { EntityStore, RegisteredAgent } from '../../../admin-ports.ts'
import type { FlowGrantType } from '../../../consent-ports.ts'
import type { Limits } from '../../../core/delegation/limits.ts'
import type { Agent, Key } from '../generated/client.ts'
import { withRemaining } from '../limit-counters.ts'
import { toKey, WITH_ACTIVE_KEYS } from './keys.ts'
import { byId, limitsColumn, lockRow, queryOn, type TransactionClient } from './transaction-client.ts'

export function agentStore(client: TransactionClient): EntityStore<'agent'> {
  const counted = (agents: readonly RegisteredAgent[]) => withRemaining(queryOn(client), 'agent', agents)
  const find = async (id: string) => {
    const row = await client.agent.findUnique({ where: { id }, include: WITH_ACTIVE_KEYS })
    return row === null ? undefined : (await counted([toAgent(row)]))[0]
  }
  return {
    find,
    hold: async (id) => {
      await lockRow(client, 'agent', id)
      return find(id)
    },
    page: async (page) =>
      counted((await client.agent.findMany({ ...byId(page), include: WITH_ACTIVE_KEYS })).map(toAgent)),
    add: async ({ limits, redirectUris, grantTypes, ...agent }) => {
      const data = [
        { ...agent, redirectUris: [...redirectUris], grantTypes: [...grantTypes], limits: limitsColumn(limits) },
      ]
      return (await client.agent.createMany({ data, skipDuplicates: true })).count === 1
    },
    amend: async (id, version, { members: { limits, redirectUris, grantTypes, ...members } = {}, ...state }, now) => {
      const changed = {
        ...(limits !== undefined && { limits: limitsColumn(limits) }),
        ...(redirectUris !== undefined && { redirectUris: [...redirectUris] }),
        ...(grantTypes !== undefined && { grantTypes: [...grantTypes] }),
      }
      const data = { ...members, ...changed, ...state, version: version + 1, updatedAt: now }
      return (await client.agent.updateMany({ where: { id, version }, data })).count === 1
    },
  }
}

const toAgent = ({ identity, ...row }: Agent & { readonly identity: { readonly keys: Key[] } }): RegisteredAgent => ({
  ...row,
  // Only what was parsed is ever stored.
  limits: row.limits as Limits | null,
  grantTypes: row.grantTypes as readonly FlowGrantType[],
  backchannelTokenDeliveryMode: row.backchannelTokenDeliveryMode as 'poll' | 'ping' | null,
  keys: identity.keys.map(toKey),
})
