import { createHash } from 'node:crypto'
import { refuse } from '../../core/refusal.ts'
import type { Enrolments } from '../../ports.ts'
import type { Database } from './open-database.ts'

/** Active keys of one agent; the same limit as at the admin API. */
const MAX_ACTIVE_KEYS = 10

/** Redemption of one-time codes, on the row that the code's digest names. */
export function enrolments({ query: read, transaction }: Pick<Database, 'query' | 'transaction'>): Enrolments {
  return {
    redeem: async ({ code, jwk, kid, mark, label, recordId, requestId }) => {
      const codeHash = createHash('sha256').update(code).digest()
      // Whoever guesses causes one lookup: no row, no transaction.
      const [named] = await read<{ agent_id: string }>(
        `SELECT e.agent_id FROM enrolment e JOIN agent a ON a.id = e.agent_id AND a.status = 'active' WHERE ${OPEN}`,
        [codeHash],
        'find_enrolment',
      )
      if (named === undefined) return UNKNOWN_CODE

      // A refusal commits as well: all it has written by then is the mark, and a proof is used up whatever comes of it.
      return transaction(async (query) => {
        const [fresh] = await query<{ is_of_this_epoch: boolean }>(
          `INSERT INTO replay_mark (key, request_id, expires_at) VALUES (decode($1, 'hex'), $2::uuid, to_timestamp($3))
           ON CONFLICT DO NOTHING RETURNING NOT EXISTS (
             SELECT 1 FROM generation g WHERE to_timestamp($4) <= g.restored_at) AS is_of_this_epoch`,
          [mark.key, recordId, mark.until, mark.issuedAt],
        )
        if (fresh?.is_of_this_epoch !== true) return refuse('proof_replayed', 'the DPoP proof was used before')

        // The agent first and its code then, as whoever withdraws codes does: nobody waits for the other in a circle.
        const [agent] = await query(
          `SELECT 1 AS one FROM agent WHERE id = $1 AND status = 'active' FOR NO KEY UPDATE`,
          [named.agent_id],
        )
        if (agent === undefined) return UNKNOWN_CODE
        // Whoever holds the row holds the code: a second redemption waited for the agent and now finds it used.
        const [open] = await query<{ id: string; agent_id: string; jkt: string | null }>(
          `SELECT e.id, e.agent_id, e.jkt FROM enrolment e WHERE ${OPEN} FOR UPDATE`,
          [codeHash],
        )
        if (open === undefined) return UNKNOWN_CODE
        // Counted in a statement of its own: one that had waited for the lock would count by the snapshot of before.
        const [held] = await query<{ active_keys: bigint }>(
          `SELECT count(*) AS active_keys FROM key WHERE owner_id = $1 AND status = 'active' AND vouched_by IS NULL`,
          [open.agent_id],
        )
        if (open.jkt !== null && open.jkt !== kid) {
          return refuse('enrolment_invalid', 'the code is for another key')
        }
        if (Number(held?.active_keys ?? MAX_ACTIVE_KEYS) >= MAX_ACTIVE_KEYS) {
          return refuse('enrolment_invalid', `the agent has ${MAX_ACTIVE_KEYS} active keys; one must be retired first`)
        }
        const [added] = await query(
          `INSERT INTO key (kid, owner_id, jwk, label) VALUES ($1, $2, $3::jsonb, $4)
           ON CONFLICT DO NOTHING RETURNING 1 AS one`,
          [kid, open.agent_id, JSON.stringify(jwk), label ?? null],
        )
        if (added === undefined) return refuse('enrolment_invalid', 'the key is or was in use; make a new one')
        await query('UPDATE enrolment SET used_at = clock_timestamp(), kid = $2 WHERE id = $1', [open.id, kid])
        await query('UPDATE agent SET version = version + 1, updated_at = now() WHERE id = $1', [open.agent_id])
        await query(
          `INSERT INTO record (id, kind, decision, client, agent, jkt, because, request_id)
           VALUES ($1, 'enrolment', 'done', $2, $2, $3, $4::jsonb, $5)`,
          [recordId, open.agent_id, kid, JSON.stringify({ operation: 'enrolment.redeem', target: open.id }), requestId],
        )
        return { agentId: open.agent_id, kid }
      })
    },
  }
}

/** A code that can be redeemed; `$1` is its digest. */
const OPEN = `e.code_hash = $1 AND e.used_at IS NULL AND e.withdrawn_at IS NULL AND e.expires_at > clock_timestamp()`

/** Unknown, used, withdrawn, expired, or of an agent that is not active: who guesses learns nothing by the difference. */
const UNKNOWN_CODE = refuse('enrolment_invalid', 'the code is unknown, used or expired')
