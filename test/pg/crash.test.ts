import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPostgresDatabase } from '../../src/adapters/prisma/postgres-database.ts'
import { checkAccount, EXCHANGES, exchangeUnderKills, report } from '../process/crash-run.ts'
import { endAll, makeFolder, type ProcessFolder } from '../process/server-process.ts'
import { createPostgresCopy } from '../support/database.ts'

let copy: Awaited<ReturnType<typeof createPostgresCopy>>
let folder: ProcessFolder
beforeAll(async () => {
  copy = await createPostgresCopy()
  folder = makeFolder({ DATABASE_URL: copy.url })
})
afterAll(async () => {
  await endAll()
  await copy?.drop()
  folder?.remove()
})

test(`kill -9 during ${EXCHANGES} exchanges on PostgreSQL: every token has its record, and it starts again`, async () => {
  const run = await exchangeUnderKills(folder)
  const database = await openPostgresDatabase(copy.url, { statementTimeoutMs: 60_000 })
  const records = await checkAccount(database.query, run).finally(() => database.close())
  report('PostgreSQL', run, records)
  expect(run.restarts.length).toBeGreaterThan(0)
  expect([...run.answers.keys()].filter((answer) => /^[1-9]/.test(answer) && !/^(200|503)/.test(answer))).toEqual([])
}, 600_000)
