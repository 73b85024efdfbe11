import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isDatabaseUnavailable, isUniqueViolation } from '../../../src/adapters/prisma/database-errors.ts'
import type { Database } from '../../../src/adapters/prisma/open-database.ts'
import { openTestDatabase } from '../../support/database.ts'

describe('an open database', () => {
  let database: Database
  beforeAll(async () => {
    database = await openTestDatabase()
    await database.execScript(
      'CREATE TABLE note (id int8 PRIMARY KEY, body text NOT NULL); CREATE INDEX ON note (body)',
    )
  })
  afterAll(() => database.close())

  test('both drivers answer with the same JavaScript types', async () => {
    const [row] = await database.query(
      `SELECT 9007199254740993::int8 AS big, count(*) AS count, 1::int4 AS small, '2026-01-02T03:04:05.678Z'::timestamptz AS at,
              '{"a":[1]}'::jsonb AS json, 1.50::numeric AS exact, '\\x00ff'::bytea AS bytes, true AS flag, NULL AS nothing
         FROM note`,
    )
    expect(row).toEqual({
      big: 9_007_199_254_740_993n,
      count: 0n,
      small: 1,
      at: new Date('2026-01-02T03:04:05.678Z'),
      json: { a: [1] },
      exact: '1.50',
      bytes: expect.any(Uint8Array),
      flag: true,
      nothing: null,
    })
    expect([...(row as { bytes: Uint8Array }).bytes]).toEqual([0, 255])
  })

  test('parameters of every type that the hot path uses arrive as they were', async () => {
    const [row] = await database.query<Record<string, unknown>>(
      'SELECT $1::int8 AS big, $2::text[] AS texts, $3::jsonb AS json, $4::timestamptz AS at, $5::bytea AS bytes',
      [2n ** 62n, ['a', 'b,"c'], JSON.stringify([{ a: 1 }]), new Date(1_700_000_000_123), Buffer.from([1, 0, 255])],
      'every_type',
    )
    expect(row).toMatchObject({
      big: 2n ** 62n,
      texts: ['a', 'b,"c'],
      json: [{ a: 1 }],
      at: new Date(1_700_000_000_123),
    })
    expect(Buffer.from(row?.bytes as Uint8Array).toString('hex')).toBe('0100ff')
  })

  test('a transaction whose work throws leaves nothing behind', async () => {
    const work = database.transaction(async (query) => {
      await query('INSERT INTO note VALUES ($1, $2)', [1, 'gone'])
      throw new Error('changed my mind')
    })
    await expect(work).rejects.toThrow('changed my mind')
    expect(await database.query('SELECT * FROM note WHERE id = 1')).toEqual([])
  })

  test('a transaction that swallowed a failed statement does not pass for committed', async () => {
    const work = database.transaction(async (query) => {
      await query('INSERT INTO note VALUES ($1, $2)', [2, 'gone'])
      await query('SELECT 1/0').catch(() => {})
    })
    await expect(work).rejects.toThrow()
    expect(await database.query('SELECT * FROM note WHERE id = 2')).toEqual([])
  })

  test('a unique violation is recognized from a plain statement, in a transaction, and through the model client', async () => {
    const insert = 'INSERT INTO note VALUES ($1, $2)'
    await database.query(insert, [3, 'first'])
    for (const attempt of [
      database.query(insert, [3, 'second']),
      database.transaction((query) => query(insert, [3, 'second'])),
      database.prisma.$executeRaw`INSERT INTO note VALUES (3, 'second')`,
    ]) {
      const error = await attempt.catch((caught: unknown) => caught)
      expect(isUniqueViolation(error)).toBe(true)
      expect(isDatabaseUnavailable(error)).toBe(false)
    }
  })

  test('the model client and plain statements see the same rows', async () => {
    await database.execScript('INSERT INTO note VALUES (4, $$both$$)')
    const rows = await database.prisma.$queryRaw`SELECT body FROM note WHERE id = 4`
    expect(rows).toEqual([{ body: 'both' }])
    expect(await database.query('SELECT count(*) AS n FROM "_prisma_migrations"')).toEqual([{ n: expect.any(BigInt) }])
  })
})

describe('two test databases', () => {
  test('share nothing', async () => {
    const [one, other] = await Promise.all([openTestDatabase(), openTestDatabase()])
    await one.execScript('CREATE TABLE only_here (id int)')
    await expect(other.query('SELECT * FROM only_here')).rejects.toMatchObject({ code: '42P01' })
    await Promise.all([one.close(), other.close()])
  })
})
