import type { JsonObject } from '../../core/json.ts'
import type { TokenStatus } from '../../ports.ts'
import type { Query } from './open-database.ts'

/** Everything an action token stands on, by one statement and the database's clock. */
const LIVE = `
  SELECT c.action FROM record c
  JOIN agent a ON a.id = c.agent AND a.status = 'active'
  JOIN key k ON k.kid = c.jkt AND k.owner_id = c.agent AND k.status = 'active'
    AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
  JOIN key s ON s.kid = c.assertion_kid AND s.owner_id = c.agent AND s.status = 'active'
    AND (s.expires_at IS NULL OR s.expires_at > clock_timestamp())
  JOIN principal p ON p.id = c.principal AND p.status = 'active'
  JOIN delegation d ON d.id = c.delegation
  JOIN resource r ON r.identifier = c.resource AND r.status = 'active'
  JOIN action_type t ON t.type = c.action_type AND t.status = 'active'
  WHERE c.jti = $1 AND c.kind = 'action_token' AND c.decision = 'issued' AND c.token_expires_at > clock_timestamp()
    AND NOT EXISTS (SELECT 1 FROM generation g WHERE c.at <= g.restored_at)
    AND NOT EXISTS (SELECT 1 FROM revoked_token x WHERE x.jti = c.jti)
    AND NOT EXISTS (
      SELECT 1 FROM unnest(d.lineage) AS l (id) LEFT JOIN delegation e ON e.id = l.id
      WHERE e.status IS DISTINCT FROM 'active' OR e.expires_at <= clock_timestamp() OR e.not_before > clock_timestamp())`

export function tokenStatus(query: Query): TokenStatus {
  return {
    live: async (jti) => {
      const [row] = await query<{ action: string }>(LIVE, [jti], 'live_token')
      // Our own canonical text, written when the token was recorded.
      return row === undefined ? undefined : { action: JSON.parse(row.action) as JsonObject }
    },
  }
}

/** Whether a token was withdrawn before its time, or is of the time before a restore, whose withdrawals are not known. */
export async function isTokenRevoked(query: Query, jti: string, issuedAt: number): Promise<boolean> {
  const rows = await query(
    `SELECT 1 AS one FROM revoked_token WHERE jti = $1
     UNION ALL SELECT 1 FROM generation WHERE to_timestamp($2) <= restored_at`,
    [jti, issuedAt],
    'is_token_revoked',
  )
  return rows.length > 0
}
