import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BackupRefused, backUp, restore } from '../../src/adapters/maintenance/backup.ts'
import { openDatabase } from '../../src/adapters/prisma/open-database.ts'
import { readConfig } from '../../src/config.ts'
import { startServer } from '../../src/server.ts'
import { Authenticator } from '../support/authenticator.ts'
import { csrfOf } from '../support/browser.ts'
import { adminApi, exchangeRequest, introspect, send } from '../support/clients.ts'
import { createPostgresCopy, openTestDatabase } from '../support/database.ts'
import { peopleOf } from '../support/people.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld, type World } from '../support/world.ts'

let folder: string
let server: TestServer
let world: World
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-backup-'))
  server = await startTestServer()
  world = await createWorld(server)
  // Characters at which some readers of lines split, in what an agent may have chosen.
  await world.exchange({}, { action: { ...world.action, body: 'a\u2028b\u2029c\u0085d' } })
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

test('a restored server knows everyone, voids the tokens from before, and takes nothing that was presented before', async () => {
  // A token in somebody's hand, and a request that was used after the backup was made.
  const { body } = await world.exchange()
  const { url: _, ...captured } = exchangeRequest(server.issuer, world.agent, world.wish)
  const path = join(folder, 'backup')
  // Three uses of a delegation, two of them gone, and a turn that was taken; and everything is stopped.
  const limited = await createWorld(server, { delegation: { limits: { max_uses: 3 } } })
  for (const turn of ['one', 'two']) expect((await limited.exchange({ form: { turn } })).status).toBe(200)
  await limited.api.call('POST', '/admin/stop', { reason: 'incident' })
  // Somebody who is signed in, and has a passkey.
  const people = await peopleOf(server)
  const browser = await people.signedIn(world.principal)
  const authenticator = new Authenticator(server.issuer)
  const csrf = csrfOf(await browser.get('/me/passkeys'))
  const asked = (await browser.post('/me/passkeys/options', { csrf })).body
  await browser.post('/me/passkeys', { csrf, label: 'Key', answer: authenticator.create(asked) })
  await server.stop()
  const original = await openDatabase({ databaseUrl: server.databaseUrl, dataDirectory: server.dataDirectory })
  const counts = await backUp(original, path).finally(original.close)
  expect(counts).toMatchObject({
    agent: 2,
    delegation: 2,
    administrator: 1,
    signing_key: 1,
    turn: 2,
    limit_use: 2,
    passkey: 1,
  })
  expect((await stat(path)).mode & 0o777).toBe(0o600)

  const copy = server.databaseUrl === undefined ? undefined : await createPostgresCopy()
  const dataDirectory = await mkdtemp(join(tmpdir(), 'writ-restored-'))
  await writeFile(join(dataDirectory, 'kek'), await readFile(join(server.dataDirectory, 'kek')), { mode: 0o600 })
  const empty = await openDatabase({ databaseUrl: copy?.url, dataDirectory })
  const { migrate } = await import('../../src/adapters/prisma/migrate.ts')
  await migrate({ database: empty })
  expect(await restore(empty, path)).toEqual(counts)
  await expect(restore(empty, path)).rejects.toThrow(BackupRefused)
  await empty.close()

  const config = { ...readConfig({}), port: server.port, dataDirectory, logLevel: 'silent' as const }
  const restored = await startServer(copy === undefined ? config : { ...config, databaseUrl: copy.url })
  try {
    expect(restored.newCredentialPath).toBeUndefined()
    // A clock of whole seconds cannot tell what was made in the second of the restore from what was made before it.
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    // Nobody is signed in any more; a passkey signs in as before.
    expect((await browser.get('/me/logins')).status).toBe(303)
    const question = (await browser.post('/sign-in/passkey/options')).body
    expect((await browser.post('/sign-in/passkey', { answer: authenticator.get(question) })).status).toBe(303)
    expect((await browser.get('/me/logins')).status).toBe(200)
    const before = await introspect(server.issuer, world.resource, body.access_token)
    expect(before.body).toEqual({ active: false })
    const replayed = await send(`${server.issuer}/token`, captured)
    expect([replayed.status, replayed.body.error]).toEqual([401, 'invalid_client'])
    // What was stopped when the backup was made is stopped.
    expect((await world.exchange()).body).toMatchObject({
      error: 'access_denied',
      error_description: expect.stringContaining('stopped'),
    })
    await (await adminApi(server.issuer, server.admin)).call('DELETE', '/admin/stop', {})
    // Of three uses one is left, and a turn from before is over: its token is void, and may have run.
    expect((await limited.exchange({ form: { turn: 'one' } })).body.error).toBe('access_denied')
    expect((await limited.exchange()).status).toBe(200)
    expect((await limited.exchange()).body.error_description).toMatch(/limit reached/)
    const after = await world.exchange()
    expect(after.status).toBe(200)
    expect((await introspect(server.issuer, world.resource, after.body.access_token)).body.active).toBe(true)
  } finally {
    await restored.close()
    await copy?.drop()
    await rm(dataDirectory, { recursive: true, force: true })
  }
})

test('a backup that was cut, changed or is none is refused, and nothing is written', async () => {
  const database = await openTestDatabase()
  const path = join(folder, 'broken')
  await backUp(database, path)
  const whole = await readFile(path)
  const text = gunzipSync(whole).toString()
  const { gzipSync } = await import('node:zlib')
  const broken = [
    whole.subarray(0, whole.length - 20),
    gzipSync(text.slice(0, text.lastIndexOf('{'))),
    gzipSync(text.replace('"at":"2', '"at":"3')),
    Buffer.from('not a backup'),
  ]
  for (const bytes of broken) {
    await writeFile(path, bytes)
    await expect(restore(database, path)).rejects.toThrow(BackupRefused)
  }
  await expect(restore(database, join(folder, 'nowhere'))).rejects.toThrow('there is no such file')
  expect(await database.query('SELECT 1 FROM generation WHERE restored_at IS NOT NULL')).toEqual([])
  await database.close()
})
