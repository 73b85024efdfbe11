import type { IncomingTokens } from '../../chain-ports.ts'
import type { JsonObject } from '../../core/json.ts'
import type { TokenStatus } from '../../introspection-ports.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import { grouped } from './grouped.ts'
import type { Query } from './open-database.ts'

/** Each that is live (writ_live_token says what that is) and not used up, with its place among those that were asked for. */
const LIVE = 'SELECT n, action FROM writ_live_unused($1::jsonb)'
const INCOMING = `
  SELECT l.action, c.delegation, c.token_lineage FROM writ_live_token($1, clock_timestamp()) l
  JOIN record c ON c.jti = $1`

/** Tokens that come back for introspection: those that are asked for at once are looked up together (`grouped`). */
export function tokenStatus(query: Query, isUnavailable = isDatabaseUnavailable): TokenStatus {
  const { ask } = grouped<string, { readonly action: JsonObject } | undefined>({
    isUnavailable,
    askAll: async (jtis) => {
      const rows = await query<{ n: number; action: string }>(LIVE, [JSON.stringify(jtis)], 'live_tokens')
      const actions = new Map(rows.map(({ n, action }) => [n, action]))
      return jtis.map((_, n) => {
        const action = actions.get(n)
        // Our own canonical text, written when the token was recorded.
        return action === undefined ? undefined : { action: JSON.parse(action) as JsonObject }
      })
    },
  })
  return { live: ask }
}

/** Tokens that are exchanged for another: on record and live, whether consumed or not. */
export function incomingTokens(query: Query): IncomingTokens {
  return {
    find: async (jti) => {
      const [row] = await query<{ action: string; delegation: string; token_lineage: readonly string[] }>(
        INCOMING,
        [jti],
        'incoming_token',
      )
      return row === undefined
        ? undefined
        : {
            action: JSON.parse(row.action) as JsonObject,
            delegationId: row.delegation,
            tokenLineage: row.token_lineage,
          }
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
