import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { backUp, restore } from '../../src/adapters/maintenance/backup.ts'
import { migrate } from '../../src/adapters/prisma/migrate.ts'
import { openDatabase } from '../../src/adapters/prisma/open-database.ts'
import { readConfig } from '../../src/config.ts'
import { startServer } from '../../src/server.ts'
import { administer, expectRefused, issued } from '../http/oauth/answers.ts'
import { createPostgresCopy } from '../support/database.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'

/** Trap 5: single use by the token alone; the agent just mints again. Here by what the database does not know of. */

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(() => server.close())

const SHORT = { token_lifetime_seconds: 1 }
/** Until a token of one second has expired, by every clock. */
const expired = () => sleep(2_100)
const again = (world: World, turn: string) => world.exchange({ form: { turn } })
async function setEnforcement(world: World, enforcement: string) {
  const path = `/admin/resources/${world.resource.id}`
  const { headers } = await administer(world, 'GET', path)
  const change = { 'Content-Type': 'application/merge-patch+json', 'If-Match': String(headers.etag) }
  const answer = await world.api.call('PATCH', path, { enforcement }, Object.entries(change))
  expect(answer.status, answer.text).toBe(200)
}

test('a token that nobody had to ask for may have run, whatever its resource server does today', async () => {
  const world = await createWorld(server, { resource: { ...SHORT, enforcement: 'offline' } })
  await issued(again(world, 'pay'))
  await setEnforcement(world, 'consume')
  await expired()
  expectRefused(await again(world, 'pay'), 400, 'access_denied')
})

test('a token that would have had to be consumed, then and now, and was not did not run', async () => {
  const world = await createWorld(server, { resource: { ...SHORT, enforcement: 'consume' } })
  await issued(again(world, 'pay'))
  await expired()
  await issued(again(world, 'pay'))
  await setEnforcement(world, 'offline')
  await expired()
  expectRefused(await again(world, 'pay'), 400, 'access_denied')
})

test('a token that was used after the backup is not minted again after the restore, nor given back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'writ-again-'))
  const own = await startTestServer()
  const world = await createWorld(own, {
    resource: { token_lifetime_seconds: 12, enforcement: 'consume' },
    delegation: { limits: { max_uses: 1 } },
  })
  const { exp, jti } = claimsOf(await issued(again(world, 'pay')))
  await own.stop()
  const original = await openDatabase({ databaseUrl: own.databaseUrl, dataDirectory: own.dataDirectory })
  await backUp(original, join(folder, 'backup'))
  const used = await original.query('SELECT active FROM writ_consume($1, $2, NULL)', [jti, world.resource.id])
  await original.close()
  expect(used).toMatchObject([{ active: true }])

  const copy = own.databaseUrl === undefined ? undefined : await createPostgresCopy()
  const dataDirectory = join(folder, 'data')
  await cp(join(own.dataDirectory, 'kek'), join(dataDirectory, 'kek'), { recursive: true })
  const empty = await openDatabase({ databaseUrl: copy?.url, dataDirectory })
  await migrate({ database: empty })
  await restore(empty, join(folder, 'backup')).finally(empty.close)
  const config = { ...readConfig({}), port: own.port, logLevel: 'silent' as const, dataDirectory }
  const restored = await startServer(copy === undefined ? config : { ...config, databaseUrl: copy.url })
  try {
    await sleep(exp * 1_000 + 1_100 - Date.now())
    const [repeated, other] = [await again(world, 'pay'), await again(world, 'another')]
    expectRefused(repeated, 400, 'access_denied')
    expect(repeated.body.error_description).toMatch(/turn/)
    expectRefused(other, 400, 'access_denied')
    expect(other.body.error_description).toMatch(/limit/)
  } finally {
    await restored.close()
    await copy?.drop()
    await own.close()
    await rm(folder, { recursive: true, force: true })
  }
})
