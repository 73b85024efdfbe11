import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** A database of a bench's own. */
export interface BenchDatabase {
  readonly url: string
  readonly query: (sql: string, params?: readonly unknown[]) => Promise<readonly Record<string, unknown>[]>
  readonly drop: () => Promise<void>
}

/** An empty database on the server that `TEST_DATABASE_URL` names; the server under measurement migrates it. */
export async function createBenchDatabase(): Promise<BenchDatabase> {
  const server = process.env.TEST_DATABASE_URL ?? ''
  const name = `writ_bench_${randomBytes(5).toString('hex')}`
  const run = async (connectionString: string, sql: string, params: readonly unknown[] = []) => {
    const client = new pg.Client({ connectionString })
    await client.connect()
    const { rows } = await client.query(sql, [...params]).finally(() => client.end())
    return rows as readonly Record<string, unknown>[]
  }
  await run(server, `CREATE DATABASE "${name}"`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    url: url.href,
    query: (sql, params) => run(url.href, sql, params),
    drop: async () => {
      await run(server, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
    },
  }
}
