import type { JsonObject } from '../../core/json.ts'
import type { ReceiptOutcome, Stops, TokenUses } from '../../ports.ts'
import type { Query } from './open-database.ts'

interface ConsumeRow {
  readonly active: boolean
  readonly action: string | null
  readonly consumed_at: Date
  readonly receipt_outcome: ReceiptOutcome | null
  readonly receipt_detail: string | null
  readonly receipt_at: Date | null
}

/** The one use of a token, and its receipt: decided by the functions writ_consume and writ_receipt. */
export function tokenUses(query: Query): TokenUses {
  return {
    consume: async (jti, consumerId, useId) => {
      const [row] = await query<ConsumeRow>(
        'SELECT active, action, consumed_at, receipt_outcome, receipt_detail, receipt_at FROM writ_consume($1, $2, $3)',
        [jti, consumerId, useId ?? null],
        'consume_token',
      )
      if (row === undefined) return { outcome: 'inactive' }
      // Our own canonical text, written when the token was recorded.
      if (row.action !== null) return { outcome: 'consumed', action: JSON.parse(row.action) as JsonObject }
      const { receipt_outcome: outcome, receipt_detail: detail, receipt_at: at } = row
      const receipt = outcome === null || at === null ? undefined : { outcome, detail: detail ?? undefined, at }
      return { outcome: 'consumed_before', at: row.consumed_at, receipt }
    },
    receipt: async ({ jti, consumerId, audience, outcome, detail }, { id, requestId }) => {
      const [row] = await query<{ answer: 'created' | 'same' | 'different' | 'unknown' }>(
        'SELECT writ_receipt($1, $2, $3, $4, $5, $6::uuid, $7) AS answer',
        [jti, consumerId, audience, outcome, detail ?? null, id, requestId],
        'receive_receipt',
      )
      if (row === undefined) throw new Error('writ_receipt did not answer')
      return row.answer
    },
  }
}

export const stops = (query: Query): Stops => ({
  isEverythingStopped: async () => {
    const rows = await query('SELECT 1 FROM generation WHERE stopped_at IS NOT NULL', [], 'is_everything_stopped')
    return rows.length > 0
  },
})
