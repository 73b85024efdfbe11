import { createPublicKey, randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { actionTokens } from '../../src/adapters/keys/access-tokens.ts'
import { type KeyEncryption, keyEncryption, openKeyEncryption } from '../../src/adapters/keys/key-encryption.ts'
import { serverSecret } from '../../src/adapters/keys/server-secrets.ts'
import { ensureSigningKey, insertSigningKey, openSigningKeys } from '../../src/adapters/keys/signing-keys.ts'
import type { Database } from '../../src/adapters/prisma/open-database.ts'
import { isRefusal } from '../../src/core/refusal.ts'
import { parseCompactJws, verifyJws } from '../../src/wire/jws.ts'
import { openTestDatabase } from '../support/database.ts'
import { seed } from './seed.ts'

let database: Database
let directory: string
const encryption = keyEncryption(randomBytes(32))
beforeAll(async () => {
  database = await openTestDatabase()
  directory = mkdtempSync(join(tmpdir(), 'writ-keys-'))
})
afterAll(async () => {
  await database.close()
  rmSync(directory, { recursive: true })
})

const query: Database['query'] = (...args) => database.query(...args)
const START = Date.UTC(2030, 0, 1)
const at = (seconds: number) => new Date(START + seconds * 1_000)

describe('signing keys', () => {
  let seconds = 0
  const clock = () => at(seconds)
  const open = () => openSigningKeys(query, encryption, clock)
  const kids = (keys: readonly { kid: string }[]) => keys.map(({ kid }) => kid)
  beforeEach(async () => {
    seconds = 0
    await query('DELETE FROM delegation')
    await query('DELETE FROM signing_key')
  })

  test('without one nothing is signed', async () => {
    const keys = await open()
    expect(() => keys.active()).toThrow('there is no active signing key')
    expect(keys.published()).toEqual([])
    await expect(keys.signAccessToken('{}')).rejects.toThrow()
  })

  test('the first is made once, however often it is ensured', async () => {
    await ensureSigningKey(query, encryption, at(0))
    await ensureSigningKey(query, encryption, at(1))
    expect((await open()).all()).toHaveLength(1)
  })

  test('two loaders sign with the same key, and each verifies what the other signed', async () => {
    await ensureSigningKey(query, encryption, at(0))
    const [one, two] = [await open(), await open()]
    const jws = parseCompactJws(await one.signAccessToken('{"a":1}'), 4_096)
    if (isRefusal(jws)) throw new Error(jws.detail)
    expect(jws.header).toMatchObject({ typ: 'at+jwt', alg: 'ES256', kid: two.active().kid })
    const { key } = two.verificationKey(String(jws.header.kid)) ?? {}
    expect(key && verifyJws(jws, key, 'ES256')).toBe(true)
  })

  test('what one loader signed it knows, and the other has to verify', async () => {
    await ensureSigningKey(query, encryption, at(0))
    const [one, two] = [await open(), await open()]
    const token = await one.signAccessToken('{"a":1}')
    expect([one.signedHere(token), two.signedHere(token)]).toEqual([true, false])
  })

  test('the private part is not in the database in the clear', async () => {
    await ensureSigningKey(query, encryption, at(0))
    const keys = await open()
    const { d } = keys.active().privateKey.export({ format: 'jwk' })
    const [row] = await query<{ text: string; sealed: Uint8Array }>(
      'SELECT to_jsonb(k)::text AS text, sealed FROM signing_key k',
    )
    expect(row?.text).not.toContain(d)
    expect(Buffer.from(row?.sealed ?? []).includes(Buffer.from(String(d), 'base64url'))).toBe(false)
  })

  test('a rotation publishes the new key before it signs, keeps the old one after, and needs nobody to do anything', async () => {
    const first = await insertSigningKey(query, encryption, at(0), at(0))
    const second = await insertSigningKey(query, encryption, at(100), at(700))
    const keys = await open()
    for (const [moment, active] of [
      [100, first],
      [699, first],
      [700, second],
      [701, second],
    ] as const) {
      seconds = moment
      expect(keys.active().kid).toBe(active)
      expect(kids(keys.published())).toEqual([first, second])
      expect(keys.verificationKey(first)).toBeDefined()
    }
    // Ten minutes, and the longest life of a token, after it retired.
    seconds = 700 + 600 + 3_600
    expect(kids(keys.published())).toEqual([first, second])
    seconds += 1
    expect(kids(keys.published())).toEqual([second])
    expect(keys.verificationKey(first)).toBeDefined()
  })

  test('a key that is gone from the JWKS still verifies: a subject token lives as long as its delegation', async () => {
    const first = await insertSigningKey(query, encryption, at(0), at(0))
    await insertSigningKey(query, encryption, at(100), at(700))
    const keys = await open()
    seconds = 999_999
    expect(kids(keys.published())).not.toContain(first)
    expect(keys.verificationKey(first)).toBeDefined()
  })

  test('a compromised key neither signs nor verifies, whatever it signed', async () => {
    const first = await insertSigningKey(query, encryption, at(0), at(0))
    const second = await insertSigningKey(query, encryption, at(10), at(10))
    const { delegation } = await seed(query)
    await query('UPDATE delegation SET created_at = $1, expires_at = $2 WHERE id = $3', [at(12), at(1_000), delegation])
    const keys = await open()
    seconds = 20
    expect(keys.verificationKey(second)).toBeDefined()
    await query('UPDATE signing_key SET compromised_at = $1 WHERE kid = $2', [at(15), second])
    expect(keys.active().kid).toBe(second)
    await keys.refresh()
    expect(keys.active().kid).toBe(first)
    expect(keys.verificationKey(second)).toBeUndefined()
    expect(kids(keys.published())).toEqual([first])
    expect(keys.privateJwks()).toHaveLength(1)
  })

  test('a token that was signed here is no more than its key: once that is compromised, or gone, it verifies nowhere', async () => {
    const first = await insertSigningKey(query, encryption, at(0), at(0))
    const keys = await open()
    const claims = {
      ...{
        iss: 'https://i.example',
        aud: 'https://r.example',
        sub: 'alice',
        client_id: 'a',
        jti: 'j',
        txn: 't',
        iat: START / 1_000,
      },
      ...{ exp: START / 1_000 + 60, act: { sub: 'a' }, cnf: { jkt: 'x'.repeat(43) }, delegation_id: 'd' },
      authorization_details: [{ type: 'x' }],
    }
    const token = await keys.signAccessToken(JSON.stringify(claims))
    const verified = () => actionTokens(claims.iss, keys).verify(token, claims.aud, at(0))
    expect(verified()).toMatchObject({ jti: 'j' })
    await query('UPDATE signing_key SET compromised_at = $1 WHERE kid = $2', [at(0), first])
    await keys.refresh()
    expect(keys.signedHere(token)).toBe(true)
    expect(isRefusal(verified())).toBe(true)
  })

  test('when all are compromised the next start makes another', async () => {
    await ensureSigningKey(query, encryption, at(0))
    await query('UPDATE signing_key SET compromised_at = now()')
    await ensureSigningKey(query, encryption, at(1))
    seconds = 2
    const keys = await open()
    expect(keys.published()).toHaveLength(1)
    expect(keys.all()).toHaveLength(2)
  })

  test('what is published is the public half of what signs, and named by its thumbprint', async () => {
    await ensureSigningKey(query, encryption, at(0))
    const keys = await open()
    const [published] = keys.published()
    expect(published?.publicJwk).toEqual({ kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String) })
    expect(
      createPublicKey({ key: { ...published?.publicJwk }, format: 'jwk' }).equals(published?.publicKey as never),
    ).toBe(true)
    expect(keys.privateJwks()).toMatchObject([{ kid: published?.kid, alg: 'ES256', use: 'sig', d: expect.any(String) }])
  })

  test('keys sealed with another key-encryption key cannot be loaded, and the message says so', async () => {
    await ensureSigningKey(query, encryption, at(0))
    await expect(openSigningKeys(query, keyEncryption(randomBytes(32)), clock)).rejects.toThrow(
      /another key-encryption key/,
    )
  })

  test('the sealed part of one key cannot be put in the place of another', async () => {
    await insertSigningKey(query, encryption, at(0), at(0))
    await insertSigningKey(query, encryption, at(1), at(1))
    await query('UPDATE signing_key SET sealed = (SELECT sealed FROM signing_key ORDER BY activates_at LIMIT 1)')
    await expect(open()).rejects.toThrow(/cannot be opened/)
  })
})

