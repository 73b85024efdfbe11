import type { RevocationEvent, RevokedKind } from '../../core/revocation/revocation-event.ts'
import { CONCERNS_SECONDS } from '../../core/revocation/revocation-event.ts'
import type { Query } from '../prisma/open-database.ts'

/** An event as it is stored. */
export interface StoredEvent extends RevocationEvent {
  readonly id: bigint
  /** The resource that it concerns alone; undefined: every one. */
  readonly audience: string | undefined
}

interface EventRow {
  readonly id: bigint
  readonly at: Date
  readonly kind: RevokedKind
  readonly subject: string
  readonly audience: string | null
  readonly is_lifted: boolean
}

/** Events of one read at most; more come with the next. */
export const MAX_EVENTS = 1_000
const COLUMNS = 'e.id, e.at, e.kind, e.subject, e.audience, e.is_lifted'

/** What was stopped and let go on, in the order of commits. */
export interface RevocationEvents {
  /** The last event, and the epoch: 0, or when the database was restored. Unit of the epoch: ms. */
  readonly head: () => Promise<{ readonly id: bigint; readonly epoch: number }>
  readonly after: (id: bigint) => Promise<readonly StoredEvent[]>
  /** What is in force up to `id` and concerns any live token. */
  readonly inForce: (id: bigint) => Promise<readonly StoredEvent[]>
  /** Whether everything after this event is still there. */
  readonly isKept: (id: bigint) => Promise<boolean>
}

export function revocationEvents(query: Query): RevocationEvents {
  return {
    head: async () => {
      const [row] = await query<{ id: bigint; restored_at: Date | null }>(
        `SELECT coalesce((SELECT max(id) FROM revocation_event), 0) AS id, restored_at FROM generation WHERE id = 1`,
        [],
        'revocation_head',
      )
      if (row === undefined) throw new Error('the generation is missing')
      return { id: BigInt(row.id), epoch: row.restored_at?.getTime() ?? 0 }
    },
    after: async (id) =>
      (
        await query<EventRow>(
          `SELECT ${COLUMNS} FROM revocation_event e WHERE e.id > $1 ORDER BY e.id LIMIT ${MAX_EVENTS}`,
          [id],
          'revocations_after',
        )
      ).map(toEvent),
    inForce: async (id) =>
      (
        await query<EventRow>(
          `SELECT ${COLUMNS} FROM (
             SELECT DISTINCT ON (kind, subject) * FROM revocation_event
             WHERE id <= $1 AND at > clock_timestamp() - make_interval(secs => $2) ORDER BY kind, subject, id DESC) e
           WHERE NOT e.is_lifted ORDER BY e.id`,
          [id, CONCERNS_SECONDS],
        )
      ).map(toEvent),
    isKept: async (id) => {
      const rows = await query('SELECT 1 AS one FROM revocation_event WHERE id = $1', [id])
      return rows.length > 0
    },
  }
}

const toEvent = ({ id, is_lifted, audience, ...row }: EventRow): StoredEvent => ({
  ...row,
  id: BigInt(id),
  isLifted: is_lifted,
  audience: audience ?? undefined,
})
