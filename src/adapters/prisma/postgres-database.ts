import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { isDatabaseUnavailable } from './database-errors.ts'
import { PrismaClient } from './generated/client.ts'
import type { Database, DatabaseSession, Query } from './open-database.ts'

/** How the connections to PostgreSQL behave; every time in milliseconds. */
export interface PostgresOptions {
  /** Connections this process may hold. Default 10. */
  readonly poolSize?: number | undefined
  /** How long to wait for a connection, new or from the pool. Default 3,000. */
  readonly connectTimeoutMs?: number | undefined
  /** How long the server works on one statement before it gives up. Default 4,000. */
  readonly statementTimeoutMs?: number | undefined
  /** Told when an idle connection is lost; the next query opens another one. */
  readonly onConnectionLost?: ((error: Error) => void) | undefined
}

/** A database that this server cannot work with. The message is one line for the operator. */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused'
}

/** How much longer than the server this side waits for an answer: only a dead peer or network reaches it. Unit: ms. */
const ANSWER_GRACE_MS = 1_000

/** How often a session checks that its peer is still there. Unit: ms. */
const KEEP_ALIVE_MS = 10_000

/**
 * Opens a pool of connections to PostgreSQL, and makes sure that one can be had.
 *
 * A database that is down or hangs answers within `connectTimeoutMs`, or `statementTimeoutMs` and a second.
 *
 * @throws the driver's error when no connection can be made, and when the URL names another schema than `public`.
 */
export async function openPostgresDatabase(databaseUrl: string, options: PostgresOptions = {}): Promise<Database> {
  const { poolSize = 10, connectTimeoutMs = 3_000, statementTimeoutMs = 4_000, onConnectionLost = () => {} } = options
  refuseOtherSchemas(databaseUrl)
  const connection = {
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: 'writ',
  }
  const pool = new pg.Pool({
    ...connection,
    max: poolSize,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + ANSWER_GRACE_MS,
    idle_in_transaction_session_timeout: 2 * statementTimeoutMs,
  })
  // Without a listener the loss of a connection would be an uncaught 'error' event and end the process: of an idle one at
  // the pool, of one in use (between two statements of a transaction) at the client itself.
  pool.on('error', onConnectionLost)
  pool.on('connect', (client) => client.on('error', () => {}))

  const onClient = async <T>(work: (client: pg.ClientBase) => Promise<T>): Promise<T> => {
    const client = await pool.connect()
    try {
      const result = await work(client)
      client.release()
      return result
    } catch (error) {
      // A statement the server rejected leaves the connection good; a connection that failed must not go back.
      client.release(isDatabaseUnavailable(error) || error instanceof RollbackFailed)
      throw error instanceof RollbackFailed ? error.cause : error
    }
  }

  const session = async <T>(work: (session: DatabaseSession) => Promise<T>): Promise<T> => {
    const client = new pg.Client(connection)
    client.on('error', () => {}) // the statement that needs the connection next fails, and says why
    await client.connect()
    try {
      return await work({ query: queryOn(client), execScript: (sql) => execScriptOn(client, sql) })
    } finally {
      await client.end()
    }
  }

  const prisma = new PrismaClient({
    adapter: new PrismaPg(pool, { onPoolError: () => {}, onConnectionError: () => {} }),
    errorFormat: 'minimal',
  })
  const close = async () => {
    await prisma.$disconnect()
    await pool.end()
  }
  try {
    await onClient((client) => client.query('SELECT 1'))
  } catch (error) {
    await close()
    throw error
  }

  let closing: Promise<void> | undefined
  return {
    kind: 'postgres',
    prisma,
    query: (sql, params, name) => onClient((client) => queryOn(client)(sql, params, name)),
    transaction: (work) => onClient((client) => inTransaction(client, work)),
    execScript: (sql) => onClient((client) => execScriptOn(client, sql)),
    session,
    connections: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

/** A ROLLBACK that failed: nobody knows what state the connection is in. The cause is what made us roll back. */
class RollbackFailed extends Error {}

async function inTransaction<T>(client: pg.ClientBase, work: (query: Query) => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  try {
    const result = await work(queryOn(client))
    const { command } = await client.query('COMMIT')
    // PostgreSQL answers COMMIT of a failed transaction with a ROLLBACK that looks like success.
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements had failed')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {
      throw new RollbackFailed('rollback failed', { cause: error })
    })
    throw error
  }
}

/** Text parsers for our own statements only: Prisma's adapter brings its own for its statements. */
const TYPES = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8 && format !== 'binary'
      ? (text: string) => BigInt(text)
      : pg.types.getTypeParser(oid, format ?? 'text'),
}

const queryOn =
  (client: pg.ClientBase): Query =>
  async <Row>(sql: string, params: readonly unknown[] = [], name?: string) => {
    const { rows } = await client.query({
      text: sql,
      values: [...params],
      types: TYPES,
      ...(name !== undefined && { name }),
    })
    return rows as Row[]
  }

async function execScriptOn(client: pg.ClientBase, sql: string): Promise<void> {
  await client.query(sql)
}

/** Prisma's `?schema=`: the driver would ignore it in silence, and the tables would be somewhere else than was asked for. */
function refuseOtherSchemas(databaseUrl: string): void {
  const schema = URL.canParse(databaseUrl) ? new URL(databaseUrl).searchParams.get('schema') : null
  if (schema !== null && schema !== 'public') {
    throw new DatabaseRefused(
      `DATABASE_URL names the schema "${schema}"; use a database of its own, with the schema "public"`,
    )
  }
}