describe('server secrets', () => {
  test('processes that ask at once get the same 32 bytes, and so does every later one', async () => {
    const secrets = await Promise.all(Array.from({ length: 8 }, () => serverSecret(query, encryption, 'cookie')))
    secrets.push(await serverSecret(query, encryption, 'cookie'))
    expect(new Set(secrets.map((secret) => secret.toString('hex'))).size).toBe(1)
    expect(secrets[0]).toHaveLength(32)
  })

  test('each name has its own, sealed', async () => {
    const [nonce, cursor] = [
      await serverSecret(query, encryption, 'nonce'),
      await serverSecret(query, encryption, 'cursor'),
    ]
    expect(nonce.equals(cursor)).toBe(false)
    const rows = await query<{ sealed: Uint8Array }>('SELECT sealed FROM server_secret')
    for (const { sealed } of rows) expect(Buffer.from(sealed).includes(nonce)).toBe(false)
  })

  test('one that was put in the place of another is refused', async () => {
    await serverSecret(query, encryption, 'nonce')
    await serverSecret(query, encryption, 'cursor')
    await query(
      `UPDATE server_secret SET sealed = (SELECT sealed FROM server_secret WHERE name = 'nonce') WHERE name = 'cursor'`,
    )
    await expect(serverSecret(query, encryption, 'cursor')).rejects.toThrow(/cannot be opened/)
  })
})

