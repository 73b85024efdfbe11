import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import type { Database, DatabaseSession } from '../prisma/open-database.ts'

const FORMAT = 'writ-backup/1'
const ROWS_A_STEP = 500
const NEWLINE = 0x0a
/** What the system says when a file cannot grow. */
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/**
 * What is backed up, in the order in which it can be put back (a row after those it refers to).
 *
 * Left out on purpose: replay marks and idempotency keys, which the epoch of a restore makes needless, and what a
 * fresh database has by itself. Nor is anybody signed in after a restore, and no sign-in link is open: logins and links that had ended
 * since would be good again.
 */
const TABLES = [
  'identity',
  'key',
  'agent',
  'principal',
  'passkey',
  'upstream_identity',
  'resource',
  'downstream_rule',
  'administrator',
  'action_type',
  'delegation',
  'approval',
  'approval_vote',
  'enrolment',
  'signing_key',
  'server_secret',
  'revoked_token',
  'refusal_tally',
  'record',
  'turn',
  'token_use',
  'limit_counter',
  'limit_use',
] as const

/** A backup or a restore that cannot be done; the message says why and what to do. */
export class BackupRefused extends Error {
  override readonly name = 'BackupRefused'
}

/**
 * Writes everything of one moment into a file: gzip, one JSON line a row, 0600. It holds sealed keys and no key to them.
 *
 * @returns how many rows of each table.
 */
export async function backUp(database: Database, path: string): Promise<Readonly<Record<string, number>>> {
  const draft = `${path}.${process.pid}.part`
  const file = await open(draft, 'wx', 0o600)
  const counts: Record<string, number> = {}
  try {
    const gzip = createGzip()
    const written = pipeline(gzip, file.createWriteStream({ flush: true }))
    // Awaited below, and raced with while rows are written: a disk that is full must end the backup, not the process.
    written.catch(() => undefined)
    const digest = createHash('sha256')
    const write = async (line: object) => {
      const text = `${JSON.stringify(line)}\n`
      digest.update(text)
      if (!gzip.write(text)) await Promise.race([once(gzip, 'drain'), written])
    }
    await database.session(async (session) => {
      // One snapshot for all tables.
      await session.execScript('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      const [migrations, stop] = [await migrationsOf(session), await stopOf(session)]
      await write({ format: FORMAT, migrations, at: new Date().toISOString(), stop })
      for (const table of TABLES) counts[table] = await writeTable(session, table, write)
      await session.execScript('COMMIT')
    })
    gzip.write(`${JSON.stringify({ end: true, sha256: digest.digest('base64url') })}\n`)
    gzip.end()
    await written
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined || !NO_ROOM.has(code)) throw error
    throw new BackupRefused(`${path} could not be written: ${message}; make room, or name a file elsewhere`)
  }
  return counts
}

async function writeTable(
  session: DatabaseSession,
  table: string,
  write: (line: object) => Promise<void>,
): Promise<number> {
  await session.execScript(`DECLARE rows NO SCROLL CURSOR FOR SELECT to_jsonb(t) AS row FROM "${table}" t`)
  let count = 0
  for (;;) {
    const rows = await session.query<{ row: object }>(`FETCH ${ROWS_A_STEP} FROM rows`)
    for (const { row } of rows) await write({ table, row })
    count += rows.length
    if (rows.length < ROWS_A_STEP) break
  }
  await session.execScript('CLOSE rows')
  return count
}

/**
 * Puts a backup into an empty, migrated database, and begins a new epoch: every action token that was issued before is
 * void at introspection, every assertion and proof that was made before is refused, every open enrolment is withdrawn.
 *
 * All or nothing: what fails leaves the database empty.
 */
