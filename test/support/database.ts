import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { fromPGlite } from '../../src/adapters/prisma/embedded-database.ts'
import { migrate } from '../../src/adapters/prisma/migrate.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { openPostgresDatabase } from '../../src/adapters/prisma/postgres-database.ts'

/**
 * Opens a fresh, migrated database: in memory by default, on the server that `TEST_DATABASE_URL` names when it is set.
 *
 * Closing it removes it. The first call of all makes a template, the others copy it.
 */
export async function openTestDatabase(): Promise<Database> {
  if (process.env.TEST_DATABASE_URL) return openPostgresCopy()
  template ??= embeddedTemplate()
  return fromPGlite(await PGlite.create({ loadDataDir: await template }))
}

/**
 * Makes a fresh, migrated database on the server that `TEST_DATABASE_URL` names and tells its URL: for several processes.
 *
 * `drop` removes it, whoever is still connected.
 */
export async function createPostgresCopy(): Promise<{ readonly url: string; readonly drop: () => Promise<void> }> {
  const url = process.env.TEST_DATABASE_URL
  if (!url) throw new Error('TEST_DATABASE_URL is not set')
  const source = await postgresTemplate(url)
  const name = `writ_test_${process.pid}_${randomBytes(5).toString('hex')}`
  await onServer(url, (client) => client.query(`CREATE DATABASE "${name}" TEMPLATE "${source}"`))
  return {
    url: withDatabase(url, name),
    drop: async () => {
      await onServer(url, (client) => client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`))
    },
  }
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MIGRATIONS = join(ROOT, 'prisma/migrations')

let template: Promise<Blob> | undefined

/** One dump for all test files and runs, until the migrations or the database itself change. */
async function embeddedTemplate(): Promise<Blob> {
  const folder = join(ROOT, 'node_modules/.cache/writ')
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `template-${migrationsFingerprint()}.tar`)
  const bytes = await readFile(path).catch(() => undefined)
  if (bytes !== undefined) return new Blob([bytes])
  const pglite = await PGlite.create()
  const database = fromPGlite(pglite)
  await migrate({ database })
  const dump = await pglite.dumpDataDir('none')
  await database.close()
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  await writeFile(draft, Buffer.from(await dump.arrayBuffer()))
  await rename(draft, path) // whole or not at all: other test files read it meanwhile
  return dump
}

/** Makes the template on the server once; the lock keeps test files that start together from making it twice. */
async function postgresTemplate(url: string): Promise<string> {
  const name = `writ_template_${migrationsFingerprint()}`
  await onServer(url, async (client) => {
    await client.query('SELECT pg_advisory_lock(hashtext($1))', [name])
    const { rows } = await client.query('SELECT datistemplate FROM pg_database WHERE datname = $1', [name])
    if (rows[0]?.datistemplate) return
    await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`) // from a run that was ended half way
    await client.query(`CREATE DATABASE "${name}" TEMPLATE template0`)
    const database = await openPostgresDatabase(withDatabase(url, name))
    await migrate({ database }).finally(() => database.close())
    await client.query(`ALTER DATABASE "${name}" IS_TEMPLATE true`)
  })
  return name
}

async function openPostgresCopy(): Promise<Database> {
  const { url, drop } = await createPostgresCopy()
  const database = await openPostgresDatabase(url)
  return {
    ...database,
    close: async () => {
      await database.close()
      await drop()
    },
  }
}

async function onServer<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}

/** Changes with every byte of the migrations, and with the version of the embedded database. */
export function migrationsFingerprint(): string {
  const hash = createHash('sha256')
  for (const path of readdirSync(MIGRATIONS, { recursive: true, encoding: 'utf8' }).sort()) {
    if (path.endsWith('.sql')) hash.update(`${path}\0`).update(readFileSync(join(MIGRATIONS, path)))
  }
  const lockfile: unknown = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  hash.update(
    JSON.stringify(Reflect.get(Object(Reflect.get(Object(lockfile), 'packages')), 'node_modules/@electric-sql/pglite')),
  )
  return hash.digest('hex').slice(0, 16)
}
