import type { OwnDeed, OwnStops } from '../../../me-ports.ts'
import type { Database, Query } from '../open-database.ts'
import { endTree } from '../revocations.ts'

/** What a principal stops of its own: each in one transaction with its record, and in force with its commit. */
export function ownStops({ transaction }: Pick<Database, 'transaction'>): OwnStops {
  return {
    revoke: (id, deed, now) =>
      transaction(async (query) => {
        const [own] = await query<{ agent_id: string }>(
          'SELECT agent_id FROM delegation WHERE id = $1 AND principal_id = $2',
          [id, deed.principalId],
        )
        if (own === undefined) return undefined
        const ended = await endTree(query, id, REASON, now)
        if (ended.length > 0) {
          await record(
            query,
            deed,
            { operation: 'delegation.revoke', target: id, agent: own.agent_id, delegation: id },
            ended.length,
          )
        }
        return ended.length
      }),
    stopAgent: (agentId, deed, now) =>
      transaction(async (query) => {
        const ended = await endAll(query, agentId, deed.principalId, now)
        if (ended > 0) {
          await record(
            query,
            deed,
            { operation: 'agent.stop', target: agentId, agent: agentId, delegation: null },
            ended,
          )
        }
        return ended
      }),
  }
}

const REASON = 'revoked by the principal'

/** What may be stopped: what has expired for a while has ended already, and of that there may be any number. */
const LIVE = `status = 'active' AND expires_at > $3::timestamptz - interval '10 minutes'`
const OWN = `SELECT array_agg(id) FROM delegation WHERE principal_id = $1 AND agent_id = $2 AND ${LIVE}`

/**
 * Ends all delegations of a principal to an agent, and what was given on from them.
 *
 * Locked first, by a statement of its own and parents before children, as in `endTree`: whoever gives one of them on holds it
 * until he is done, so the second statement sees what he made.
 */
async function endAll(query: Query, agentId: string, principalId: string, now: Date): Promise<number> {
  const params = [principalId, agentId, now]
  await query(
    `SELECT 1 AS locked FROM delegation WHERE lineage && (${OWN}) AND ${LIVE} ORDER BY cardinality(lineage), id FOR NO KEY UPDATE`,
    params,
  )
  const ended = await query(
    `UPDATE delegation SET status = 'revoked', revoked_at = $3, reason = $4 WHERE id IN (
       SELECT id FROM delegation WHERE lineage && (${OWN}) AND ${LIVE} ORDER BY cardinality(lineage), id FOR NO KEY UPDATE)
     RETURNING id`,
    [...params, REASON],
  )
  return ended.length
}

interface Deed {
  readonly operation: string
  readonly target: string
  readonly agent: string
  readonly delegation: string | null
}

async function record(
  query: Query,
  { principalId, loginId, recordId, requestId }: OwnDeed,
  { operation, target, agent, delegation }: Deed,
  endedCount: number,
): Promise<void> {
  await query(
    `INSERT INTO record (id, kind, decision, agent, principal, delegation, because, request_id)
     VALUES ($1, 'principal', 'done', $2, $3, $4, $5::jsonb, $6)`,
    [
      ...[recordId, agent, principalId, delegation],
      JSON.stringify({ operation, target, login: loginId, delegations_ended: endedCount }),
      requestId,
    ],
  )
}
