import pg from 'pg'
import {
  administratorOf,
  type Built,
  freePort,
  makeFolder,
  type ProcessFolder,
  type ServerProcess,
  type Settings,
  startProcess,
} from '../process/server-process.ts'
import type { TestClient } from '../support/clients.ts'
import { createPostgresCopy } from '../support/database.ts'

/** One of the processes: where it listens, whatever its issuer says. */
export interface Member {
  readonly port: number
  readonly process: ServerProcess
}

/** Two processes on one PostgreSQL and one data directory, under one issuer; the first one listens where the issuer says. */
export interface Pair {
  readonly issuer: string
  readonly members: readonly [Member, Member]
  readonly admin: TestClient
  /** A connection of the test's own to the same database. */
  readonly client: pg.Client
  readonly folder: ProcessFolder
  readonly close: () => Promise<void>
}

/** Starts both at once: the first start of one and of the other race for everything that is made once. */
export async function startPair(
  settings: Settings = {},
  prepare: (client: pg.Client) => Promise<unknown> = async () => {},
): Promise<Pair> {
  const copy = await createPostgresCopy()
  const client = new pg.Client({ connectionString: copy.url })
  client.on('error', () => {})
  await client.connect()
  await prepare(client)
  const [first, second] = [await freePort(), await freePort()]
  const issuer = `http://localhost:${first}`
  const folder = makeFolder({ DATABASE_URL: copy.url, WRIT_ISSUER: issuer, ...settings })
  const start = async (port: number): Promise<Member> => ({
    port,
    process: await startProcess({ ...folder.settings, WRIT_PORT: String(port) }),
  })
  const members = await Promise.all([start(first), start(second)])
  return {
    issuer,
    members,
    admin: await administratorOf(folder.dataDirectory),
    client,
    folder,
    close: async () => {
      await Promise.all(members.map(({ process }) => process.end('SIGKILL')))
      await client.end()
      await copy.drop()
      folder.remove()
    },
  }
}

/** The same request, to another process than the one that the issuer names. */
export const toPort = <Request extends Pick<Built, 'url'>>(request: Request, port: number): Request => {
  const url = new URL(request.url)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return { ...request, url: url.href }
}
