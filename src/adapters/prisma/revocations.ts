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
        const ended = await endTree(query, delegationId, 'revoked by the agent', new Date())
        const [root] = ended
        if (root !== undefined) await recordDelegation(query, delegationId, root.principal_id, ended.length, entry)
      }),
  }
}

/**
 * Ends a delegation and everything that was given on from it, and tells which of them were active. What has expired
 * below it has ended already: of that there may be any number.
 *
 * The delegation itself is locked first, by a statement of its own: whoever gives it on holds it until he is done, so the
 * second statement sees what he made; whoever comes later finds it ended. Parents before children, as in writ_delegate_on.
 */
export async function endTree(
  query: Database['query'],
  delegationId: string,
  reason: string | null,
  now: Date,
): Promise<readonly { readonly id: string; readonly principal_id: string }[]> {
  await query('SELECT 1 AS locked FROM delegation WHERE id = $1 FOR NO KEY UPDATE', [delegationId])
  return query(
    `UPDATE delegation SET status = 'revoked', revoked_at = $2, reason = $3 WHERE id IN (
       SELECT id FROM delegation WHERE status = 'active'
         AND (id = $1 OR (lineage @> ARRAY[$1] AND expires_at > $2::timestamptz - interval '10 minutes'))
       ORDER BY cardinality(lineage), id FOR NO KEY UPDATE)
     RETURNING id, principal_id`,
    [delegationId, now, reason],
  )
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
