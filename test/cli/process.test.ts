import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'
import { at } from './terminal.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAM = join(ROOT, 'dist/cli/main.js')

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

const environment = (more: Readonly<Record<string, string>> = {}) => ({
  PATH: process.env.PATH,
  ...at(server),
  ...more,
})

/** The program as a process of its own, without a terminal. */
async function program(args: readonly string[], input = '', env: NodeJS.ProcessEnv = environment()) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, cwd: folder })
  let out = ''
  let err = ''
  child.stdout.on('data', (text) => {
    out += text
  })
  child.stderr.on('data', (text) => {
    err += text
  })
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code, out, err }
}

describe('the program', () => {
  test('does, refuses, is used wrongly and cannot reach, each with its status', async () => {
    expect(await program(['admin', 'whoami'])).toMatchObject({ code: 0, err: '' })
    expect(await program(['agents', 'show', 'nobody'])).toMatchObject({ code: 1, out: '' })
    expect(await program(['agents', 'shwo'])).toMatchObject({ code: 2, out: '' })
    const nobody = environment({ WRIT_ISSUER: 'http://127.0.0.1:1' })
    expect(await program(['agents', 'list'], '', nobody)).toMatchObject({ code: 3, out: '' })
  })

  test('reads standard input', async () => {
    const body = '{"id":"from-stdin"}'
    expect(JSON.parse((await program(['api', 'POST', '/admin/principals', '-d', '-'], body)).out)).toMatchObject({
      id: 'from-stdin',
    })
  })

  test('asks nobody where nobody is: without --yes nothing is done', async () => {
    const { code, err } = await program(['keys', 'rotate', '--compromised'])
    expect(code).toBe(2)
    expect(err).toContain('say --yes')
  })

  test('follows until it is interrupted, and that is no failure', async () => {
    const args = [PROGRAM, 'records', 'tail', '--every', '1']
    const child = spawn(process.execPath, args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    expect(await once(child, 'close')).toEqual([0, null])
  })

  test('ends in peace when its reader has seen enough', async () => {
    const line = `"${process.execPath}" "${PROGRAM}" completion zsh | head -n 1; echo "$\{PIPESTATUS[0]}"`
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', line], { env: environment(), encoding: 'utf8' })
    expect({ stdout, stderr }).toEqual({ stdout: '#compdef writ\n0\n', stderr: '' })
  })

  test.runIf(process.platform === 'linux')('holds no secret in what others see of its process', async () => {
    const args = ['agents', 'create', 'seen', '--enrol', '--code-file', join(folder, 'seen.code')]
    const child = spawn(process.execPath, [PROGRAM, ...args], { env: environment(), stdio: 'ignore' })
    const seen = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')
    await once(child, 'close')
    const { jwk } = JSON.parse(readFileSync(join(server.dataDirectory, 'admin-credential.json'), 'utf8'))
    expect(seen).not.toContain(jwk.d)
    expect(seen).not.toContain(readFileSync(join(folder, 'seen.code'), 'utf8').trim())
  })

  test('leaves no file that others may read', () => {
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077, name).toBe(0)
  })

  test('refuses a credential that others may read', async () => {
    const path = join(folder, 'wide.json')
    writeFileSync(path, '{}')
    chmodSync(path, 0o644)
    expect((await program(['admin', 'whoami'], '', environment({ WRIT_CREDENTIAL: path }))).code).toBe(3)
  })
})

describe('on the machine of the server', () => {
  test('saves, puts back and makes a new credential, past the API', async () => {
    const home = await mkdtemp(join(tmpdir(), 'writ-cli-home-'))
    // A variable of ours must not stop a program that reads the server's configuration.
    const env = { PATH: process.env.PATH, WRIT_DATA_DIR: join(home, 'data'), WRIT_CREDENTIAL: '/none' }
    const run = (args: readonly string[]) => program(args, '', env)
    try {
      expect(await run(['admin', 'reset-credential', '--yes'])).toMatchObject({ code: 0 })
      expect(statSync(join(home, 'data/admin-credential.json')).mode & 0o777).toBe(0o600)
      const file = join(home, 'writ.backup')
      const saved = await run(['backup', file])
      expect(saved, saved.err).toMatchObject({ code: 0 })
      expect(saved.out).toContain('backed up')
      expect(statSync(file).mode & 0o077).toBe(0)
      expect(await run(['restore', file])).toMatchObject({ code: 2 })
      const onto = await run(['restore', file, '--yes'])
      expect(onto.code).toBe(1)
      expect(onto.err).toMatch(/^writ: the database is not empty; .*\n$/)
      const fresh = { ...env, WRIT_DATA_DIR: join(home, 'new') }
      const restored = await program(['restore', file, '--yes'], '', fresh)
      expect(restored, restored.err).toMatchObject({ code: 0 })
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  }, 60_000)
})
