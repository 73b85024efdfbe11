import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Compiled, compileSources } from '../support/compile.ts'
import { createPostgresCopy } from '../support/database.ts'

let compiled: Compiled
let folder: string
let copy: Awaited<ReturnType<typeof createPostgresCopy>>
let client: pg.Client

beforeAll(async () => {
  compiled = compileSources('adapters/prisma/open-database', 'adapters/prisma/migrate')
  folder = mkdtempSync(join(tmpdir(), 'writ-race-'))
  copy = await createPostgresCopy()
  client = new pg.Client({ connectionString: copy.url })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await copy.drop()
  compiled.remove()
  rmSync(folder, { recursive: true })
})

test('three processes that start together on an empty database apply each migration once, and one bootstraps at a time', async () => {
  await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  const directory = join(folder, 'migrations')
  for (let step = 1; step <= 5; step += 1) {
    mkdirSync(join(directory, `2026010${step}_step`), { recursive: true })
    writeFileSync(
      join(directory, `2026010${step}_step`, 'migration.sql'),
      `CREATE TABLE step_${step} (id int); SELECT pg_sleep(0.1);`,
    )
  }
  const program = `
    const { openDatabase } = await import(${JSON.stringify(compiled.urlOf('adapters/prisma/open-database'))})
    const { migrate } = await import(${JSON.stringify(compiled.urlOf('adapters/prisma/migrate'))})
    const database = await openDatabase({ databaseUrl: process.env.URL, dataDirectory: '/nowhere' })
    let inside = ''
    const applied = await migrate({ database, directory: process.env.DIRECTORY, whileLocked: async () => {
      await database.execScript('CREATE TABLE IF NOT EXISTS door (id int)')
      const before = await database.query('SELECT * FROM door')
      await database.query('INSERT INTO door VALUES (1)')
      await new Promise((resolve) => setTimeout(resolve, 200))
      await database.query('DELETE FROM door')
      inside = before.length === 0 ? 'alone' : 'crowded'
    } })
    await database.close()
    console.log(JSON.stringify({ applied, inside }))`
  const answers = await Promise.all(
    [1, 2, 3].map(async () => {
      const env = { ...process.env, URL: copy.url, DIRECTORY: directory }
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env })
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
      if (out === '') throw new Error(err)
      return JSON.parse(out) as { applied: string[]; inside: string }
    }),
  )
  expect(answers.flatMap((answer) => answer.applied).sort()).toEqual([1, 2, 3, 4, 5].map((n) => `2026010${n}_step`))
  expect(answers.map((answer) => answer.inside)).toEqual(['alone', 'alone', 'alone'])
  const { rows } = await client.query(
    'SELECT count(*)::int AS n FROM "_prisma_migrations" WHERE finished_at IS NOT NULL',
  )
  expect(rows).toEqual([{ n: 5 }])
})

test('the Prisma CLI finds a database that we migrated up to date, and has nothing to deploy', async () => {
  const fresh = await createPostgresCopy()
  const prisma = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/prisma.mjs', ...args], {
      encoding: 'utf8',
      env: { ...process.env, DATABASE_URL: fresh.url },
    })
  const status = prisma('migrate', 'status')
  const deploy = prisma('migrate', 'deploy')
  await fresh.drop()
  expect(status.stdout).toContain('Database schema is up to date!')
  expect(status.status).toBe(0)
  expect(deploy.stdout).toContain('No pending migrations to apply.')
  expect(deploy.status).toBe(0)
})
