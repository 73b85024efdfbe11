import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openEmbeddedDatabase } from '../../src/adapters/prisma/embedded-database.ts'
import { everyRow, spellings, useCodes } from './enrolment-codes.ts'
import { administratorOf, endAll, makeFolder, startProcess } from './server-process.ts'

afterAll(endAll)

test('no code of an enrolment stands in the log, in a row, or anywhere in the data directory', async () => {
  const folder = makeFolder({ WRIT_LOG_LEVEL: 'debug' })
  const server = await startProcess(folder.settings)
  const codes = await useCodes(server.issuer, await administratorOf(folder.dataDirectory))
  const { stdout, stderr } = await server.end('SIGTERM')

  const database = await openEmbeddedDatabase(folder.dataDirectory)
  const rows = await everyRow(database.query)
  await database.close()
  // What is looked at is really there.
  expect(rows).toContain('enrolment.redeem')
  const places = [
    { name: 'the log', bytes: Buffer.from(stdout + stderr) },
    { name: 'the rows', bytes: Buffer.from(rows) },
    ...readdirSync(folder.dataDirectory, { recursive: true, encoding: 'utf8' })
      .map((name) => ({ name, path: join(folder.dataDirectory, name) }))
      .filter(({ path }) => statSync(path).isFile())
      .map(({ name, path }) => ({ name, bytes: readFileSync(path) })),
  ]
  expect(codes.length).toBeGreaterThan(6)
  const found = places.flatMap(({ name, bytes }) =>
    codes.some((code) => spellings(code).some((spelling) => bytes.includes(spelling))) ? [name] : [],
  )
  expect(found).toEqual([])
  folder.remove()
}, 60_000)
