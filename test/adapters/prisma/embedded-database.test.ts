import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { DataDirectoryInUse } from '../../../src/adapters/prisma/data-directory-lock.ts'
import { isDatabaseUnavailable } from '../../../src/adapters/prisma/database-errors.ts'
import { openDatabase } from '../../../src/adapters/prisma/open-database.ts'
import { compileSources } from '../../support/compile.ts'

// Making a database takes seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 })

let dataDirectory: string

beforeEach(() => {
  dataDirectory = join(mkdtempSync(join(tmpdir(), 'writ-embedded-')), 'data')
})
afterEach(() => rmSync(join(dataDirectory, '..'), { recursive: true }))

test('without a URL the database is a folder of the data directory, private, and there again after closing', async () => {
  const first = await openDatabase({ dataDirectory })
  expect(first.kind).toBe('embedded')
  expect(statSync(dataDirectory).mode & 0o777).toBe(0o700)
  await first.execScript('CREATE TABLE note (body text); INSERT INTO note VALUES ($$kept$$)')
  await expect(openDatabase({ dataDirectory })).rejects.toThrow(DataDirectoryInUse)
  await Promise.all([first.close(), first.close()])
  expect(isDatabaseUnavailable(await first.query('SELECT 1').catch((error: unknown) => error))).toBe(true)

  const second = await openDatabase({ dataDirectory })
  expect(await second.query('SELECT body FROM note')).toEqual([{ body: 'kept' }])
  await second.close()
})

test('a process that was killed while it wrote leaves a database that opens, with every acknowledged row', async () => {
  const compiled = compileSources('adapters/prisma/open-database')
  const program = `
    const { openDatabase } = await import(${JSON.stringify(compiled.urlOf('adapters/prisma/open-database'))})
    const database = await openDatabase({ dataDirectory: ${JSON.stringify(dataDirectory)} })
    await database.execScript('CREATE TABLE note (id int8 PRIMARY KEY)')
    for (let id = 1; ; id += 1) {
      await database.query('INSERT INTO note VALUES ($1)', [id])
      process.stdout.write(id + '\\n')
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  let acknowledged = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    acknowledged += chunk
    if (acknowledged.split('\n').length > 200) break
  }
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  compiled.remove()

  const database = await openDatabase({ dataDirectory })
  const [row] = await database.query<{ count: bigint }>('SELECT count(*) AS count FROM note')
  expect(Number(row?.count)).toBeGreaterThanOrEqual(acknowledged.split('\n').length - 1)
  await database.close()
})

test('a folder that is no database is refused, and the directory is let go', async () => {
  mkdirSync(dataDirectory)
  writeFileSync(join(dataDirectory, 'database'), 'not a folder')
  await expect(openDatabase({ dataDirectory })).rejects.toThrow()
  rmSync(join(dataDirectory, 'database'))
  const database = await openDatabase({ dataDirectory })
  await database.close()
})
