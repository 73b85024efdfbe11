import { firstValue, type PostgresQueries } from './postgres-queries.ts'
import { type MarkResult, type ReplayStore, repeatedMark, untilOf } from './replay-store.ts'
import { answerOf, checkTimeout } from './store-unavailable.ts'

/** A replay store on PostgreSQL. */
export interface PostgresReplayStore extends ReplayStore {
  readonly mark: (...args: Parameters<ReplayStore['mark']>) => Promise<MarkResult>
  /** Makes what is missing of table, index and function; needs the right to. `POSTGRES_REPLAY_SQL` is the same, to run elsewhere. */
  readonly migrate: () => Promise<void>
  /** Removes up to `pruneRows` ended marks. Marking does so by itself. @returns how many. */
  readonly prune: (now: Date) => Promise<number>
}

export interface PostgresReplayStoreOptions {
  /** How many ended marks go at once. Default: 1,000. */
  readonly pruneRows?: number
  /** How often at most ended marks are looked for; while there are many, with every request. Default: 10. */
  readonly pruneSeconds?: number
  /** Default: 5,000. */
  readonly timeoutMilliseconds?: number
}

/** For how long ended marks stay, by the clock of whoever prunes: another's may be behind. */
const PRUNE_MARGIN_SECONDS = 60

/**
 * Makes a replay store on PostgreSQL 11 or newer, shared by all processes that have the same database.
 *
 * One statement marks all or nothing, keys in one order, so that no two wait for each other. What was committed is remembered
 * as well as everything else in that database: with `synchronous_commit` on, and a failover to a synchronous standby, always.
 */
export function createPostgresReplayStore(
  database: PostgresQueries,
  { pruneRows = 1_000, pruneSeconds = 10, timeoutMilliseconds = 5_000 }: PostgresReplayStoreOptions = {},
): PostgresReplayStore {
  if (typeof database?.query !== 'function') throw new TypeError('database must have query(text, values)')
  if (!Number.isSafeInteger(pruneRows) || pruneRows < 1) throw new RangeError('pruneRows must be an integer over 0')
  if (!(pruneSeconds >= 0)) throw new RangeError('pruneSeconds must be a number, at least 0')
  checkTimeout(timeoutMilliseconds)
  const query = (text: string, values: unknown[]) =>
    answerOf('PostgreSQL', timeoutMilliseconds, () => database.query(text, values))
  let prunedAt = Number.NEGATIVE_INFINITY

  async function prune(now: Date): Promise<number> {
    const before = Math.floor(now.getTime() / 1000) - PRUNE_MARGIN_SECONDS
    return Number(firstValue(await query(PRUNE, [before, pruneRows]), 'pruned'))
  }

  return {
    prune,
    async migrate() {
      await query(POSTGRES_REPLAY_SQL, [])
    },
    async mark(marks, now) {
      const repeated = repeatedMark(marks)
      if (repeated !== undefined) return { seen: repeated.key }
      const second = Math.floor(now.getTime() / 1000)
      // Before and not after: when the database is away this request fails with nothing marked.
      if (Math.abs(second - prunedAt) >= pruneSeconds) {
        const isDone = (await prune(now)) < pruneRows
        if (isDone) prunedAt = second
      }
      const ordered = marks.toSorted((a, b) => (a.key < b.key ? -1 : 1))
      const seen = firstValue(
        await query('SELECT writ_mark_used($1::text[], $2::bigint[], $3::bigint) AS seen', [
          ordered.map(({ key }) => key),
          ordered.map(({ until }) => Math.max(untilOf(until), second)),
          second,
        ]),
        'seen',
      )
      if (seen === null) return 'marked'
      if (typeof seen !== 'string') throw new TypeError('PostgreSQL answered what the function cannot say')
      return { seen }
    },
  }
}

/** Ended by both clocks, the database's and ours: one process whose clock leapt ahead must not make the others forget. */
const PRUNE = `
WITH ended AS (
  SELECT key FROM writ_used WHERE until < least($1::bigint, extract(epoch FROM statement_timestamp())::bigint - ${PRUNE_MARGIN_SECONDS})
  ORDER BY until LIMIT $2::int FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM writ_used USING ended WHERE writ_used.key = ended.key RETURNING 1
)
SELECT count(*)::int AS pruned FROM gone`

/**
 * Table, index and function of the replay store, in the first schema of the search path. May be run again, also by several at once.
 *
 * The function marks all keys, in the order given, or none: the first that was there ends it, is returned, and what was marked
 * before is undone with the block. It needs READ COMMITTED, in which it sees what was committed while it waited for a key; a
 * stricter level fails instead.
 */
export const POSTGRES_REPLAY_SQL = `
DO $migrate$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('writ_used'));
  CREATE TABLE IF NOT EXISTS writ_used (key text COLLATE "C" PRIMARY KEY, until bigint NOT NULL);
  CREATE INDEX IF NOT EXISTS writ_used_until ON writ_used (until);
  CREATE OR REPLACE FUNCTION writ_mark_used(keys text[], untils bigint[], now bigint) RETURNS text LANGUAGE plpgsql AS $body$
  DECLARE
    seen text;
  BEGIN
    FOR i IN 1 .. coalesce(array_length(keys, 1), 0) LOOP
      INSERT INTO writ_used AS used (key, until) VALUES (keys[i], untils[i])
        ON CONFLICT (key) DO UPDATE SET until = excluded.until WHERE used.until < writ_mark_used.now;
      IF NOT FOUND THEN
        seen := keys[i];
        RAISE EXCEPTION USING ERRCODE = 'WU001', MESSAGE = 'used before';
      END IF;
    END LOOP;
    RETURN NULL;
  EXCEPTION WHEN SQLSTATE 'WU001' THEN
    RETURN seen;
  END $body$;
END $migrate$`
