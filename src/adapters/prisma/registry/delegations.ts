import type { DelegationStore, RegisteredDelegation } from '../../../admin-ports.ts'
import type { Status } from '../../../core/agent/client.ts'
import { NOT_DELEGABLE } from '../../../core/delegation/delegation.ts'
import type { Limits } from '../../../core/delegation/limits.ts'
import type { JsonObject, JsonValue } from '../../../core/json.ts'
import { type DelegableColumn, readDelegable, toDelegableColumn } from '../directory.ts'
import type { Delegation } from '../generated/client.ts'
import { withRemaining } from '../limit-counters.ts'
import { queryOn, type TransactionClient } from './transaction-client.ts'

const WITH_PRINCIPAL = { principal: { select: { status: true } } } as const

export function delegationStore(client: TransactionClient): DelegationStore {
  const counted = (delegations: readonly RegisteredDelegation[]) =>
    withRemaining(queryOn(client), 'delegation', delegations)
  return {
    find: async (id) => {
      const row = await client.delegation.findUnique({ where: { id }, include: WITH_PRINCIPAL })
      return row === null ? undefined : (await counted([toDelegation(row)]))[0]
    },
    page: async ({ agent, principal, openAt }, { after, limit: take }) => {
      const where = {
        ...(agent !== undefined && { agentId: agent }),
        ...(principal !== undefined && { principalId: principal }),
        ...(openAt !== undefined && { status: 'active' as const, expiresAt: { gt: openAt } }),
        ...(after !== undefined && { id: { lt: after } }),
      }
      const rows = await client.delegation.findMany({ where, orderBy: { id: 'desc' }, take, include: WITH_PRINCIPAL })
      return counted(rows.map(toDelegation))
    },
    add: async ({ authorizationDetails, limits, delegable, ...delegation }) => {
      const bounds = authorizationDetails as readonly JsonObject[]
      const columns = {
        ...(limits !== undefined && { limits }),
        ...(delegable !== undefined && { delegable: toDelegableColumn(delegable) }),
      }
      const data = [{ ...delegation, authorizationDetails: [...bounds], lineage: [delegation.id], ...columns }]
      await client.delegation.createMany({ data })
    },
    revoke: async (id, reason, now) => {
      const data = { status: 'revoked', reason, revokedAt: now } as const
      // The whole tree: every delegation whose lineage holds this one.
      return (await client.delegation.updateMany({ where: { lineage: { has: id }, status: 'active' }, data })).count
    },
  }
}

function toDelegation(row: Delegation & { readonly principal: { readonly status: Status } }): RegisteredDelegation {
  return {
    id: row.id,
    principal: { id: row.principalId, status: row.principal.status },
    agentId: row.agentId,
    ...(row.resource !== null && { resource: row.resource }),
    // Only an array of bounds that were parsed is ever stored.
    authorizationDetails: row.authorizationDetails as readonly JsonValue[],
    ...(row.limits !== null && { limits: row.limits as Limits }),
    delegable: row.delegable === null ? NOT_DELEGABLE : readDelegable(row.delegable as unknown as DelegableColumn),
    ...(row.notBefore !== null && { notBefore: row.notBefore }),
    expiresAt: row.expiresAt,
    lineage: row.lineage,
    status: row.status,
    grantedBy: row.grantedBy,
    purpose: row.purpose,
    revokedAt: row.revokedAt,
    reason: row.reason,
    createdAt: row.createdAt,
  }
}
