import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** A database of a bench's own. */
export interface BenchDatabase {
  readonly url: string
  readonly query: <Row = Record<string, unknown>>(sql: string, params?: readonly unknown[]) => Promise<Row[]>
  readonly drop: () => Promise<void>
}

/** Does something on the server that `TEST_DATABASE_URL` names. */
export const onServer = <Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> =>
  on(process.env.TEST_DATABASE_URL ?? '', work)

/** Names of what was made and not dropped yet. */
const made = new Set<string>()

/** Drops what a run that is interrupted would leave behind. */
export const dropBenchDatabases = () =>
  onServer(async (client) => {
    for (const name of made) await drop(client, name)
  })

/** An empty database on that server; the server under measurement migrates it. */
export async function createBenchDatabase(): Promise<BenchDatabase> {
  const name = `writ_bench_${randomBytes(5).toString('hex')}`
  await onServer((client) => client.query(`CREATE DATABASE "${name}"`))
  made.add(name)
  const url = new URL(process.env.TEST_DATABASE_URL ?? '')
  url.pathname = `/${name}`
  return {
    url: url.href,
    query: <Row>(sql: string, params: readonly unknown[] = []) =>
      on(url.href, async (client) => (await client.query(sql, [...params])).rows as Row[]),
    drop: () => onServer((client) => drop(client, name)),
  }
}

async function drop(client: pg.Client, name: string): Promise<void> {
  await client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
  made.delete(name)
}

async function on<Result>(connectionString: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  return work(client).finally(() => client.end())
}
