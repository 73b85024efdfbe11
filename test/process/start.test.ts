import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, oauthRequest, send } from '../support/clients.ts'
import { makeKey } from '../wire/signing.ts'
import {
  administratorOf,
  endAll,
  launch,
  makeFolder,
  type ProcessFolder,
  type ServerProcess,
  type Settings,
  startProcess,
} from './server-process.ts'

const folders: ProcessFolder[] = []
const newFolder = (settings?: Settings) => {
  const folder = makeFolder(settings)
  folders.push(folder)
  return folder
}
afterAll(async () => {
  await endAll()
  for (const folder of folders) folder.remove()
})

const portOf = ({ issuer }: ServerProcess) => Number(new URL(issuer).port)

/** What the server said itself; oidc-provider says of Node 20, at every start, that it would like a newer one. */
const complaints = (stderr: string) =>
  stderr.split('\n').filter((line) => line !== '' && !line.startsWith('oidc-provider WARNING: Unsupported runtime'))

describe('a first start, on the embedded database', () => {
  let folder: ProcessFolder
  let server: ServerProcess
  beforeAll(async () => {
    folder = newFolder()
    server = await startProcess(folder.settings)
    console.log(`first start on the embedded database: ${Math.round(server.startMilliseconds)} ms`)
  })
  afterAll(() => server.end('SIGKILL'))

  test('says that it listens, on a line of its own and nothing else on standard output', () => {
    expect(server.stdout()).toBe(`writ listening on ${server.issuer}\n`)
    expect(server.issuer).toMatch(/^http:\/\/localhost:[1-9]\d*$/)
  })

  test('tells where the credential is, and leaves both key files to their owner alone', () => {
    expect(server.stderr()).toContain(join(folder.dataDirectory, 'admin-credential.json'))
    for (const name of ['kek', 'admin-credential.json']) {
      expect(statSync(join(folder.dataDirectory, name)).mode & 0o777, name).toBe(0o600)
    }
    expect(statSync(folder.dataDirectory).mode & 0o777).toBe(0o700)
  })

  test('the credential opens the admin API', async () => {
    const { status, body } = await clientToken(server.issuer, await administratorOf(folder.dataDirectory))
    expect({ status, scope: body.scope }).toEqual({ status: 200, scope: 'admin admin:read admin:approve' })
  })

  test.each(['127.0.0.1', '[::1]', 'localhost'])('answers on %s', async (host) => {
    expect((await send(`http://${host}:${portOf(server)}/healthz`)).status).toBe(200)
    expect((await send(`http://${host}:${portOf(server)}/readyz`)).status).toBe(200)
  })

  test('a second process on the same data directory is refused with one clear line', async () => {
    const { code, stdout, stderr } = await launch(folder.settings).ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(complaints(stderr)).toHaveLength(1)
    expect(stderr).toContain(
      `the data directory ${folder.dataDirectory} is in use by another process (pid ${server.child.pid})`,
    )
    expect((await send(`${server.issuer}/readyz`)).status).toBe(200)
  })
})