export async function restore(database: Database, path: string): Promise<Readonly<Record<string, number>>> {
  await checkWhole(path)
  const counts: Record<string, number> = Object.fromEntries(TABLES.map((table) => [table, 0]))
  await database.session(async (session) => {
    await session.execScript('BEGIN')
    try {
      const [used] = await session.query('SELECT 1 AS one FROM "identity" UNION ALL SELECT 1 FROM "record" LIMIT 1')
      if (used !== undefined) {
        throw new BackupRefused(
          'the database is not empty; restore into a new one (another DATABASE_URL or WRIT_DATA_DIR)',
        )
      }
      await session.execScript('DELETE FROM "action_type"')
      let pending: { table: string; rows: object[] } = { table: '', rows: [] }
      let stop: StopRow | undefined
      let madeAt: string | undefined
      const flush = async () => {
        const { table, rows } = pending
        if (rows.length === 0) return
        const insert = `INSERT INTO "${table}" SELECT * FROM jsonb_populate_recordset(NULL::public."${table}", $1::jsonb)`
        await session.query(insert, [JSON.stringify(rows)])
        counts[table] = (counts[table] ?? 0) + rows.length
        pending = { table, rows: [] }
      }
      for await (const line of linesOf(path)) {
        const { format, migrations, table, row, ...rest } = JSON.parse(line)
        if (format !== undefined) {
          await checkMigrations(session, migrations)
          stop = rest.stop
          madeAt = rest.at
        }
        if (table === undefined) continue
        if (!TABLES.includes(table)) throw new BackupRefused(`${path}: unknown table in the backup`)
        if (table !== pending.table || pending.rows.length >= ROWS_A_STEP) {
          await flush()
          pending = { table, rows: [] }
        }
        pending.rows.push(row)
      }
      await flush()
      await session.query(
        'UPDATE "enrolment" SET "withdrawn_at" = now() WHERE "used_at" IS NULL AND "withdrawn_at" IS NULL',
      )
      // A token that was alive when the backup was made may have been used since: its expiry gives nothing back. The minute
      // is for clocks that differ, and for the time that the backup took to begin.
      await session.query(
        `UPDATE "limit_use" SET "leaves_at" = "window_ends_at" WHERE "leaves_at" > $1::timestamptz - interval '1 minute'`,
        [madeAt],
      )
      // Numbers that the rows took are not given again.
      await session.query(
        `SELECT setval(pg_get_serial_sequence('limit_counter', 'id'), greatest(max("id"), 1), max("id") IS NOT NULL) AS next FROM "limit_counter"`,
      )
      await session.query(
        `UPDATE "generation" SET "value" = "value" + 1, "restored_at" = clock_timestamp(), "stopped_at" = $1, "stopped_by" = $2,
           "stop_reason" = $3 WHERE "id" = 1`,
        [stop?.stopped_at ?? null, stop?.stopped_by ?? null, stop?.stop_reason ?? null],
      )
      await session.execScript('COMMIT')
    } catch (error) {
      await session.execScript('ROLLBACK')
      throw error
    }
  })
  return counts
}

/** Reads the file once from beginning to end: it is one of ours, it is whole, nobody changed it by accident. */
async function checkWhole(path: string): Promise<void> {
  const digest = createHash('sha256')
  let last: string | undefined
  let first: string | undefined
  try {
    for await (const line of linesOf(path)) {
      if (last !== undefined) digest.update(`${last}\n`)
      first ??= line
      last = line
    }
    const isOurs = JSON.parse(first ?? '{}').format === FORMAT
    const end = JSON.parse(last ?? '{}')
    if (isOurs && end.end === true && end.sha256 === digest.digest('base64url')) return
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new BackupRefused(code === 'ENOENT' ? `${path}: there is no such file` : `${path} cannot be read: ${message}`)
  }
  throw new BackupRefused(`${path} is not a whole backup of this format (${FORMAT})`)
}

/** Lines end at a line feed and nowhere else: text may hold every other character that some reader of lines splits at. */
async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path)
  const gunzip = createGunzip()
  file.on('error', (error) => gunzip.destroy(error))
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of file.pipe(gunzip)) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer])
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield rest.toString('utf8', 0, end)
      rest = rest.subarray(end + 1)
    }
  }
  if (rest.length > 0) yield rest.toString('utf8')
}

/** The stop of everything: what was stopped when the backup was made is stopped when it is put back. */
interface StopRow {
  readonly stopped_at: string
  readonly stopped_by: string | null
  readonly stop_reason: string | null
}

async function stopOf(session: DatabaseSession): Promise<StopRow | undefined> {
  const [row] = await session.query<StopRow>(
    'SELECT stopped_at::text, stopped_by, stop_reason FROM generation WHERE stopped_at IS NOT NULL',
  )
  return row
}

async function migrationsOf(session: DatabaseSession): Promise<readonly string[]> {
  const rows = await session.query<{ migration_name: string }>(
    'SELECT migration_name FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY migration_name',
  )
  return rows.map(({ migration_name }) => migration_name)
}

/** A backup fits the schema that it was made from. */
async function checkMigrations(session: DatabaseSession, migrations: unknown): Promise<void> {
  const own = await migrationsOf(session)
  if (JSON.stringify(own) === JSON.stringify(migrations)) return
  throw new BackupRefused(
    'the backup was made by another version of Writ; restore it with that one, then start this one',
  )
}
