import { randomBytes } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openEmbeddedDatabase } from '../../src/adapters/prisma/embedded-database.ts'
import { migrate } from '../../src/adapters/prisma/migrate.ts'
import { readConfig } from '../../src/config.ts'
import { type RunningServer, type StartOptions, startServer } from '../../src/server.ts'
import { administrator, type TestClient } from './clients.ts'
import { createPostgresCopy, migrationsFingerprint } from './database.ts'

export interface TestServer extends RunningServer {
  readonly dataDirectory: string
  readonly databaseUrl: string | undefined
  /** The first administrator, with the key from its credential file. */
  readonly admin: TestClient
  /** Stops it and leaves its database and files where they are; closing it removes them. */
  readonly stop: () => Promise<void>
}

/**
 * Starts the whole server in this process, on a port of its own and a fresh database: embedded by default, on the server that
 * `TEST_DATABASE_URL` names when it is set. Closing it removes both.
 *
 * @param settings members of the configuration that the test is about.
 */
export async function startTestServer(settings: object = {}, options: StartOptions = {}): Promise<TestServer> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'writ-test-'))
  const postgres = process.env.TEST_DATABASE_URL ? await createPostgresCopy() : undefined
  if (postgres === undefined) await cp(await embeddedTemplate(), join(dataDirectory, 'database'), { recursive: true })
  const databaseUrl = postgres?.url
  const config = {
    ...readConfig({}),
    port: 0,
    dataDirectory,
    logLevel: 'silent' as const,
    ...(databaseUrl !== undefined && { databaseUrl }),
    ...settings,
  }
  const server = await startServer(config, options)
  return {
    ...server,
    dataDirectory,
    databaseUrl,
    admin: administrator(JSON.parse(await readFile(join(dataDirectory, 'admin-credential.json'), 'utf8'))),
    stop: server.close,
    close: async () => {
      await server.close()
      await postgres?.drop()
      await rm(dataDirectory, { recursive: true, force: true })
    },
  }
}

let template: Promise<string> | undefined

/** A migrated database folder, made once and copied by every test: booting one takes seconds. */
function embeddedTemplate(): Promise<string> {
  template ??= (async () => {
    const cache = fileURLToPath(new URL('../../node_modules/.cache/writ', import.meta.url))
    const folder = join(cache, `database-${migrationsFingerprint()}`)
    if (await readFile(join(folder, 'PG_VERSION')).catch(() => undefined)) return folder
    const draft = join(cache, `draft-${process.pid}-${randomBytes(4).toString('hex')}`)
    await mkdir(draft, { recursive: true })
    const database = await openEmbeddedDatabase(draft)
    await migrate({ database })
    await database.close()
    // Whoever comes second finds the name taken and uses what the first one made.
    await rename(join(draft, 'database'), folder).catch(() => undefined)
    await rm(draft, { recursive: true, force: true })
    return folder
  })()
  return template
}
