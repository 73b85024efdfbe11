import { openEmbeddedDatabase } from './embedded-database.ts'
import type { PrismaClient } from './generated/client.ts'
import { openPostgresDatabase, type PostgresOptions } from './postgres-database.ts'

/**
 * Runs one parameterized statement (`$1`, `$2`, …) and returns its rows.
 *
 * Both drivers answer with the same JavaScript types: `int8` as bigint, `timestamptz` as Date, `json` parsed, `numeric` as
 * string, `bytea` as Uint8Array. A JSON parameter is passed as text: the drivers disagree about arrays.
 *
 * `name` keeps the prepared statement on the PostgreSQL connection; give it to constant statements of the hot path only.
 */
export type Query = <Row>(sql: string, params?: readonly unknown[], name?: string) => Promise<Row[]>

/** One connection that nobody else uses meanwhile, without statement timeout: for the migrator. */
export interface DatabaseSession {
  readonly query: Query
  /** Runs several statements separated by semicolons, without parameters. */
  readonly execScript: (sql: string) => Promise<void>
}

/** An open database: Prisma Client for people-speed work, plain SQL for the hot path. */
export interface Database {
  readonly kind: 'embedded' | 'postgres'
  readonly prisma: PrismaClient
  readonly query: Query
  /**
   * Runs `work` in one READ COMMITTED transaction; what it throws rolls back and is thrown on.
   *
   * Inside, use the query that was handed in only: the embedded database has one connection, so using the outer one (or
   * Prisma) there waits for a transaction that waits for it.
   */
  readonly transaction: <T>(work: (query: Query) => Promise<T>) => Promise<T>
  readonly execScript: (sql: string) => Promise<void>
  readonly session: <T>(work: (session: DatabaseSession) => Promise<T>) => Promise<T>
  /** How the pool stands; absent where the database is embedded. */
  readonly connections?: () => { readonly total: number; readonly idle: number; readonly waiting: number }
  /** Waits for what runs, closes every connection and lets go of the data directory. May be called twice. */
  readonly close: () => Promise<void>
}

/** Where the database is, and how its connections behave. */
export interface DatabaseOptions extends PostgresOptions {
  /** A PostgreSQL URL; absent = the embedded database in the data directory. */
  readonly databaseUrl?: string | undefined
  readonly dataDirectory: string
}

/**
 * Opens the database: PostgreSQL when a URL is given, else the embedded one, which takes the data directory for itself.
 *
 * @throws DataDirectoryInUse when another process has the data directory; a driver error when PostgreSQL cannot be reached.
 */
export function openDatabase({ databaseUrl, dataDirectory, ...options }: DatabaseOptions): Promise<Database> {
  return databaseUrl === undefined ? openEmbeddedDatabase(dataDirectory) : openPostgresDatabase(databaseUrl, options)
}
