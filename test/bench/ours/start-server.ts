import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { administrator, type TestClient } from '../../support/clients.ts'
import type { Target } from '../harness/connection.ts'
import { type MeasuredProcess, startMeasured } from '../harness/measured-process.ts'
import { type BenchDatabase, createBenchDatabase } from './bench-database.ts'

/** A server of a build, with a data directory of its own. */
export interface OurServer {
  readonly issuer: string
  readonly target: Target
  readonly admin: TestClient
  /** Absent: the embedded one. */
  readonly database: BenchDatabase | undefined
  readonly dataDirectory: string
  readonly process: MeasuredProcess
  /** Ends it, and removes its database unless that was given. */
  readonly stop: () => Promise<void>
}

export interface OurServerOptions {
  /** The folder of the build. Default: this one. */
  readonly root?: string
  /** Default: a new database on PostgreSQL. */
  readonly database?: 'embedded' | BenchDatabase
  /** A server on the same database whose issuer and keys this one shares. */
  readonly beside?: OurServer
  readonly isPinnable?: boolean
}

const UNLIMITED = { perSecond: 1_000_000, burst: 1_000_000 }

let isShared = false
let shared: Promise<OurServer> | undefined

/** From now on whoever wants a server with nothing special about it is given the same one. @returns what stops it. */
export function shareServers(): () => Promise<void> {
  isShared = true
  return async () => (await shared)?.stop()
}

/** Starts the build with nothing in its way: no rate limit, no log. */
export async function startOurServer(options: OurServerOptions = {}): Promise<OurServer> {
  const isSpecial = options.root !== undefined || options.database !== undefined || options.beside !== undefined
  if (!isShared || isSpecial) return start(options)
  shared ??= start(options)
  return { ...(await shared), stop: async () => {} }
}

/** Data directories that are there. */
const folders = new Set<string>()

async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  folders.delete(folder)
}

/** Removes the data directories that a run that is interrupted would leave behind; their servers have ended. */
export const removeFolders = () => Promise.all([...folders].map(removeFolder))

async function start(options: OurServerOptions): Promise<OurServer> {
  const { root = process.env.BENCH_ROOT ?? '.', beside, isPinnable = true } = options
  const folder = await mkdtemp(join(tmpdir(), 'writ-bench-'))
  folders.add(folder)
  const given = beside?.database ?? options.database
  const database = given === 'embedded' ? undefined : (given ?? (await createBenchDatabase()))
  const config = join(folder, 'config.json')
  const settings = { clientRequests: UNLIMITED, failedAuthentications: UNLIMITED, logLevel: 'warn' }
  await writeFile(config, JSON.stringify(settings))
  const port = await freePort()
  const issuer = beside?.issuer ?? `http://localhost:${port}`
  const dataDirectory = beside?.dataDirectory ?? folder
  const remove = async (process?: MeasuredProcess) => {
    await process?.stop()
    if (given === undefined) await database?.drop()
    await removeFolder(folder)
  }
  try {
    const process = await startMeasured(
      [join(root, 'dist/main.js')],
      {
        ...{ WRIT_CONFIG: config, WRIT_PORT: String(port), WRIT_ISSUER: issuer, WRIT_DATA_DIR: dataDirectory },
        DATABASE_URL: database?.url ?? '',
      },
      (line) => line.startsWith('writ listening on'),
      { isOurs: true, isPinnable },
    )
    const credential = JSON.parse(await readFile(join(dataDirectory, 'admin-credential.json'), 'utf8'))
    return {
      ...{ issuer, database, dataDirectory, process },
      target: { host: '127.0.0.1', port },
      admin: administrator(credential),
      stop: () => remove(process),
    }
  } catch (error) {
    await remove()
    throw error
  }
}

/** A port that nothing listens on at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
