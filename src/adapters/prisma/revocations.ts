import type { RevocationEntry, Revocations } from '../../ports.ts'
import type { Database } from './open-database.ts'

/** Withdrawals by a client (RFC 7009), each in one transaction with its record. */
export function revocations(database: Pick<Database, 'query' | 'transaction'>): Revocations {
  return {
    revokeToken: async ({ jti, exp, use }, entry) => {
      // One statement: the record is written only by whoever was first.
      await database.query(
        `WITH revoked AS (
           INSERT INTO revoked_token (jti, expires_at, revoked_by) VALUES ($1, to_timestamp($2), $3)
           ON CONFLICT DO NOTHING RETURNING jti
         )
         INSERT INTO record (id, kind, decision, client, agent, because, request_id)
         SELECT $4, 'revocation', 'done', $3, $3, $5::jsonb, $6 FROM revoked`,
        [jti, exp, entry.client, entry.id, JSON.stringify({ token_use: use, jti }), entry.requestId],
      )
    },
    revokeDelegation: (delegationId, entry) =>
      database.transaction(async (query) => {
        // The whole tree: every delegation whose lineage holds this one.
        const ended = await query<{ id: string; principal_id: string }>(
          `UPDATE delegation SET status = 'revoked', revoked_at = now(), reason = 'revoked by the agent'
           WHERE (id = $1 OR lineage @> ARRAY[$1]) AND status = 'active' RETURNING id, principal_id`,
          [delegationId],
        )
        const [root] = ended
        if (root !== undefined) await recordDelegation(query, delegationId, root.principal_id, ended.length, entry)
      }),
  }
}

async function recordDelegation(
  query: Database['query'],
  delegationId: string,
  principalId: string,
  endedCount: number,
  entry: RevocationEntry,
): Promise<void> {
  await query(
    `INSERT INTO record (id, kind, decision, client, agent, principal, delegation, because, request_id)
     VALUES ($1, 'revocation', 'done', $2, $2, $3, $4, $5::jsonb, $6)`,
    [
      entry.id,
      entry.client,
      principalId,
      delegationId,
      JSON.stringify({ token_use: 'subject', delegations_ended: endedCount }),
      entry.requestId,
    ],
  )
}
