import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** An empty database on the server that `TEST_DATABASE_URL` names; the server under measurement migrates it. */
export async function createBenchDatabase(): Promise<{ readonly url: string; readonly drop: () => Promise<void> }> {
  const server = process.env.TEST_DATABASE_URL ?? ''
  const name = `writ_bench_${randomBytes(5).toString('hex')}`
  const run = async (sql: string) => {
    const client = new pg.Client({ connectionString: server })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await run(`CREATE DATABASE "${name}"`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`) }
}
