import type { AttestationEntry, Attestations } from '../../attestation-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { Database, Query } from './open-database.ts'

/** Attestations on record, and the instances that come with them. */
export function attestations({ query, transaction }: Pick<Database, 'query' | 'transaction'>): Attestations {
  return {
    record: async (entry) => {
      if (entry.vouched === undefined) return (await writeRecord(query, entry)) ?? 'recorded'
      const { vouched } = entry
      // A refusal returns before anything is written.
      return transaction(async (held) => {
        // Agent, then keys, as whoever retires a key does. One at a time for each agent, so that its instances can be counted.
        await held('SELECT 1 AS one FROM agent WHERE id = $1 FOR NO KEY UPDATE', [entry.agentId])
        await held('SELECT 1 AS one FROM key WHERE kid = $1 FOR SHARE', [entry.assertionKid])
        // In a statement of its own: one that had waited for the lock would count by the snapshot of before.
        const [found] = await held<{ taken: boolean; others: bigint }>(
          `SELECT EXISTS (SELECT 1 FROM key k WHERE k.kid = $2
               AND (k.owner_id <> $1 OR k.vouched_by IS NULL OR k.status <> 'active')) AS taken,
             (SELECT count(*) FROM key k WHERE k.owner_id = $1 AND k.vouched_by IS NOT NULL AND k.kid <> $2 AND ${CURRENT}) AS others`,
          [entry.agentId, entry.jkt],
        )
        if (found?.taken !== false)
          return refuse('instance_refused', 'the key is or was in use, or was stopped; make a new one')
        if (Number(found.others) >= vouched.maxInstances) {
          return refuse(
            'instance_refused',
            `the agent has ${vouched.maxInstances} instances; one must end or be stopped first`,
          )
        }
        const refused = await writeRecord(held, entry)
        if (refused !== undefined) return refused
        const [kept] = await held(
          `INSERT INTO key AS k (kid, owner_id, jwk, vouched_by, expires_at) VALUES ($1, $2, $3::jsonb, $4, $5)
           ON CONFLICT (kid) DO UPDATE SET vouched_by = excluded.vouched_by, expires_at = excluded.expires_at
             WHERE k.owner_id = excluded.owner_id AND k.vouched_by IS NOT NULL AND k.status = 'active'
           RETURNING 1 AS one`,
          [entry.jkt, entry.agentId, JSON.stringify(vouched.jwk), entry.assertionKid, vouched.until],
        )
        // Two agents with one new key at one moment: nothing that is meant to happen. Rolls everything back.
        if (kept === undefined) throw new Error('the key of an instance was taken meanwhile')
        return 'recorded'
      })
    },
  }
}

/** A key `k` that may be used at this moment. */
const CURRENT = `k.status = 'active' AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())`

/** Writes the record if agent and keys stand at this moment, and nothing is stopped. A new instance is no key yet. */
async function writeRecord(query: Query, entry: AttestationEntry): Promise<Refusal | undefined> {
  const { vouched } = entry
  const [written] = await query(
    `INSERT INTO record (id, kind, decision, client, agent, jti, jkt, assertion_kid, claims_digest, because, token_issued_at,
       token_expires_at, request_id)
     SELECT $1, 'attestation', 'issued', a.id, a.id, $3, $4, $5, $6, $7::jsonb, to_timestamp($8), to_timestamp($9), $10
     FROM agent a WHERE a.id = $2 AND a.status = 'active'
       AND ($11 OR EXISTS (SELECT 1 FROM key k WHERE k.kid = $4 AND k.owner_id = a.id AND ${CURRENT}))
       AND EXISTS (SELECT 1 FROM key k WHERE k.kid = $5 AND k.owner_id = a.id AND k.vouched_by IS NULL AND ${CURRENT})
       AND NOT EXISTS (SELECT 1 FROM generation g WHERE g.stopped_at IS NOT NULL)
     RETURNING 1 AS one`,
    [
      ...[entry.recordId, entry.agentId, entry.jti, entry.jkt, entry.assertionKid, entry.claimsDigest],
      JSON.stringify(
        vouched === undefined ? {} : { operation: 'instance.vouch', expires_at: vouched.until.getTime() / 1_000 },
      ),
      ...[entry.iat, entry.exp, entry.requestId, vouched !== undefined],
    ],
  )
  return written === undefined ? NOT_STANDING : undefined
}

const NOT_STANDING = refuse('attestation_invalid', 'the agent or its key is no longer active')
