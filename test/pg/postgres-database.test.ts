import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isDatabaseUnavailable, isUniqueViolation } from '../../src/adapters/prisma/database-errors.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { openPostgresDatabase } from '../../src/adapters/prisma/postgres-database.ts'
import { createPostgresCopy } from '../support/database.ts'

let copy: Awaited<ReturnType<typeof createPostgresCopy>>
let database: Database
let admin: pg.Client

beforeAll(async () => {
  copy = await createPostgresCopy()
  database = await openPostgresDatabase(copy.url, { poolSize: 2, statementTimeoutMs: 500 })
  admin = new pg.Client({ connectionString: process.env.TEST_DATABASE_URL })
  await admin.connect()
})
afterAll(async () => {
  await database.close()
  await admin.end()
  await copy.drop()
})

const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

const terminateAll = () =>
  admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
    new URL(copy.url).pathname.slice(1),
  ])

test('a connection that is refused counts as unavailable', async () => {
  const error = await failure(openPostgresDatabase('postgresql://postgres@127.0.0.1:1/none'))
  expect(isDatabaseUnavailable(error)).toBe(true)
})

test('a server that accepts and never answers counts as unavailable, and does not hold the caller', async () => {
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as { port: number }
  const error = await failure(
    openPostgresDatabase(`postgresql://postgres@127.0.0.1:${port}/none`, { connectTimeoutMs: 200 }),
  )
  expect(isDatabaseUnavailable(error)).toBe(true)
  for (const socket of sockets) socket.destroy()
  silent.close()
})

test('a statement that takes too long is ended by the server and counts as unavailable', async () => {
  expect(isDatabaseUnavailable(await failure(database.query('SELECT pg_sleep(5)')))).toBe(true)
  expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
})

test('a pool with every connection in use answers unavailable in time', async () => {
  const small = await openPostgresDatabase(copy.url, { poolSize: 1, connectTimeoutMs: 200 })
  const error = await small.transaction(() => failure(small.query('SELECT 1')))
  expect(isDatabaseUnavailable(error)).toBe(true)
  await small.close()
})

test('idle connections that the server ends are replaced, for plain statements and for the model client', async () => {
  await Promise.all([database.query('SELECT pg_sleep(0.05)'), database.query('SELECT pg_sleep(0.05)')])
  await terminateAll()
  await new Promise((resolve) => setTimeout(resolve, 100)) // until the pool has noticed
  expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  expect(await database.prisma.agent.count()).toBe(0)
})

test('a connection that the server ends inside a transaction fails that transaction alone', async () => {
  const error = await failure(
    database.transaction(async (query) => {
      await query('SELECT 1')
      await terminateAll()
      await new Promise((resolve) => setTimeout(resolve, 50))
      await query('SELECT 1')
    }),
  )
  expect(isDatabaseUnavailable(error)).toBe(true)
  expect(await database.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
})

test('the model client reports a slow statement, a connection that was ended and a refused one as unavailable', async () => {
  const { prisma } = database
  expect(isDatabaseUnavailable(await failure(prisma.$queryRaw`SELECT 1 FROM pg_sleep(5)`))).toBe(true)

  const running = failure(prisma.$queryRaw`SELECT 1 FROM pg_sleep(0.4)`)
  await new Promise((resolve) => setTimeout(resolve, 100))
  await terminateAll()
  expect(isDatabaseUnavailable(await running)).toBe(true)

  const unique = await failure(
    prisma.identity.createMany({ data: [1, 2].map(() => ({ id: 'twice', kind: 'agent' as const })) }),
  )
  expect(isUniqueViolation(unique)).toBe(true)
  expect(isDatabaseUnavailable(unique)).toBe(false)
})

test('a session waits longer than a statement of the pool may', async () => {
  const rows = await database.session(({ query }) => query('SELECT pg_sleep(0.8), 1 AS one'))
  expect(rows).toMatchObject([{ one: 1 }])
})

test('a URL that names another schema is refused, since the driver would ignore it', async () => {
  await expect(openPostgresDatabase(`${copy.url}?schema=other`)).rejects.toThrow(/schema "other"/)
  const open = await openPostgresDatabase(`${copy.url}?schema=public`)
  expect(await open.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
  await open.close()
})
