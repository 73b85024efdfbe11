import { afterAll, expect, test } from 'vitest'
import { openEmbeddedDatabase } from '../../src/adapters/prisma/embedded-database.ts'
import { checkAccount, EXCHANGES, exchangeUnderKills, report } from './crash-run.ts'
import { endAll, makeFolder } from './server-process.ts'

const folder = makeFolder()
afterAll(async () => {
  await endAll()
  folder.remove()
})

test(`kill -9 during ${EXCHANGES} exchanges on the embedded database: every token has its record, and it starts again`, async () => {
  const run = await exchangeUnderKills(folder)
  const database = await openEmbeddedDatabase(folder.dataDirectory)
  const records = await checkAccount(database.query, run).finally(() => database.close())
  report('embedded', run, records)
  expect(run.restarts.length).toBeGreaterThan(0)
  expect([...run.answers.keys()].filter((answer) => /^[1-9]/.test(answer) && !/^(200|503)/.test(answer))).toEqual([])
}, 600_000)
