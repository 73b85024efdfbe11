import type { Query } from './open-database.ts'

const INTERVAL_MILLISECONDS = 60_000
/** Rows of one statement, so that it never holds the table for long. */
const BATCH = 10_000

/**
 * Removes marks that can no longer be presented, revocations of tokens that have expired, old idempotency keys, turns of
 * delegations that have ended, what was counted where nothing can count or be given back any more, and instances of agents that
 * ended a month ago.
 */
const PRUNES = [
  `DELETE FROM replay_mark WHERE key IN (SELECT key FROM replay_mark WHERE expires_at < now() - interval '1 minute' LIMIT ${BATCH})`,
  // That of a turn is remembered as long as the turn: it is over, and not minted again.
  `DELETE FROM revoked_token r WHERE expires_at < now() - interval '1 hour'
     AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.jti = r.jti)`,
  `DELETE FROM idempotency_key WHERE created_at < now() - interval '24 hours'`,
  `DELETE FROM turn WHERE key IN (SELECT key FROM turn WHERE forget_at < now() - interval '1 minute' LIMIT ${BATCH})`,
  `DELETE FROM token_use WHERE jti IN (SELECT jti FROM token_use WHERE forget_at < now() LIMIT ${BATCH})`,
  // Their tokens and attestations have ended long before; the account still names them.
  `DELETE FROM key WHERE kid IN (SELECT kid FROM key WHERE vouched_by IS NOT NULL AND expires_at < now() - interval '30 days' LIMIT ${BATCH})`,
  // Followers that come back later than that are told everything anew.
  `DELETE FROM revocation_event WHERE at < now() - interval '2 hours'`,
  // What leaves a counter by itself is taken off it first; then nothing of it is needed any more.
  `SELECT writ_settle_limits(1000) AS counters`,
  `DELETE FROM limit_use WHERE (jti, counter_id) IN (
     SELECT jti, counter_id FROM limit_use WHERE forget_at < now() AND leaves_at IS NULL LIMIT ${BATCH})`,
  `DELETE FROM limit_counter WHERE id IN (
     SELECT id FROM limit_counter c WHERE forget_at < now() - interval '1 hour'
       AND NOT EXISTS (SELECT 1 FROM limit_use u WHERE u.counter_id = c.id) LIMIT ${BATCH})`,
]

/** Removes once what is past its time. */
export async function prune(query: Query): Promise<void> {
  for (const statement of PRUNES) await query(statement)
}

/** Prunes once a minute; `stop` waits for the statement that runs. */
export function startPruning(query: Query, onFault: (error: unknown) => void): { readonly stop: () => Promise<void> } {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= prune(query)
      .catch(onFault)
      .finally(() => {
        running = undefined
      })
  }, INTERVAL_MILLISECONDS)
  timer.unref()
  return {
    stop: async () => {
      clearInterval(timer)
      await running
    },
  }
}
