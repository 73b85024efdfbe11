import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'
import { at, writ } from './terminal.ts'

/** What docs/cli.md shows: each command, in order, and what it prints. */
const SHOWN = [...readFileSync('docs/cli.md', 'utf8').matchAll(/```console\n([\s\S]*?)```/g)].flatMap(
  ([, block = '']) =>
    block
      .split(/^\$ /m)
      .slice(1)
      .map((text) => {
        const [, command = '', printed = ''] = /^((?:.*\\\n)*.*)\n([\s\S]*)$/.exec(text) ?? []
        return { command, printed }
      }),
)

/** The words of a command line, as a shell makes them. */
function wordsOf(command: string): string[] {
  const program = `writ() { printf '%s\\0' "$@"; }\n${command}`
  return spawnSync('bash', ['--norc', '-c', program], { encoding: 'utf8' }).stdout.split('\0').slice(0, -1)
}

/** What differs from run to run. */
const steady = (text: string, server: TestServer) =>
  text
    .replaceAll(server.issuer, 'http://localhost:3000')
    .replaceAll(join(server.dataDirectory, 'admin-credential.json'), '.writ/admin-credential.json')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, '<time>')
    .replace(/(dlg|enr)_[0-9a-f-]{36}/g, '$1_<id>')
    .replace(/--cursor \S+/g, '--cursor <cursor>')
    .replace(/(code +|key +)[A-Za-z0-9_-]{22,43}/g, '$1<text>')

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
})
afterAll(async () => {
  await server?.close()
})

test('there is something shown', () => {
  expect(SHOWN.length).toBeGreaterThan(10)
})

test.each(SHOWN)('$command prints what docs/cli.md shows', async ({ command, printed }) => {
  const { out, err } = await writ(wordsOf(command), { env: at(server) })
  expect(steady(out + err, server)).toBe(steady(printed, server))
})
