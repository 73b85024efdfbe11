import { createHash } from 'node:crypto'
import {
  type CallClaims,
  type CallOptions,
  checkCallOptions,
  claimAndRun,
  endOf,
  stateOf,
  type WrittenCall,
} from './call-claims.ts'
import { firstValue, type PostgresQueries } from './postgres-queries.ts'
import { inTransaction, type PostgresClient, type PostgresPool } from './postgres-transaction.ts'
import { untilOf } from './replay-store.ts'
import type { Call, CallState, TransactionalResultStore } from './result-store.ts'
import { answerOf, checkTimeout } from './store-unavailable.ts'

/** A result store on PostgreSQL. */
export interface PostgresResultStore<Client> extends TransactionalResultStore<Client> {
  /** Makes what is missing of table and index; needs the right to. `POSTGRES_RESULT_SQL` is the same, to run elsewhere. */
  readonly migrate: () => Promise<void>
  /** Removes up to 1,000 calls that have ended for long. Calls do so by themselves, now and then. @returns how many. */
  readonly prune: (now: Date) => Promise<number>
}

export interface PostgresResultStoreOptions extends CallOptions {
  /** For statements of the store; those of an effect take as long as they take. Default: 5,000. */
  readonly timeoutMilliseconds?: number
}

const PRUNE_ROWS = 1_000
const PRUNE_SECONDS = 10
/** For how long calls stay after their tokens, by the clock of whoever prunes: another's may be behind. */
const PRUNE_MARGIN_SECONDS = 60

/**
 * Makes a result store on PostgreSQL 11 or newer, shared by all processes that have the same database.
 *
 * `once` commits the claim before the effect, for effects anywhere: at most once. `transact` commits claim, effect and answer
 * together, for effects in this database: exactly once for whoever retries. A call is for one of them, always the same.
 */
export function createPostgresResultStore<Client extends PostgresClient = PostgresClient>(
  pool: PostgresPool<Client>,
  options: PostgresResultStoreOptions = {},
): PostgresResultStore<Client> {
  const { timeoutMilliseconds = 5_000 } = options
  const checked = checkCallOptions(options)
  checkTimeout(timeoutMilliseconds)
  const timed = (database: PostgresQueries): PostgresQueries => ({
    query: (text, values) => answerOf('PostgreSQL', timeoutMilliseconds, () => database.query(text, values)),
  })
  const database = timed(pool)
  let prunedAt = Number.NEGATIVE_INFINITY

  async function prune(now: Date): Promise<number> {
    const before = Math.floor(now.getTime() / 1000) - PRUNE_MARGIN_SECONDS
    return Number(firstValue(await database.query(PRUNE, [before, PRUNE_ROWS]), 'pruned'))
  }
  /** Before the call and not after: when the database is away, nothing has run. */
  async function pruneSometimes(now: Date): Promise<void> {
    const second = Math.floor(now.getTime() / 1000)
    if (Math.abs(second - prunedAt) < PRUNE_SECONDS) return
    const isDone = (await prune(now)) < PRUNE_ROWS
    if (isDone) prunedAt = second
  }

  const claims: CallClaims = {
    async claim(call, by, now) {
      await pruneSometimes(now)
      if ((await claimIn(database, call, by, now)) !== undefined) return { kind: 'claimed' }
      return (await findIn(database, call, now)) ?? { kind: 'unfinished' }
    },
    async end(call, ticket, end) {
      const { status, headers, body } = end.kind === 'kept' ? end.answer : EMPTY
      await database.query(END, [call.key, ticket, end.kind, status, JSON.stringify(headers), Buffer.from(body)])
    },
  }

  return {
    isDurable: true,
    prune,
    async migrate() {
      await database.query(POSTGRES_RESULT_SQL, [])
    },
    once: (call, now, effect) => claimAndRun(claims, checked, { call, now, effect }),
    find: (call, now) => findIn(database, call, now),
    async transact(call, now, effect) {
      await pruneSometimes(now)
      return inTransaction(pool, timeoutMilliseconds, async (client) => {
        const transaction = timed(client)
        // Taken until the end of the transaction, or of its process: who has it is running the call.
        const locked = await transaction.query('SELECT pg_try_advisory_xact_lock($1::bigint) AS locked', [lockOf(call)])
        if (firstValue(locked, 'locked') !== true) return { kind: 'running' }
        // Should the effect commit by itself, what is seen of this claim is one that is over.
        const id = await claimIn(transaction, call, { ticket: '', runningUntil: 0 }, now)
        if (id === undefined) return (await findIn(transaction, call, now)) ?? { kind: 'unfinished' }
        const end = endOf(await effect(client), checked.maxAnswerBytes)
        const { status, headers, body } = end.kind === 'kept' ? end.answer : EMPTY
        const ended = await transaction.query(END_SAME, [
          call.key,
          id,
          end.kind,
          status,
          JSON.stringify(headers),
          Buffer.from(body),
        ])
        if (ended.rows.length !== 1) throw new Error('the effect ended the transaction it was given')
        return { kind: 'ran' }
      })
    },
  }
}

