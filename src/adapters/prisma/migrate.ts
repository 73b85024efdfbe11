import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Database, DatabaseSession } from './open-database.ts'

/** What to migrate, from where, and what to do before anyone else may. */
export interface MigrateOptions {
  readonly database: Database
  /** A folder as Prisma lays it out: `<name>/migration.sql`. Default: this project's own. */
  readonly directory?: string
  /** Takes one line of progress. */
  readonly log?: (line: string) => void
  /** Runs after the last migration and before the lock is let go: what only one process may do at the first start. */
  readonly whileLocked?: () => Promise<void>
}

/** A database that this build must not touch; the message says why and what to do. */
export class MigrationRefused extends Error {
  override readonly name = 'MigrationRefused'
}

/**
 * Brings the database to this build's schema and returns the names of the migrations it applied.
 *
 * Keeps Prisma's own `_prisma_migrations` table and takes its advisory lock, so that `prisma migrate status` and `deploy`
 * agree with it, and processes that start together apply each migration once. One migration is one transaction: it is
 * there wholly or not at all.
 *
 * @throws MigrationRefused when a migration was edited after it was applied, failed before, or is unknown to this build;
 * the database's error when a statement fails.
 */
export async function migrate(options: MigrateOptions): Promise<readonly string[]> {
  const { database, directory = OWN_MIGRATIONS, log = () => {}, whileLocked = async () => {} } = options
  const migrations = await readMigrations(directory)
  return database.session(async (session) => {
    await lock(session, log)
    try {
      await session.execScript(TABLE)
      const pending = pendingOf(migrations, await readApplied(session))
      for (const migration of pending) {
        const start = performance.now()
        await apply(session, migration)
        log(`migration ${migration.name} applied in ${((performance.now() - start) / 1_000).toFixed(1)} s`)
      }
      await whileLocked()
      return pending.map(({ name }) => name)
    } finally {
      // When the connection is lost the server has let go already, and what was thrown says more than this would.
      await session.query('SELECT pg_advisory_unlock($1::bigint)', [LOCK_ID]).catch(() => {})
    }
  })
}

/** Holds in the source tree and in the built one: both lie three folders below package.json. */
const OWN_MIGRATIONS = fileURLToPath(new URL('../../../prisma/migrations', import.meta.url))

/** The id that Prisma's own engine locks. */
const LOCK_ID = 72_707_369

/** How long to wait for a process that migrates before we do. Unit: ms. */
const LOCK_WAIT_MS = 120_000

/** Pause between two tries for the lock. Unit: ms. */
const LOCK_RETRY_MS = 100

/** Column for column what Prisma creates. */
const TABLE = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`

interface Migration {
  readonly name: string
  readonly sql: string
  /** SHA-256 of the file's bytes, in hex, as Prisma computes it. */
  readonly checksum: string
}

interface Applied {
  readonly migration_name: string
  readonly checksum: string
  readonly is_finished: boolean
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return Promise.all(
    names.sort().map(async (name) => {
      const bytes = await readFile(join(directory, name, 'migration.sql'))
      return { name, sql: bytes.toString('utf8'), checksum: createHash('sha256').update(bytes).digest('hex') }
    }),
  )
}

/** Tries rather than waits, so that whoever looks at the log sees why nothing happens, and a stuck holder is named. */
async function lock(session: DatabaseSession, log: (line: string) => void): Promise<void> {
  const deadline = Date.now() + LOCK_WAIT_MS
  for (let tries = 0; ; tries += 1) {
    const [row] = await session.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1::bigint) AS locked', [
      LOCK_ID,
    ])
    if (row?.locked) return
    if (tries === 10) log('waiting for another process that is migrating the database')
    if (Date.now() >= deadline) {
      throw new MigrationRefused('another process has held the migration lock of the database for two minutes')
    }
    await sleep(LOCK_RETRY_MS)
  }
}

const readApplied = (session: DatabaseSession) =>
  session.query<Applied>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS is_finished FROM "_prisma_migrations"
      WHERE rolled_back_at IS NULL ORDER BY started_at`,
  )

/** What is still to be applied, once everything that was applied has been recognized. */
function pendingOf(migrations: readonly Migration[], applied: readonly Applied[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]))
  for (const { migration_name: name, checksum, is_finished: isFinished } of applied) {
    if (!isFinished) {
      throw new MigrationRefused(`migration ${name} failed before: repair it, then see "prisma migrate resolve"`)
    }
    const migration = known.get(name)
    if (migration === undefined) {
      throw new MigrationRefused(
        `the database is newer than this build: it has the migration ${name}, which this build does not know`,
      )
    }
    if (migration.checksum !== checksum) throw new MigrationRefused(`migration ${name} was edited after it was applied`)
    known.delete(name)
  }
  return [...known.values()]
}

async function apply(session: DatabaseSession, { name, sql, checksum }: Migration): Promise<void> {
  const id = randomUUID()
  await session.execScript('BEGIN')
  try {
    await session.query('INSERT INTO "_prisma_migrations" (id, checksum, migration_name) VALUES ($1, $2, $3)', [
      id,
      checksum,
      name,
    ])
    await session.execScript(sql)
    await session.query(
      'UPDATE "_prisma_migrations" SET finished_at = clock_timestamp(), applied_steps_count = 1 WHERE id = $1',
      [id],
    )
    await session.execScript('COMMIT')
  } catch (error) {
    await session.execScript('ROLLBACK').catch(() => {}) // a lost connection has rolled back already
    throw new Error(`migration ${name} failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
