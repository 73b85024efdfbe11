import { isDatabaseUnavailable, isStatementTimeout } from './database-errors.ts'
import type { Query } from './open-database.ts'

const INTERVAL_MILLISECONDS = 60_000
/** Rows of one statement: few, so that it never holds a table, or the one connection of the embedded database, for long. */
const BATCH = 2_000
/** Statements of one table at a time, so that one that grows faster than it is pruned does not keep the others from it. */
const MAX_BATCHES = 1_000

/**
 * What is past its time, each with the statement that says how many of it it removed, `BATCH` at most: marks that can no longer be
 * presented, revocations of tokens that have expired, old idempotency keys, turns of delegations that have ended, what was counted
 * where nothing can count or be given back any more, and instances of agents that ended a month ago and were not
 * stopped one by one.
 *
 * Every condition is on an index, oldest first (test/pg/prune.test.ts): what is looked up for each row is so by an index, too, which
 * `NOT EXISTS` would leave to the planner. Rows that another process is at are left to it.
 */
export const PRUNES: readonly Prune[] = [
  removal('replay_mark', 'expires_at', `expires_at < now() - interval '1 minute'`),
  // That of a turn is remembered as long as the turn: it is over, and not minted again.
  removal(
    'revoked_token',
    'expires_at',
    `expires_at < now() - interval '1 hour' AND (SELECT 1 FROM turn t WHERE t.jti = revoked_token.jti LIMIT 1) IS NULL`,
  ),
  removal('idempotency_key', 'created_at', `created_at < now() - interval '24 hours'`),
  // What is over is still told from what never was, for a while.
  removal('oidc_model', 'expires_at', `expires_at < now() - interval '1 hour'`),
  removal('turn', 'forget_at', `forget_at < now() - interval '1 minute'`),
  removal('token_use', 'forget_at', 'forget_at < now()'),
  // Instances of agents: their tokens and attestations have ended long before; the account still names them. One that was stopped
  // by itself, and not with the key that vouched for it, is stopped for ever: it stays, so that nobody vouches for it again.
  removal(
    'key',
    'expires_at',
    `vouched_by IS NOT NULL AND expires_at < now() - interval '30 days' AND (status = 'active'
       OR retired_at = (SELECT v.retired_at FROM key v WHERE v.kid = key.vouched_by))`,
  ),
  // Kept for a while after its time, so that an operator can see what became of it.
  removal('notification', 'expires_at', `expires_at < now() - interval '1 hour'`),
  // Answered or not, long ago: the account still has them.
  removal('approval', 'expires_at', `expires_at < now() - interval '30 days'`),
  // Logins and sign-in links that ended long ago: the account still has them.
  removal('login', 'expires_at', `expires_at < now() - interval '30 days'`),
  removal('sign_in_link', 'expires_at', `expires_at < now() - interval '30 days'`),
  // Followers that come back later than that are told everything anew.
  removal('revocation_event', 'at', `at < now() - interval '2 hours'`),
  // What leaves a counter by itself is taken off it first; then nothing of it is needed any more.
  {
    table: 'limit_use',
    sql: `SELECT CASE writ_settle_limits(${BATCH / 2}) WHEN 0 THEN 0 ELSE ${BATCH} END AS gone`,
    // It counts what it looked at and not what it removed: what is to leave later must not keep us here.
    maxBatches: 20,
  },
  removal('limit_use', 'forget_at', 'forget_at < now() AND leaves_at IS NULL'),
  removal(
    'limit_counter',
    'forget_at',
    `forget_at < now() - interval '1 hour'
       AND (SELECT 1 FROM limit_use u WHERE u.counter_id = limit_counter.id LIMIT 1) IS NULL`,
  ),
]

interface Prune {
  readonly table: string
  readonly sql: string
  readonly maxBatches?: number
}

function removal(table: string, order: string, condition: string): Prune {
  const sql = `
    WITH gone AS (
      DELETE FROM ${table} WHERE ctid = ANY (ARRAY (
        SELECT ctid FROM ${table} WHERE ${condition} ORDER BY ${order} LIMIT ${BATCH} FOR UPDATE SKIP LOCKED))
      RETURNING 1)
    SELECT count(*)::int AS gone FROM gone`
  return { table, sql }
}

/**
 * Removes what is past its time, batch by batch, until nothing is left of it.
 *
 * A table that cannot be pruned keeps none of the others from it; `onFault` is told. Only a database that is away ends it.
 *
 * @param goesOn whether the next batch may begin.
 */
export async function prune(
  query: Query,
  onFault: (error: unknown) => void = rethrow,
  goesOn: () => boolean = () => true,
): Promise<void> {
  for (const { sql, maxBatches = MAX_BATCHES } of PRUNES) {
    try {
      for (let batch = 0; batch < maxBatches && goesOn(); batch++) {
        const [row] = await query<{ gone: number }>(sql)
        if (row === undefined || row.gone < BATCH) break
      }
    } catch (error) {
      onFault(error)
      // A table that is locked, or takes too long, is one that cannot be pruned.
      if (isDatabaseUnavailable(error) && !isStatementTimeout(error)) return
    }
  }
}

const rethrow = (error: unknown): never => {
  throw error
}

/** Prunes once a minute; `stop` waits for the statement that runs. */
export function startPruning(query: Query, onFault: (error: unknown) => void): { readonly stop: () => Promise<void> } {
  let running: Promise<void> | undefined
  let isStopped = false
  const timer = setInterval(() => {
    running ??= prune(query, onFault, () => !isStopped)
      .catch(onFault)
      .finally(() => {
        running = undefined
      })
  }, INTERVAL_MILLISECONDS)
  timer.unref()
  return {
    stop: async () => {
      isStopped = true
      clearInterval(timer)
      await running
    },
  }
}