describe('on an existing directory', () => {
  let folder: ProcessFolder
  let server: ServerProcess
  beforeAll(async () => {
    folder = newFolder()
    server = await startProcess(folder.settings)
    await server.end('SIGTERM')
  })
  afterEach(() => server.end('SIGKILL'))

  test('a port that is taken is refused with one clear line', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const { code, stdout, stderr } = await launch({ ...folder.settings, WRIT_PORT: String(port) }).ended
    other.close()
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(complaints(stderr)).toEqual([`writ: 127.0.0.1:${port} is in use; stop what listens there, or set WRIT_PORT`])
  })

  test('a host that is not ours is refused with one clear line', async () => {
    const { code, stderr } = await launch({ ...folder.settings, WRIT_HOST: '192.0.2.1' }).ended
    expect(code).toBe(1)
    expect(complaints(stderr)).toEqual([expect.stringContaining('check WRIT_HOST and WRIT_PORT')])
  })

  test('production on the embedded database by choice starts', async () => {
    const production = {
      NODE_ENV: 'production',
      WRIT_ISSUER: 'https://as.example',
      WRIT_ALLOW_EMBEDDED_DATABASE: 'true',
    }
    server = await startProcess({ ...folder.settings, ...production })
    expect(server.stdout()).toBe('writ listening on https://as.example\n')
    expect((await server.end('SIGTERM')).code).toBe(0)
  })

  test('SIGTERM lets a request in flight finish, takes no new one, and exits 0; the next start finds everything', async () => {
    server = await startProcess(folder.settings)
    const admin = await administratorOf(folder.dataDirectory)
    const { headers, body } = oauthRequest(server.issuer, '/token', admin, { grant_type: 'client_credentials' })
    const socket = connect(portOf(server), '127.0.0.1')
    const lines = [
      'POST /token HTTP/1.1',
      `Host: localhost:${portOf(server)}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
    ]
    const middle = Math.floor(body.length / 2)
    socket.write(`${lines.join('\r\n')}\r\n\r\n${body.slice(0, middle)}`)
    await new Promise((resolve) => setTimeout(resolve, 200))

    server.child.kill('SIGTERM')
    await expect.poll(() => server.stderr(), { timeout: 5_000 }).toContain('draining')
    server.child.kill('SIGTERM') // as npm and a supervisor do at once
    await expect.poll(() => send(`${server.issuer}/healthz`).catch(({ code }) => code)).toBe('ECONNREFUSED')
    socket.write(body.slice(middle))
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(answer).toContain('"access_token"')
    const ended = await server.ended
    expect({ code: ended.code, signal: ended.signal }).toEqual({ code: 0, signal: null })

    server = await startProcess(folder.settings)
    console.log(`start on an existing directory: ${Math.round(server.startMilliseconds)} ms`)
    expect(server.startMilliseconds).toBeLessThan(10_000)
    expect((await clientToken(server.issuer, admin)).status).toBe(200)
  })

  test('SIGINT drains as well', async () => {
    server = await startProcess(folder.settings)
    const { code, signal } = await server.end('SIGINT')
    expect({ code, signal }).toEqual({ code: 0, signal: null })
  })

  test('a connection that is kept alive and idle does not hold it up', async () => {
    server = await startProcess(folder.settings)
    const socket = connect(portOf(server), '127.0.0.1')
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'data')
    const start = performance.now()
    expect((await server.end('SIGTERM')).code).toBe(0)
    expect(performance.now() - start).toBeLessThan(10_000) // drainSeconds is 15
  })

  test('after a kill -9 it starts again on the same directory, lock and all', async () => {
    server = await startProcess(folder.settings)
    await server.end('SIGKILL')
    server = await startProcess(folder.settings)
    console.log(`start after a kill -9: ${Math.round(server.startMilliseconds)} ms`)
    expect((await clientToken(server.issuer, await administratorOf(folder.dataDirectory))).status).toBe(200)
  })
})

test('a credential file that an earlier start left is used', async () => {
  const folder = newFolder()
  const key = makeKey()
  const path = join(folder.dataDirectory, 'admin-credential.json')
  const content = JSON.stringify({
    client_id: 'admin',
    jwk: { ...key.privateKey.export({ format: 'jwk' }), alg: 'ES256' },
  })
  await mkdir(folder.dataDirectory, { recursive: true })
  writeFileSync(path, content, { mode: 0o600 })
  const server = await startProcess(folder.settings)
  expect((await clientToken(server.issuer, { id: 'admin', key })).status).toBe(200)
  expect(readFileSync(path, 'utf8')).toBe(content)
  await server.end('SIGKILL')
})

describe('the key-encryption key', () => {
  const KEY = Buffer.alloc(32, 1).toString('base64url')

  test('of another database is refused in one line that names it, and the right one opens it again', async () => {
    const folder = newFolder()
    await (await startProcess({ ...folder.settings, WRIT_KEY_ENCRYPTION_KEY: KEY })).end('SIGTERM')
    for (const wrong of [{}, { WRIT_KEY_ENCRYPTION_KEY: Buffer.alloc(32, 2).toString('base64url') }]) {
      const { code, stdout, stderr } = await launch({ ...folder.settings, ...wrong }).ended
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(complaints(stderr)).toHaveLength(1)
      expect(stderr).toMatch(/sealed with another key-encryption key.*WRIT_KEY_ENCRYPTION_KEY/)
      expect(stderr).not.toContain(KEY)
    }
    await (await startProcess({ ...folder.settings, WRIT_KEY_ENCRYPTION_KEY: KEY })).end('SIGKILL')
  })

  test('comes from a file of its own, without the end of its line; what is wrong in it is not repeated', async () => {
    const folder = newFolder()
    const path = join(folder.dataDirectory, '..', 'secret')
    const settings = { ...folder.settings, WRIT_KEY_ENCRYPTION_KEY_FILE: path }
    writeFileSync(path, `${KEY}\n`)
    await (await startProcess(settings)).end('SIGTERM')
    // The same key, said the other way, opens what was sealed.
    await (await startProcess({ ...folder.settings, WRIT_KEY_ENCRYPTION_KEY: KEY })).end('SIGKILL')
    for (const wrong of [`${KEY}\n\n`, ` ${KEY}`, `${KEY}A`]) {
      writeFileSync(path, wrong)
      const { code, stderr } = await launch(settings).ended
      expect(code).toBe(1)
      expect(complaints(stderr)).toEqual([
        expect.stringContaining('keyEncryptionKey (WRIT_KEY_ENCRYPTION_KEY_FILE): must be'),
      ])
      expect(stderr).not.toContain(KEY)
    }
  })

  test('a file that holds none is refused in one line', async () => {
    const folder = newFolder()
    await mkdir(folder.dataDirectory, { recursive: true })
    writeFileSync(join(folder.dataDirectory, 'kek'), 'nothing\n')
    const { code, stderr } = await launch(folder.settings).ended
    expect(code).toBe(1)
    expect(complaints(stderr)).toEqual([expect.stringContaining('kek does not hold a key-encryption key of 32 bytes')])
  })
})

describe('what stops a start, in one line that names it', () => {
  const DATABASE_URL = 'postgresql://nobody@127.0.0.1:1/none'
  // At once: nothing but the start itself is waited for.
  test.concurrent.each<{
    name: string
    settings?: Settings
    file?: unknown
    says: string | RegExp
    /** One, but where the primary adds its own. */
    lines?: number
  }>([
    { name: 'an unknown variable', settings: { WRIT_PROT: '3000' }, says: 'unknown environment variable WRIT_PROT' },
    {
      name: 'a variable named like a built-in member',
      settings: { WRIT_: 'x' },
      says: 'unknown environment variable WRIT_',
    },
    { name: 'an unknown key', file: { isuer: 'http://localhost:1' }, says: 'unknown configuration key "isuer"' },
    {
      name: 'an unknown key inside a limit',
      file: { clientRequests: { perSecond: 1, burst: 1, perMinute: 1 } },
      says: '"perMinute"',
    },
    { name: 'a port that is no number', settings: { WRIT_PORT: 'http' }, says: 'port (WRIT_PORT)' },
    {
      name: 'two workers on the embedded database',
      settings: { WRIT_WORKERS: '2' },
      says: /workers \(WRIT_WORKERS\): the embedded database belongs to one process: set DATABASE_URL/,
    },
    { name: 'no workers', settings: { WRIT_WORKERS: '0' }, says: 'workers (WRIT_WORKERS)' },
    {
      name: 'workers on a database that is not there, once and not by each',
      settings: { WRIT_WORKERS: '3', DATABASE_URL },
      says: /^writ: the database cannot be reached: .*\nwrit: the first worker could not start$/m,
      lines: 2,
    },
    { name: 'a port out of range', settings: { WRIT_PORT: '65536' }, says: 'port (WRIT_PORT)' },
    { name: 'a negative port', settings: { WRIT_PORT: '-1' }, says: 'port (WRIT_PORT)' },
    {
      name: 'an issuer with a path',
      settings: { WRIT_ISSUER: 'https://as.example/writ' },
      says: 'issuer (WRIT_ISSUER)',
    },
    {
      name: 'an issuer with a trailing slash',
      settings: { WRIT_ISSUER: 'https://as.example/' },
      says: 'issuer (WRIT_ISSUER)',
    },
    { name: 'an issuer that is no URL', settings: { WRIT_ISSUER: 'as.example' }, says: 'issuer (WRIT_ISSUER)' },
    {
      name: 'http on a public host',
      settings: { WRIT_ISSUER: 'http://as.example' },
      says: 'must be https, or http on a loopback host',
    },
    {
      name: 'a token life of an hour',
      settings: { WRIT_ACTION_TOKEN_SECONDS: '3600' },
      says: 'WRIT_ACTION_TOKEN_SECONDS',
    },
    {
      name: 'a token life of nothing',
      settings: { WRIT_ACTION_TOKEN_SECONDS: '0' },
      says: 'WRIT_ACTION_TOKEN_SECONDS',
    },
    { name: 'a boolean that is none', settings: { WRIT_REQUIRE_DPOP_NONCE: 'yes' }, says: 'WRIT_REQUIRE_DPOP_NONCE' },
    { name: 'a log level that is none', settings: { WRIT_LOG_LEVEL: 'loud' }, says: 'WRIT_LOG_LEVEL' },
    {
      name: 'a key-encryption key of 31 bytes',
      settings: { WRIT_KEY_ENCRYPTION_KEY: 'A'.repeat(42) },
      says: 'WRIT_KEY_ENCRYPTION_KEY',
    },
    {
      name: 'a database of another kind',
      settings: { DATABASE_URL: 'mysql://root@127.0.0.1/writ' },
      says: 'DATABASE_URL',
    },
    {
      name: 'a database that is not there',
      settings: { DATABASE_URL },
      says: /the database cannot be reached: .*127\.0\.0\.1:1; check DATABASE_URL/,
    },
    {
      name: 'a secret in a file and in the environment',
      settings: { DATABASE_URL, DATABASE_URL_FILE: '/nowhere/url' },
      says: 'DATABASE_URL and DATABASE_URL_FILE are both set',
    },
    {
      name: 'a secret in a file that is not there',
      settings: { WRIT_KEY_ENCRYPTION_KEY_FILE: '/nowhere/kek' },
      says: /WRIT_KEY_ENCRYPTION_KEY_FILE: \/nowhere\/kek cannot be read: ENOENT/,
    },
    {
      name: 'a secret in a file that is a folder',
      settings: { DATABASE_URL_FILE: '/tmp' },
      says: /DATABASE_URL_FILE: \/tmp cannot be read: EISDIR/,
    },
    {
      name: 'a secret in a file that is empty',
      settings: { DATABASE_URL_FILE: '/dev/null' },
      says: 'DATABASE_URL_FILE: /dev/null is empty',
    },
    {
      name: 'a file for what is no secret',
      settings: { WRIT_PORT_FILE: '/dev/null' },
      says: 'unknown environment variable WRIT_PORT_FILE',
    },
    { name: 'another schema', settings: { DATABASE_URL: `${DATABASE_URL}?schema=other` }, says: 'the schema "other"' },
    {
      name: 'a config file that is not there',
      settings: { WRIT_CONFIG: '/nowhere/writ.json' },
      says: 'WRIT_CONFIG: /nowhere/writ.json',
    },
    { name: 'a config file that holds a list', file: [], says: 'must hold one JSON object' },
    { name: 'production without an issuer', settings: { NODE_ENV: 'production', DATABASE_URL }, says: 'WRIT_ISSUER' },
    {
      name: 'production over http',
      settings: { NODE_ENV: 'production', DATABASE_URL, WRIT_ISSUER: 'http://localhost:3000' },
      says: 'must be https in production',
    },
    {
      name: 'production on the embedded database by accident',
      settings: { NODE_ENV: 'production', WRIT_ISSUER: 'https://as.example' },
      says: 'DATABASE_URL',
    },
  ])('$name', async ({ settings = {}, file, says, lines = 1 }) => {
    const folder = newFolder(settings)
    const path = join(folder.dataDirectory, '..', 'own.json')
    if (file !== undefined) writeFileSync(path, JSON.stringify(file))
    const { code, stdout, stderr } = await launch({
      ...folder.settings,
      ...(file !== undefined && { WRIT_CONFIG: path }),
    }).ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(complaints(stderr)).toEqual(Array.from({ length: lines }, () => expect.stringMatching(/^writ: /)))
    expect(stderr).toMatch(says)
  })

  test('a database that accepts and never answers, in a few seconds', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    const { code, stderr } = await launch(newFolder({ DATABASE_URL: `postgresql://a@127.0.0.1:${port}/b` }).settings)
      .ended
    silent.close()
    expect(code).toBe(1)
    expect(complaints(stderr)).toEqual([expect.stringContaining('the database cannot be reached')])
  })
})
