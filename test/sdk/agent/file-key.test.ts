import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KeyFileError, loadKey, loadOrCreateKey, storeKey } from '../../../src/sdk/agent/file-key.ts'
import { createKey, exportKey } from '../../../src/sdk/agent/index.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-key-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const failure = (promise: Promise<unknown>): Promise<KeyFileError> =>
  promise.then(
    () => Promise.reject(new Error('this did not fail')),
    (error) => error,
  )

describe('a key in a file', () => {
  test('is 0600, comes back the same, and leaves nothing else behind', async () => {
    const path = join(folder, 'new/deep/planner.key')
    const key = await createKey({ alg: 'Ed25519', extractable: true })
    await storeKey(path, key)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'new'))).mode & 0o777).toBe(0o700)
    expect(await readdir(join(folder, 'new/deep'))).toEqual(['planner.key'])
    expect((await loadKey(path)).kid).toBe(key.kid)
  })

  test('is never overwritten', async () => {
    const path = join(folder, 'taken.key')
    await writeFile(path, 'something of somebody')
    const error = await failure(storeKey(path, await createKey({ extractable: true })))
    expect([error.name, error.kind]).toEqual(['KeyFileError', 'exists'])
    expect(await readFile(path, 'utf8')).toBe('something of somebody')
    expect((await readdir(folder)).filter((name) => name.startsWith('taken'))).toEqual(['taken.key'])
  })

  test('a key that is not extractable cannot be stored', async () => {
    const error = await failure(storeKey(join(folder, 'x.key'), await createKey()))
    expect(error.message).toContain('extractable')
    expect(await readdir(folder)).not.toContain('x.key')
  })

  test.each([0o640, 0o604, 0o620, 0o601, 0o644, 0o777])('mode %o is refused, with the way to mend it', async (mode) => {
    const path = join(folder, `open-${mode}.key`)
    await storeKey(path, await createKey({ extractable: true }))
    await chmod(path, mode)
    const error = await failure(loadKey(path))
    expect(error.kind).toBe('too_open')
    expect(error.message).toContain(`mode 0${mode.toString(8)}): chmod 600 ${path}`)
    await chmod(path, 0o600)
    await loadKey(path)
  })

  test('a stricter mode is fine', async () => {
    const path = join(folder, 'strict.key')
    await storeKey(path, await createKey({ extractable: true }))
    await chmod(path, 0o400)
    await loadKey(path)
  })

  test.each([
    ['empty', ''],
    ['no JSON', '{"kty":"EC","d":"secret-secret-secret"'],
    ['a public key', JSON.stringify({ kty: 'EC', crv: 'P-256', x: 'a', y: 'b', note: 'secret-secret-secret' })],
    ['too large', ' '.repeat(5_000)],
  ])('%s: malformed, and its content is not quoted', async (name, content) => {
    const path = join(folder, `${name}.key`)
    await writeFile(path, content, { mode: 0o600 })
    const error = await failure(loadKey(path))
    expect(error.kind).toBe('malformed')
    expect(inspect(error)).not.toContain('secret-secret')
  })

  test('no file, a folder, a pipe', async () => {
    expect((await failure(loadKey(join(folder, 'none.key')))).kind).toBe('missing')
    const directory = join(folder, 'directory.key')
    await mkdir(directory, { mode: 0o700 })
    expect((await failure(loadKey(directory))).kind).toBe('malformed')
    const pipe = join(folder, 'pipe.key')
    execFileSync('mkfifo', ['-m', '600', pipe])
    expect((await failure(loadKey(pipe))).kind).toBe('malformed')
  })

  test('twenty that load or create at once have one key', async () => {
    const path = join(folder, 'race.key')
    const keys = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateKey(path)))
    expect(new Set(keys.map(({ kid }) => kid)).size).toBe(1)
    expect((await loadOrCreateKey(path, { alg: 'Ed25519' })).alg).toBe('ES256')
    await expect(exportKey(await loadKey(path))).rejects.toThrow(TypeError)
    expect((await readdir(folder)).filter((name) => name.startsWith('race'))).toEqual(['race.key'])
  })

  test('load or create does not paper over a file that is open to others', async () => {
    const path = join(folder, 'open.key')
    await loadOrCreateKey(path)
    await chmod(path, 0o644)
    expect((await failure(loadOrCreateKey(path))).kind).toBe('too_open')
  })
})
