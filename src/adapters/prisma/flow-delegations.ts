import { createHash } from 'node:crypto'
import type { FlowDelegation, FlowDelegations } from '../../consent-ports.ts'
import type { JsonValue } from '../../core/json.ts'
import type { Database } from './open-database.ts'
import { endTree } from './revocations.ts'

interface DelegationRow {
  readonly id: string
  readonly principal_id: string
  readonly agent_id: string
  readonly authorization_details: readonly JsonValue[]
  readonly created_at: Date
  readonly expires_at: Date
}

const COLUMNS = 'd.id, d.principal_id, d.agent_id, d.authorization_details, d.created_at, d.expires_at'
/** A delegation that lets something happen now; `$1` is its id. */
const STANDING = `d.id = $1 AND d.status = 'active' AND d.expires_at > clock_timestamp()
  AND EXISTS (SELECT 1 FROM principal p WHERE p.id = d.principal_id AND p.status = 'active')
  AND EXISTS (SELECT 1 FROM agent a WHERE a.id = d.agent_id AND a.status = 'active')`

/** The delegations in which the flows of oidc-provider end. */
export function flowDelegations({ query, transaction }: Pick<Database, 'query' | 'transaction'>): FlowDelegations {
  return {
    find: async (id) => {
      const [row] = await query<DelegationRow>(`SELECT ${COLUMNS} FROM delegation d WHERE ${STANDING}`, [id])
      return row && toDelegation(row)
    },
    redeem: ({ model, id, delegationId, jkt, recordId, requestId }) =>
      transaction(async (inside) => {
        const used = await inside(
          `UPDATE oidc_model SET consumed_at = clock_timestamp()
           WHERE model = $1 AND id_hash = $2 AND consumed_at IS NULL RETURNING 1 AS one`,
          [model, createHash('sha256').update(id).digest()],
        )
        if (used.length === 0) return 'used_before'
        // Held to the end of the transaction: what ends it comes before, and is seen, or after.
        const [row] = await inside<DelegationRow & { resource: string | null }>(
          `SELECT ${COLUMNS}, d.resource FROM delegation d
           WHERE ${STANDING} AND NOT EXISTS (SELECT 1 FROM generation WHERE stopped_at IS NOT NULL) FOR SHARE OF d`,
          [delegationId],
        )
        if (row === undefined) return 'fallen'
        await inside(
          `INSERT INTO record (id, kind, decision, client, agent, principal, delegation, resource, jkt, because,
             token_issued_at, token_expires_at, request_id)
           VALUES ($1, 'delegation', 'issued', $2, $2, $3, $4, $5, $6, $7::jsonb, $8, $9, $10)`,
          [
            ...[recordId, row.agent_id, row.principal_id, row.id, row.resource, jkt],
            JSON.stringify({ operation: 'delegation.redeem', target: delegationId, by: model }),
            ...[row.created_at, row.expires_at, requestId],
          ],
        )
        return toDelegation(row)
      }),
    revoke: (id, { recordId, requestId }) =>
      transaction(async (inside) => {
        const [row] = await inside<{ agent_id: string }>('SELECT agent_id FROM delegation WHERE id = $1', [id])
        const [ended] = await endTree(inside, id, 'its authorization code was presented twice', new Date())
        if (row === undefined || ended === undefined) return
        const because = JSON.stringify({ operation: 'delegation.revoke', target: id, reason: 'code presented twice' })
        await inside(
          `INSERT INTO record (id, kind, decision, client, agent, principal, delegation, because, request_id)
           VALUES ($1, 'revocation', 'done', $2, $2, $3, $4, $5::jsonb, $6)`,
          [recordId, row.agent_id, ended.principal_id, id, because, requestId],
        )
      }),
  }
}

const toDelegation = (row: DelegationRow): FlowDelegation => ({
  ...{ id: row.id, principal: { id: row.principal_id }, agentId: row.agent_id },
  ...{ authorizationDetails: row.authorization_details, createdAt: row.created_at, expiresAt: row.expires_at },
})