describe('key encryption', () => {
  const secret = Buffer.from('what must not lie in the clear')

  test('opens what it sealed, and seals nothing twice the same', () => {
    const [one, two] = [encryption.seal(secret, 'name'), encryption.seal(secret, 'name')]
    expect(encryption.open(one, 'name').equals(secret)).toBe(true)
    expect(one.equals(two)).toBe(false)
    expect(one.includes(secret)).toBe(false)
    expect(encryption.open(encryption.seal(Buffer.alloc(0), 'empty'), 'empty')).toHaveLength(0)
  })

  test('refuses another key, another name, and every changed, missing or added byte', () => {
    const sealed = encryption.seal(secret, 'name')
    expect(() => keyEncryption(randomBytes(32)).open(sealed, 'name')).toThrow(/another key-encryption key/)
    expect(() => encryption.open(sealed, 'nome')).toThrow(/cannot be opened/)
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed)
      changed[index] = (changed[index] ?? 0) ^ 1
      expect(() => encryption.open(changed, 'name'), `byte ${index}`).toThrow()
      expect(() => encryption.open(sealed.subarray(0, index), 'name'), `${index} bytes`).toThrow()
    }
    expect(() => encryption.open(Buffer.concat([sealed, Buffer.of(0)]), 'name')).toThrow()
  })

  test('takes the key from the file that the first start makes, for its owner only', async () => {
    const folder = join(directory, randomUUID())
    const opened = await Promise.all(Array.from({ length: 8 }, () => openKeyEncryption(undefined, folder)))
    const [first] = opened
    for (const other of opened)
      expect(other.open((first as KeyEncryption).seal(secret, 'n'), 'n').equals(secret)).toBe(true)
    expect(statSync(join(folder, 'kek')).mode & 0o777).toBe(0o600)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(readdirSync(folder)).toEqual(['kek'])
    expect(Buffer.from((await readFile(join(folder, 'kek'), 'utf8')).trim(), 'base64url')).toHaveLength(32)
  })

  test('a configured key is used instead, and no file is made', async () => {
    const folder = mkdtempSync(join(directory, 'configured-'))
    const key = randomBytes(32)
    const opened = await openKeyEncryption(key.toString('base64url'), folder)
    expect(keyEncryption(key).open(opened.seal(secret, 'n'), 'n').equals(secret)).toBe(true)
    expect(readdirSync(folder)).toEqual([])
  })

  test.each(['', 'short', `${'A'.repeat(43)}B`, 'x'.repeat(4_000)])(
    'a file that holds %j is refused by name',
    async (content) => {
      const folder = mkdtempSync(join(directory, 'broken-'))
      writeFileSync(join(folder, 'kek'), content)
      chmodSync(join(folder, 'kek'), 0o600)
      await expect(openKeyEncryption(undefined, folder)).rejects.toThrow(/kek does not hold a key-encryption key/)
    },
  )
})
