import type { DelegationStore, RegisteredDelegation } from '../../../admin-ports.ts'
import type { Status } from '../../../core/agent/client.ts'
import { type ApprovalRule, approvalColumn, readApprovalColumn } from '../../../core/delegation/approval-rule.ts'
import { delegableDocument } from '../../../core/delegation/delegable.ts'
import { NOT_DELEGABLE } from '../../../core/delegation/delegation.ts'
import type { Limits } from '../../../core/delegation/limits.ts'
import type { JsonObject, JsonValue } from '../../../core/json.ts'
import { type DelegableColumn, readDelegable } from '../directory.ts'
import type { Delegation } from '../generated/client.ts'
import { withRemaining } from '../limit-counters.ts'
import { endTree } from '../revocations.ts'
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
    tree: async (id, { after, limit }, now) => {
      // By lineage: parents before children, and each with its own children behind it.
      const places = await queryOn(client)<TreePlace>(
        `SELECT d.id, a.status::text AS agent_status,
           p.status = 'active' AND NOT EXISTS (
             SELECT 1 FROM unnest(d.lineage) AS l (id) LEFT JOIN delegation e ON e.id = l.id
             LEFT JOIN agent x ON x.id = e.agent_id
             WHERE e.status IS DISTINCT FROM 'active' OR e.expires_at <= $2::timestamptz OR e.not_before > $2::timestamptz
               OR x.status IS DISTINCT FROM 'active') AS is_in_force
         FROM delegation d JOIN agent a ON a.id = d.agent_id JOIN principal p ON p.id = d.principal_id
         WHERE d.lineage @> ARRAY[$1] AND ($3::text IS NULL OR d.lineage > string_to_array($3, ' '))
         ORDER BY d.lineage LIMIT $4::int`,
        [id, now, after ?? null, limit],
      )
      const ids = places.map((place) => place.id)
      const rows = await client.delegation.findMany({ where: { id: { in: ids } }, include: WITH_PRINCIPAL })
      const byId = new Map((await counted(rows.map(toDelegation))).map((delegation) => [delegation.id, delegation]))
      return places.flatMap((place) => {
        const delegation = byId.get(place.id)
        if (delegation === undefined) return []
        const { lineage } = delegation
        return {
          ...{ delegation, parent: lineage.at(-2), agentStatus: place.agent_status, isInForce: place.is_in_force },
          depth: lineage.length - 1 - lineage.indexOf(id),
        }
      })
    },
    add: async ({ authorizationDetails, limits, delegable, approval, ...delegation }) => {
      const bounds = authorizationDetails as readonly JsonObject[]
      const rule = approvalColumn(approval)
      const columns = {
        ...(limits !== undefined && { limits }),
        ...(delegable !== undefined && { delegable: delegableDocument(delegable) }),
        ...(rule !== null && { approval: rule as JsonObject & ApprovalRule }),
      }
      const data = [{ ...delegation, authorizationDetails: [...bounds], lineage: [delegation.id], ...columns }]
      await client.delegation.createMany({ data })
    },
    revoke: async (id, reason, now) => {
      return (await endTree(queryOn(client), id, reason, now)).length
    },
  }
}

interface TreePlace {
  readonly id: string
  readonly agent_status: Status
  readonly is_in_force: boolean
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
    approval: readApprovalColumn(row.approval),
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