const EMPTY = { status: 0, headers: {}, body: new Uint8Array() }

/** @returns the id of the transaction that made the claim, or undefined: the call is claimed already. */
async function claimIn(
  database: PostgresQueries,
  call: Call,
  { ticket, runningUntil }: { readonly ticket: string; readonly runningUntil: number },
  now: Date,
): Promise<string | undefined> {
  const second = Math.floor(now.getTime() / 1000)
  const until = Math.max(untilOf(call.until), second)
  const claimed = await database.query(CLAIM, [call.key, call.fingerprint, ticket, runningUntil, until, second])
  const id = firstValue(claimed, 'id')
  return typeof id === 'string' ? id : undefined
}

async function findIn(database: PostgresQueries, call: Call, now: Date): Promise<CallState | undefined> {
  const second = Math.floor(now.getTime() / 1000)
  const [row] = (await database.query(FIND, [call.key, second])).rows
  return row === undefined ? undefined : stateOf(parseRow(row), call, now)
}

/** A row of `FIND`: the table has the types, and only the statements here write it. */
function parseRow(row: unknown): WrittenCall {
  const { fingerprint, state, running_until, status, headers, body } = row as {
    readonly fingerprint: string
    readonly state: WrittenCall['state']
    readonly running_until: number
    readonly status: number
    readonly headers: string
    readonly body: Uint8Array
  }
  const answer = state === 'kept' ? { status, headers: JSON.parse(headers) as Record<string, string>, body } : undefined
  return { fingerprint, state, runningUntil: running_until, answer }
}

/** A number of 64 bits for the lock. Two calls that meet in it wait for each other, and nothing else. */
const lockOf = ({ key }: Call): string =>
  createHash('sha256').update('writ_call').update(key).digest().readBigInt64BE(0).toString()

const CLAIM = `
INSERT INTO writ_call AS call (key, fingerprint, ticket, running_until, until) VALUES ($1, $2, $3, $4::bigint, $5::bigint)
ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, ticket = excluded.ticket,
  running_until = excluded.running_until, until = excluded.until, state = 'claimed', status = 0, headers = '{}', body = ''
  WHERE call.until < $6::bigint
RETURNING txid_current()::text AS id`

const FIND = `
SELECT fingerprint, state, running_until::float8 AS running_until, status, headers, body
FROM writ_call WHERE key = $1 AND until >= $2::bigint`

const END = `UPDATE writ_call SET state = $3, status = $4::int, headers = $5, body = $6::bytea WHERE key = $1 AND ticket = $2`

const END_SAME = `
UPDATE writ_call SET state = $3, status = $4::int, headers = $5, body = $6::bytea
WHERE key = $1 AND txid_current()::text = $2 RETURNING key`

/** Ended by both clocks, the database's and ours: one process whose clock leapt ahead must not make the others forget. */
const PRUNE = `
WITH ended AS (
  SELECT key FROM writ_call WHERE until < least($1::bigint, extract(epoch FROM statement_timestamp())::bigint - ${PRUNE_MARGIN_SECONDS})
  ORDER BY until LIMIT $2::int FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM writ_call USING ended WHERE writ_call.key = ended.key RETURNING 1
)
SELECT count(*)::int AS pruned FROM gone`

/** Table and index of the result store, in the first schema of the search path. May be run again, also by several at once. */
export const POSTGRES_RESULT_SQL = `
DO $migrate$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('writ_call'));
  CREATE TABLE IF NOT EXISTS writ_call (
    key text COLLATE "C" PRIMARY KEY,
    fingerprint text NOT NULL,
    ticket text NOT NULL,
    running_until bigint NOT NULL,
    until bigint NOT NULL,
    state text NOT NULL DEFAULT 'claimed' CHECK (state IN ('claimed', 'unfinished', 'unkept', 'kept')),
    status int NOT NULL DEFAULT 0,
    headers text NOT NULL DEFAULT '{}',
    body bytea NOT NULL DEFAULT ''
  );
  CREATE INDEX IF NOT EXISTS writ_call_until ON writ_call (until);
END $migrate$`
