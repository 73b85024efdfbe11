import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MigrationRefused, migrate } from '../../../src/adapters/prisma/migrate.ts'
import type { Database } from '../../../src/adapters/prisma/open-database.ts'
import { openTestDatabase } from '../../support/database.ts'

let database: Database
let directory: string

beforeEach(async () => {
  database = await openTestDatabase()
  directory = mkdtempSync(join(tmpdir(), 'writ-migrations-'))
  cpSync('prisma/migrations', directory, { recursive: true })
})
afterEach(async () => {
  await database.close()
  rmSync(directory, { recursive: true })
})

function write(name: string, sql: string): void {
  mkdirSync(join(directory, name), { recursive: true })
  writeFileSync(join(directory, name, 'migration.sql'), sql)
}

const applied = () =>
  database.query<{ migration_name: string }>(
    `SELECT migration_name FROM "_prisma_migrations" WHERE finished_at IS NOT NULL ORDER BY started_at`,
  )

test('a migrated database has nothing to apply', async () => {
  expect(await migrate({ database, directory })).toEqual([])
})

test('pending migrations are applied in the order of their names, once, each with a line of progress', async () => {
  write('29990102000000_two', 'INSERT INTO one VALUES (2);')
  write('29990101000000_one', 'CREATE TABLE one (id int); INSERT INTO one VALUES (1);')
  const lines: string[] = []
  const log = (line: string) => lines.push(line)
  expect(await migrate({ database, directory, log })).toEqual(['29990101000000_one', '29990102000000_two'])
  expect(lines).toEqual([
    expect.stringMatching(/^migration 29990101000000_one applied in \d+\.\d s$/),
    expect.stringMatching(/^migration 29990102000000_two applied in \d+\.\d s$/),
  ])
  expect(await migrate({ database, directory })).toEqual([])
  expect(await database.query('SELECT id FROM one ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }])
})

test('a migration that fails leaves nothing of itself behind, names itself, and can be repaired', async () => {
  write('29990101000000_good', 'CREATE TABLE good (id int);')
  write('29990102000000_bad', 'CREATE TABLE bad (id int); SELECT 1/0;')
  await expect(migrate({ database, directory })).rejects.toThrow(/29990102000000_bad failed: .*division by zero/)
  expect((await applied()).map((row) => row.migration_name)).toContain('29990101000000_good')
  await expect(database.query('SELECT * FROM bad')).rejects.toMatchObject({ code: '42P01' })
  write('29990102000000_bad', 'CREATE TABLE bad (id int);')
  expect(await migrate({ database, directory })).toEqual(['29990102000000_bad'])
})

test('a migration that was edited after it was applied is refused', async () => {
  write('29990101000000_one', 'CREATE TABLE one (id int);')
  await migrate({ database, directory })
  write('29990101000000_one', 'CREATE TABLE one (id bigint);')
  await expect(migrate({ database, directory })).rejects.toThrow(/^migration 29990101000000_one was edited/)
})

test('a database that is newer than this build is refused, before anything is applied', async () => {
  write('29990102000000_newer', 'CREATE TABLE newer (id int);')
  await migrate({ database, directory })
  rmSync(join(directory, '29990102000000_newer'), { recursive: true })
  write('29990101000000_other', 'CREATE TABLE other (id int);')
  const error = await migrate({ database, directory }).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(MigrationRefused)
  expect((error as Error).message).toMatch(/newer than this build.*29990102000000_newer/)
  await expect(database.query('SELECT * FROM other')).rejects.toMatchObject({ code: '42P01' })
})

test('a migration that Prisma left unfinished is refused, and one that was resolved as rolled back is applied', async () => {
  write('29990101000000_half', 'CREATE TABLE half (id int);')
  await database.query(`INSERT INTO "_prisma_migrations" (id, checksum, migration_name) VALUES ('x', 'y', $1)`, [
    '29990101000000_half',
  ])
  await expect(migrate({ database, directory })).rejects.toThrow(/^migration 29990101000000_half failed before/)
  await database.query(`UPDATE "_prisma_migrations" SET rolled_back_at = now() WHERE id = 'x'`)
  expect(await migrate({ database, directory })).toEqual(['29990101000000_half'])
})

test('work under the lock runs after the migrations; what it throws is thrown on and the lock let go', async () => {
  write('29990101000000_one', 'CREATE TABLE one (id int);')
  const whileLocked = async () => {
    await database.query('INSERT INTO one VALUES (7)')
    throw new Error('bootstrap failed')
  }
  await expect(migrate({ database, directory, whileLocked })).rejects.toThrow('bootstrap failed')
  expect(await database.query('SELECT id FROM one')).toEqual([{ id: 7 }])
  expect(await migrate({ database, directory })).toEqual([])
})
