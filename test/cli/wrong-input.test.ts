import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestServer, type TestServer } from '../support/server.ts'
import { at, writ } from './terminal.ts'

let server: TestServer
let folder: string
beforeAll(async () => {
  server = await startTestServer()
  folder = await mkdtemp(join(tmpdir(), 'writ-cli-'))
  await writeFile(join(folder, 'list.json'), '[1]')
  await writeFile(join(folder, 'broken.json'), '{"a":1,"a":2}')
  await writeFile(join(folder, 'rsa.jwk'), '{"kty":"RSA","n":"AQAB","e":"AQAB"}')
})
afterAll(async () => {
  await server?.close()
  await rm(folder, { recursive: true, force: true })
})

const run = (args: readonly string[], stdin = '') =>
  writ(
    args.map((arg) => arg.replace('FOLDER', folder)),
    { env: at(server), stdin },
  )

const GRANT = ['delegations', 'create', '--for', 'alice', '--agent', 'planner']

/** Arguments, and what is said of them. */
test.each<[readonly string[], string]>([
  [['agent', 'list'], "unknown command 'agent'"],
  [['agents', 'lst'], "unknown command 'lst'"],
  [['agents', 'list', '--colour'], "unknown option '--colour'"],
  [['agents', 'list', 'extra'], 'too many arguments'],
  [['agents', 'show'], "missing required argument 'id'"],
  [['agents', 'list', '--limit', '0'], 'Expected a whole number from 1 to 100000.'],
  [['agents', 'list', '--limit', 'ten'], 'Expected a whole number'],
  [['agents', 'update', 'x'], 'nothing to change'],
  [['agents', 'update', 'x', '--unset', 'id'], '--unset cannot remove "id"'],
  [['agents', 'update', 'x', '--unset', 'owner', '--owner', 'a'], '"owner" is to be set and removed at once'],
  [['agents', 'create', 'x', '--key', 'FOLDER/none'], 'cannot be read (ENOENT)'],
  [['agents', 'create', 'x', '--key', 'FOLDER/list.json'], 'holds no key'],
  [['agents', 'create', 'x', '--key', '-'], 'standard input holds no key'],
  [['agents', 'enrol', 'x', '--expires-in', '-1'], 'Expected a whole number'],
  [['agents', 'keys', 'add', 'x'], "required option '--key <file>' not specified"],
  [['agents', 'keys', 'add', 'x', '--key', '-', '--expires', 'soon'], 'Expected a day such as 2027-01-31'],
  [['agents', 'keys', 'add', 'x', '--key', '-', '--expires', '2027-02-30'], 'Expected a day'],
  [['agents', 'keys', 'add', 'x', '--key', '-', '--expires', '2027-01-31T10:00'], 'with its offset'],
  [['principals', 'create', 'x', '--kind', 'robot'], 'Allowed choices are person, organization, service'],
  [['resources', 'create', 'x'], "required option '--identifier <url>' not specified"],
  [['resources', 'create', 'x', '--identifier', 'https://x.example', '--lifetime', '301'], 'from 1 to 300'],
  [['action-types', 'create', '--file', 'FOLDER/list.json'], 'must hold a JSON object'],
  [['action-types', 'create', '--file', 'FOLDER/broken.json'], 'is not valid JSON'],
  [['clients', 'create', 'x'], "required option '--scope <scopes...>' not specified"],
  [GRANT, 'nothing is allowed yet'],
  [[...GRANT, '--allow', 'email_send to=*', '--until', '2099-01-01', '--for-days', '1'], 'are both an end'],
  [[...GRANT, '--bounds', 'FOLDER/list.json'], 'must hold a bound, or an array of bounds'],
  [[...GRANT, '--bounds', 'FOLDER/broken.json'], 'is not valid JSON'],
  [[...GRANT, '--allow', 'email_send to="'], 'the quotation mark is not closed'],
  [['records', 'list', '--decision', 'maybe'], 'Allowed choices are issued, pending, refused, done'],
  [['records', 'list', '--after', 'yesterday'], 'Expected a day'],
  [['records', 'tail', '--lines', '1000'], 'from 0 to 200'],
  [['try', '{"type":"email_send"}'], "required option '--agent <id>' not specified"],
  [['try', '--agent', 'x', '{'], 'the action is not valid JSON'],
  [['try', '--agent', 'x', '[]'], 'the action must be a JSON object'],
  [['try', '--agent', 'x', '@FOLDER/none'], 'cannot be read (ENOENT)'],
  [['api', 'PUT', '/admin/agents'], 'one of GET, POST, PATCH, DELETE'],
  [['api', 'GET', '/token'], 'the path must begin with /admin/'],
  [['api', 'GET', 'https://evil.example/admin/'], 'the path must begin with /admin/'],
  [['api', 'GET', '/admin/agents', '-d', '{}'], 'GET has no body'],
  [['completion', 'tcsh'], 'Allowed choices are bash, zsh, fish'],
  [['--issuer', 'nowhere', 'agents', 'list'], 'is not a URL'],
  [['--issuer', 'https://as.example/path', 'agents', 'list'], 'must be an origin'],
  [['--issuer', 'http://as.example', 'agents', 'list'], 'must be https'],
  [['--issuer', 'https://me:pw@as.example', 'agents', 'list'], 'must not hold a user name or password'],
  [['--issuer', 'ftp://localhost', 'agents', 'list'], 'is not a URL|must be'],
])('%j is wrong usage, and it says what was expected', async (args, expected) => {
  const { code, out, err } = await run(args)
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toMatch(/^writ: /)
  expect(err).toMatch(/mend: /)
  if (expected.includes('|')) expect(err).toMatch(new RegExp(expected))
  else expect(err).toContain(expected)
})

describe('what the server refuses', () => {
  test.each<[readonly string[], string]>([
    [['agents', 'create', 'Not An Id'], 'id: must be 1 to 255 of a-z 0-9 - _ . (422)'],
    [['agents', 'create', 'x', '--key', 'FOLDER/rsa.jwk'], 'keys[0].jwk'],
    [['agents', 'show', 'nobody'], 'there is none of this id (404)'],
    [['agents', 'show', '../principals'], '404'],
    [['agents', 'update', 'nobody', '--name', 'x'], 'there is none of this id (404)'],
    [['resources', 'create', 'x', '--identifier', 'relative'], 'identifier: '],
    [['principals', 'create', 'x', '--email', 'nowhere'], 'email: must be an address (422)'],
    [['clients', 'create', 'x', '--scope', 'root'], 'scope'],
    [['delegations', 'show', 'none'], 'there is no such delegation (404)'],
    [[...GRANT, '--allow', 'email_send to=*', '--resource', 'https://none.example'], 'names no active principal (422)'],
    [['tokens', 'revoke', 'none'], '404'],
    [['principals', 'list', '--cursor', 'bogus'], '"cursor" is not one of this list'],
    [['api', 'GET', '/admin/none'], '404'],
  ])('%j is told with status 1', async (args, expected) => {
    const { code, err } = await run(args)
    expect(code, err).toBe(1)
    expect(err).toContain(expected)
  })

  test('with several members wrong, names each', async () => {
    const { err } = await run(['api', 'POST', '/admin/principals', '-d', '{"id":"X","kind":"y","z":1}'])
    for (const member of ['id: ', 'kind: ', 'z: ']) expect(err).toContain(`         ${member}`)
  })
})
