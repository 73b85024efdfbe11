import type { RefusedSignIns } from '../../../people-ports.ts'
import type { Query } from '../open-database.ts'

/** Records of refused sign-ins; beyond `perHour` of one principal they are counted and not written. */
export function refusedSignIns(query: Query, perHour: number): RefusedSignIns {
  return {
    record: async (principalId, { method, by, detail }, { recordId, requestId }) => {
      await query(
        `WITH tally AS (
           INSERT INTO refusal_tally (client, hour, code, count) VALUES ($1, date_trunc('hour', now()), 'sign_in_refused', 1)
           ON CONFLICT (client, hour, code) DO UPDATE SET count = refusal_tally.count + 1 RETURNING count)
         INSERT INTO record (id, kind, decision, refusal, detail, principal, because, request_id)
         SELECT $2, 'principal', 'refused', 'sign_in_refused', $3, $1, $4::jsonb, $5 FROM tally WHERE count <= $6`,
        [principalId, recordId, detail, JSON.stringify({ operation: 'login.begin', method, by }), requestId, perHour],
      )
    },
  }
}
