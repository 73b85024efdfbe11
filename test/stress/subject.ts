import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import pg from 'pg'
import { administratorOf, makeFolder, type ServerProcess, startProcess } from '../process/server-process.ts'
import { exchangeRequest } from '../support/clients.ts'
import { startProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import type { Outcome } from './open-loop.ts'

/** A server under stress, with a way to its database that can be held up, and an account of what it gave out. */
export interface Subject {
  readonly port: number
  /** The way to its database, which goes through this process: there for faults alone, for a busy generator would slow it down. */
  readonly proxy: TcpProxy
  readonly world: World
  /** Its own request each time, with an assertion and a proof of its own. */
  readonly next: () => Buffer
  /** Makes so many ahead of time: what is signed during a run costs the server its CPU. */
  readonly prepare: (count: number) => void
  readonly saw: (outcome: Outcome) => void
  /** Tokens that were received, and how many of them the database has no issued record of. */
  readonly account: () => Promise<{ readonly tokens: number; readonly unrecorded: number }>
  /** Resident memory. Unit: MB. */
  readonly memoryMb: () => number
  readonly isRunning: () => boolean
  readonly stop: () => Promise<void>
}

const UNLIMITED = { perSecond: 1_000_000, burst: 1_000_000 }
const MB = 1_000_000
const PAGE_BYTES = 4_096

export interface SubjectOptions {
  readonly shedOverload?: boolean
  /** Whether it reaches its database through `proxy`. */
  readonly isProxied?: boolean
}

/** Starts the build on a database. */
export async function startSubject(
  databaseUrl: string,
  { shedOverload = false, isProxied = false }: SubjectOptions = {},
): Promise<Subject> {
  const url = new URL(databaseUrl)
  const proxy = await startProxy(Number(url.port || 5432))
  if (isProxied) url.host = `127.0.0.1:${proxy.port}`
  const folder = makeFolder({ DATABASE_URL: url.href, WRIT_LOG_LEVEL: 'fatal' })
  const config = { clientRequests: UNLIMITED, failedAuthentications: UNLIMITED, shedOverload }
  await writeFile(folder.settings.WRIT_CONFIG as string, JSON.stringify(config))
  const server: ServerProcess = await startProcess(folder.settings)
  const world = await createWorld({ issuer: server.issuer, admin: await administratorOf(folder.dataDirectory) })
  const { host, port } = new URL(server.issuer)
  const tokens: string[] = []
  const prepared: Buffer[] = []
  const make = () => {
    const { headers, body } = exchangeRequest(world.issuer, world.agent, world.wish)
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    const length = Buffer.byteLength(body)
    return Buffer.from(`POST /token HTTP/1.1\r\nHost: ${host}\r\n${lines}Content-Length: ${length}\r\n\r\n${body}`)
  }
  return {
    ...{ port: Number(port), proxy, world },
    next: () => prepared.pop() ?? make(),
    prepare: (count) => {
      prepared.length = 0
      while (prepared.length < count) prepared.push(make())
    },
    saw: ({ status, body }) => {
      if (status === 200) tokens.push(String(claimsOf(JSON.parse(body).access_token).jti))
    },
    account: async () => {
      const client = new pg.Client({ connectionString: url.href })
      await client.connect()
      const { rows } = await client.query(
        `SELECT count(*)::int AS recorded FROM unnest($1::text[]) AS t(jti)
         WHERE EXISTS (SELECT 1 FROM record r WHERE r.jti = t.jti AND r.decision = 'issued')`,
        [tokens],
      )
      await client.end()
      if (new Set(tokens).size !== tokens.length) throw new Error('two tokens have one jti')
      return { tokens: tokens.length, unrecorded: tokens.length - rows[0].recorded }
    },
    memoryMb: () => (Number(readFileSync(`/proc/${server.child.pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES) / MB,
    isRunning: () => server.child.exitCode === null && server.child.signalCode === null,
    stop: async () => {
      await server.end('SIGTERM')
      await proxy.close()
      folder.remove()
    },
  }
}
