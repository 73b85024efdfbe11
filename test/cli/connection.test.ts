import { generateKeyPairSync } from 'node:crypto'
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'
import { at, writ } from './terminal.ts'

let server: TestServer
let folder: string
beforeAll(async () => {
  server = await startTestServer()
  folder = await mkdtemp(join(tmpdir(), 'writ-cli-'))
})
afterAll(async () => {
  await server?.close()
  await rm(folder, { recursive: true, force: true })
})

const whoami = (env: Record<string, string>, ...args: string[]) =>
  writ(['admin', 'whoami', ...args], { env: { ...at(server), ...env } })

test('says who one is', async () => {
  const { code, out } = await whoami({})
  expect(code).toBe(0)
  expect(out).toMatch(/^client_id +admin$/m)
  expect(out).toMatch(/^scope +admin admin:read admin:approve$/m)
})

test('options win over the environment', async () => {
  const credential = join(server.dataDirectory, 'admin-credential.json')
  const env = { WRIT_ISSUER: 'http://localhost:1', WRIT_CREDENTIAL: '/none', WRIT_DATA_DIR: '/none' }
  expect((await whoami(env, '--issuer', server.issuer, '--credential', credential)).code).toBe(0)
  expect((await whoami({ ...env, WRIT_CREDENTIAL: credential }, '--issuer', `${server.issuer}/`)).code).toBe(0)
})

test.each([0o640, 0o604, 0o644, 0o660, 0o602, 0o777])('a credential of mode %o is refused', async (mode) => {
  const path = join(folder, `mode-${mode}`)
  await copyFile(join(server.dataDirectory, 'admin-credential.json'), path)
  await chmod(path, mode)
  const { code, out, err } = await whoami({ WRIT_CREDENTIAL: path })
  expect({ code, out }).toEqual({ code: 3, out: '' })
  expect(err).toContain(`mode 0${mode.toString(8)}, must be 0600 or narrower`)
  expect(err).toContain(`mend:  chmod 600 ${path}`)
})

test.each([0o600, 0o400])('a credential of mode %o is taken', async (mode) => {
  const path = join(folder, `mode-${mode}`)
  await copyFile(join(server.dataDirectory, 'admin-credential.json'), path)
  await chmod(path, mode)
  expect((await whoami({ WRIT_CREDENTIAL: path })).code).toBe(0)
})

test.each([
  ['nothing', ''],
  ['no JSON', '{'],
  ['another thing', '{"client_id":"admin"}'],
  ['a public key', '{"client_id":"admin","jwk":{"kty":"EC","crv":"P-256","x":"a","y":"b"}}'],
  ['too much', `{"client_id":"${'a'.repeat(20_000)}"}`],
])('a credential file with %s in it is said to be none', async (_, content) => {
  const path = join(folder, 'odd.json')
  await writeFile(path, content, { mode: 0o600 })
  const { code, err } = await whoami({ WRIT_CREDENTIAL: path })
  expect(code).toBe(3)
  expect(err).toContain(path)
  expect(err).toContain('mend: ')
})

test('no credential file: says where it was looked for, and how to come by one', async () => {
  const { code, err } = await whoami({ WRIT_DATA_DIR: join(folder, 'empty') })
  expect(code).toBe(3)
  expect(err).toContain(join(folder, 'empty', 'admin-credential.json'))
  expect(err).toContain('start the server once')
})

test('the key of someone else is not accepted', async () => {
  const path = join(folder, 'stranger.json')
  const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
  await writeFile(path, JSON.stringify({ client_id: 'admin', jwk }), { mode: 0o600 })
  const { code, err } = await whoami({ WRIT_CREDENTIAL: path })
  expect(code).toBe(3)
  expect(err).toContain('the server does not accept the credential (invalid_client)')
  expect(err).not.toContain(String(jwk.d))
})

test('nobody listens: says so', async () => {
  const { code, err } = await whoami({}, '--issuer', 'http://127.0.0.1:1')
  expect(code).toBe(3)
  expect(err).toContain('the server cannot be reached')
  expect(err).toContain('npm start')
})

test('another name of the same server: says what it calls itself', async () => {
  const { port } = new URL(server.issuer)
  const { code, err } = await whoami({}, '--issuer', `http://127.0.0.1:${port}`)
  expect(code).toBe(3)
  expect(err).toContain(`use --issuer ${server.issuer}`)
})

test('something else listens: says so, and follows no redirect', async () => {
  const seen: string[] = []
  const other = await listen((path) => seen.push(path))
  try {
    const { port } = other.address() as AddressInfo
    expect((await whoami({}, '--issuer', `http://127.0.0.1:${port}`)).err).toContain('cannot be reached')
    expect(seen.every((path) => path !== '/elsewhere')).toBe(true)
  } finally {
    other.close()
  }
})

/** A server that sends everyone elsewhere. */
async function listen(onRequest: (path: string) => void): Promise<Server> {
  const other = createServer((request, response) => {
    onRequest(request.url ?? '')
    response.writeHead(307, { location: '/elsewhere' }).end()
  })
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  return other
}

test('a data directory beside is found without being named', async () => {
  const before = process.cwd()
  const place = join(folder, 'place')
  await mkdir(join(place, '.writ'), { recursive: true })
  await copyFile(join(server.dataDirectory, 'admin-credential.json'), join(place, '.writ', 'admin-credential.json'))
  await chmod(join(place, '.writ', 'admin-credential.json'), 0o600)
  try {
    process.chdir(place)
    const { out } = await writ(['admin', 'whoami'], { env: { WRIT_ISSUER: server.issuer } })
    expect(out).toContain(join('.writ', 'admin-credential.json'))
  } finally {
    process.chdir(before)
  }
})
