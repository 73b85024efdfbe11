import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite, types } from '@electric-sql/pglite'
import { PrismaPGlite } from 'pglite-prisma-adapter'
import { lockDataDirectory } from './data-directory-lock.ts'
import { PrismaClient } from './generated/client.ts'
import type { Database, Query } from './open-database.ts'

/** Opens the embedded database in `<dataDirectory>/database`, which then belongs to this process until it is closed. */
export async function openEmbeddedDatabase(dataDirectory: string): Promise<Database> {
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 })
  // PGlite has no lock of its own: a second process that opens the folder corrupts it.
  const lock = await lockDataDirectory(dataDirectory)
  try {
    const pglite = await PGlite.create(join(dataDirectory, 'database'))
    return fromPGlite(pglite, () => lock.release())
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Makes a database of a running PGlite; `afterClose` runs once it has been closed. */
export function fromPGlite(pglite: PGlite, afterClose: () => Promise<void> = async () => {}): Database {
  const prisma = new PrismaClient({ adapter: new PrismaPGlite(pglite), errorFormat: 'minimal' })
  const query = queryOn(pglite)
  const execScript = async (sql: string) => {
    await pglite.exec(sql)
  }
  const close = async () => {
    await prisma.$disconnect()
    try {
      if (!pglite.closed) await pglite.close()
    } finally {
      await afterClose()
    }
  }
  let closing: Promise<void> | undefined
  return {
    kind: 'embedded',
    prisma,
    query,
    transaction: (work) => pglite.transaction((transaction) => work(queryOn(transaction))),
    execScript,
    session: (work) => work({ query, execScript }),
    close: () => {
      closing ??= close()
      return closing
    },
  }
}

/** As the pg driver is set up in postgres-database.ts, so that a statement gives the same values on both. */
const PARSERS = { [types.INT8]: (text: string) => BigInt(text) }

const queryOn =
  (connection: Pick<PGlite, 'query'>): Query =>
  async <Row>(sql: string, params: readonly unknown[] = []) => {
    const { rows } = await connection.query<Row>(sql, [...params], { parsers: PARSERS })
    return rows
  }
