import type { Query } from './open-database.ts'

const INTERVAL_MILLISECONDS = 60_000
/** Rows of one statement, so that it never holds the table for long. */
const BATCH = 10_000

/** Removes marks that can no longer be presented, revocations of tokens that have expired, and old idempotency keys. */
const PRUNES = [
  `DELETE FROM replay_mark WHERE key IN (SELECT key FROM replay_mark WHERE expires_at < now() - interval '1 minute' LIMIT ${BATCH})`,
  `DELETE FROM revoked_token WHERE expires_at < now() - interval '1 hour'`,
  `DELETE FROM idempotency_key WHERE created_at < now() - interval '24 hours'`,
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
