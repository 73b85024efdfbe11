import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { credentialPath, ensureAdministrator } from '../../src/adapters/bootstrap/administrator-credential.ts'
import { ensureBuiltInActionTypes } from '../../src/adapters/bootstrap/builtin-action-types.ts'
import { openCatalogue } from '../../src/adapters/prisma/catalogue.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { administrator } from '../support/clients.ts'
import { openTestDatabase } from '../support/database.ts'
import { makeKey } from '../wire/signing.ts'

let database: Database
let directory: string
beforeAll(async () => {
  database = await openTestDatabase()
})
afterAll(() => database.close())
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'writ-bootstrap-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const credential = () => administrator(JSON.parse(readFileSync(credentialPath(directory), 'utf8')))
const registeredKeys = () => database.query<{ kid: string }>(`SELECT kid FROM key WHERE owner_id = 'admin'`)

describe('the first administrator', () => {
  // First, while there is no administrator.
  test.each([
    ['no JSON', 'nothing'],
    ['nothing', ''],
    ['another client', JSON.stringify({ client_id: 'someone', jwk: makeKey().privateKey.export({ format: 'jwk' }) })],
    ['a public key', JSON.stringify({ client_id: 'admin', jwk: makeKey().jwk })],
    [
      'a point off the curve',
      JSON.stringify({
        client_id: 'admin',
        jwk: { ...makeKey().privateKey.export({ format: 'jwk' }), x: makeKey().jwk.x },
      }),
    ],
  ])('a file that holds %s is refused with what to do, and nothing is made', async (_, content) => {
    writeFileSync(credentialPath(directory), content)
    await expect(ensureAdministrator(database, directory)).rejects.toThrow(
      /admin-credential\.json.*; remove .* and start again/,
    )
    expect(await database.query('SELECT 1 FROM identity')).toEqual([])
  })

  test('is made once, with the key in the file and all three scopes, and the database holds no private part', async () => {
    expect(await ensureAdministrator(database, directory)).toBe(credentialPath(directory))
    expect(await ensureAdministrator(database, directory)).toBeUndefined()
    expect(await database.query('SELECT id, scope FROM administrator')).toEqual([
      { id: 'admin', scope: ['admin', 'admin:read', 'admin:approve'] },
    ])
    expect(await registeredKeys()).toEqual([{ kid: credential().key.jkt }])
    expect(statSync(credentialPath(directory)).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['admin-credential.json'])
    const { d } = JSON.parse(readFileSync(credentialPath(directory), 'utf8')).jwk
    const [row] = await database.query<{ text: string }>(`SELECT string_agg(to_jsonb(k)::text, ' ') AS text FROM key k`)
    expect(row?.text).not.toContain(d)
  })

  test('a file that an earlier start left is used', async () => {
    const key = makeKey()
    const jwk = { ...key.privateKey.export({ format: 'jwk' }), alg: 'ES256' }
    writeFileSync(credentialPath(directory), JSON.stringify({ client_id: 'admin', jwk }), { mode: 0o600 })
    const own = await openTestDatabase()
    await ensureAdministrator(own, directory)
    expect(await own.query(`SELECT kid FROM key WHERE owner_id = 'admin'`)).toEqual([{ kid: key.jkt }])
    expect(credential().key.jkt).toBe(key.jkt)
    await own.close()
  })
})

describe('the built-in action types', () => {
  beforeEach(() => database.query('DELETE FROM action_type'))
  const rows = () =>
    database.query<{ type: string; version: number; title: string; status: string }>(
      'SELECT type, version, title, status::text AS status FROM action_type ORDER BY type',
    )
  const generation = () => database.query('SELECT value FROM generation')

  test('are written once, and a second start changes nothing, not even the generation', async () => {
    await ensureBuiltInActionTypes(database.query)
    const before = [await rows(), await generation()]
    expect((await rows()).map(({ type }) => type)).toEqual([
      'email_send',
      'http_request',
      'mcp_tool_call',
      'payment_initiation',
      'sql_statement',
    ])
    await ensureBuiltInActionTypes(database.query)
    expect([await rows(), await generation()]).toEqual(before)
    expect((await openCatalogue(database.query)).active()).toHaveLength(5)
  })

  test('one that this build defines otherwise becomes a new version of itself, and stays suspended', async () => {
    await ensureBuiltInActionTypes(database.query)
    await database.query(`UPDATE action_type SET title = 'Old', status = 'suspended' WHERE type = 'email_send'`)
    await ensureBuiltInActionTypes(database.query)
    const found = (await rows()).find(({ type }) => type === 'email_send')
    expect(found).toMatchObject({ version: 2, status: 'suspended' })
    expect(found?.title).not.toBe('Old')
    expect((await rows()).filter(({ version }) => version > 1)).toHaveLength(1)
  })

  test("an administrator's own type of that name is left alone", async () => {
    await database.query(
      `INSERT INTO action_type (type, title, schema, digestible, template, risk, single_use)
       VALUES ('email_send', 'Ours', '{"type":"object","properties":{},"additionalProperties":false}', '{}', 'x', 'read', false)`,
    )
    await ensureBuiltInActionTypes(database.query)
    expect((await rows()).find(({ type }) => type === 'email_send')).toMatchObject({ title: 'Ours', version: 1 })
  })
})
