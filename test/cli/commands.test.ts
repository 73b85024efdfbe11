import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attested } from '../support/attestation.ts'
import { adminApi, newClient, send } from '../support/clients.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { createWorld } from '../support/world.ts'
import { proof } from '../wire/signing.ts'
import { at, type Outcome, type Surroundings, writ } from './terminal.ts'

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

const run = (args: readonly string[], surroundings: Surroundings = {}) =>
  writ(args, { ...surroundings, env: { ...at(server), ...surroundings.env } })

/** What a command prints that did what it was asked. */
async function done(args: readonly string[], surroundings?: Surroundings): Promise<string> {
  const { code, out, err } = await run(args, surroundings)
  expect({ code, err }, args.join(' ')).toEqual({ code: 0, err: '' })
  return out
}
const json = async (args: readonly string[], surroundings?: Surroundings) =>
  JSON.parse(await done([...args, '--json'], surroundings))

const publicKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey
const keyFile = async (name: string, content = JSON.stringify(publicKey().export({ format: 'jwk' }))) => {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

describe('agents', () => {
  test('are created, listed, shown, changed, stopped and retired, and each command says what to do next', async () => {
    const created = await done([
      'agents',
      'create',
      'a1',
      '--name',
      'First',
      '--owner',
      'ann',
      '--key',
      await keyFile('a1'),
    ])
    expect(created).toContain('Registered agent a1 with 1 key.')
    expect(created).toContain('writ delegations create --agent a1')
    expect(await done(['agents', 'list'])).toMatch(/ID +NAME +STATUS +KEYS +OWNER\na1 +First +active +1 +ann/)
    const shown = await done(['agents', 'show', 'a1'])
    expect(shown).toMatch(/^id +a1$/m)
    expect(shown).toMatch(/^created_at +20.*Z \(.* ago\)$|Z \(now\)$/m)
    expect(await done(['agents', 'update', 'a1', '--description', 'Plans', '--unset', 'owner'])).toContain(
      'Changed description, owner of agent a1.',
    )
    const { owner, description } = await json(['agents', 'show', 'a1'])
    expect({ owner, description }).toEqual({ owner: undefined, description: 'Plans' })
    expect(await done(['agents', 'suspend', 'a1', '--reason', 'odd'])).toContain('writ agents resume a1')
    expect(await json(['agents', 'show', 'a1'])).toMatchObject({ status: 'suspended', reason: 'odd' })
    expect(await done(['agents', 'resume', 'a1'])).toContain('Agent a1 is active again.')
    expect(await done(['agents', 'retire', 'a1', '--yes'])).toContain('retired, for ever')
    expect((await run(['agents', 'resume', 'a1'])).code).toBe(1)
  })

  test('have keys: added from a file, from standard input, as PEM, and retired', async () => {
    await done(['agents', 'create', 'a2'])
    const label = ['--label', 'laptop', '--expires', '2099-12-31']
    const added = await json(['agents', 'keys', 'add', 'a2', '--key', await keyFile('a2'), ...label])
    expect(added).toMatchObject({
      label: 'laptop',
      status: 'active',
      expires_at: Date.UTC(2099, 11, 31, 23, 59, 59) / 1_000,
    })
    const stdin = publicKey().export({ format: 'pem', type: 'spki' }).toString()
    expect(await done(['agents', 'keys', 'add', 'a2', '--key', '-'], { stdin })).toContain('Registered key')
    expect(await done(['agents', 'keys', 'list', 'a2'])).toContain('laptop')
    expect(await done(['agents', 'keys', 'retire', 'a2', added.kid, '-y'])).toContain('Retired key')
    const { items } = await json(['agents', 'keys', 'list', 'a2'])
    expect(items.map(({ status }: { status: string }) => status).sort()).toEqual(['active', 'retired'])
  })

  test('may be let ask principals, each by the flows that are named', async () => {
    await done(['agents', 'create', 'a-asking', '--redirect-uri', 'https://client.example/cb'])
    expect(await json(['agents', 'show', 'a-asking'])).toMatchObject({
      ...{ redirect_uris: ['https://client.example/cb'], grant_types: ['authorization_code'] },
    })
    const more = ['--grant', 'authorization_code', '--grant', 'ciba', '--notify', 'https://client.example/ping']
    expect(await done(['agents', 'update', 'a-asking', ...more])).toContain('Changed grant_types')
    expect(await json(['agents', 'show', 'a-asking'])).toMatchObject({
      ...{ grant_types: ['authorization_code', 'ciba'], backchannel_token_delivery_mode: 'ping' },
    })
    const flows = ['redirect_uris', 'grant_types', 'backchannel_token_delivery_mode']
    const none = ['--unset', ...flows, 'backchannel_client_notification_endpoint']
    await done(['agents', 'update', 'a-asking', ...none])
    expect(await json(['agents', 'show', 'a-asking'])).not.toHaveProperty('grant_types')
    expect((await run(['agents', 'update', 'a-asking', '--grant', 'implicit'])).code).not.toBe(0)
  })

  test('have instances, which are listed and stopped', async () => {
    const world = await createWorld(server)
    const { id } = world.agent
    expect(await done(['agents', 'instances', 'list', id])).toContain('It has no instance')
    const { key } = await attested(server.issuer, world.agent, newClient(id).key)
    expect(await done(['agents', 'instances', 'ls', id])).toMatch(new RegExp(`${key.jkt} +active`))
    const stop = ['agents', 'instances', 'stop', id, key.jkt]
    expect((await run([...stop, '--reason', 'odd'], { stdin: '' })).code).not.toBe(0)
    expect(await done([...stop, '--yes', '--reason', 'odd'])).toContain(`Stopped instance ${key.jkt} of agent ${id}.`)
    expect((await json(['agents', 'instances', 'list', id])).items).toMatchObject([
      { kid: key.jkt, status: 'stopped', vouched_by: world.agent.key.jkt },
    ])
    expect((await json(['agents', 'instances', 'list', id, '--active'])).items).toEqual([])
    expect((await run(['agents', 'instances', 'list', 'nobody'])).code).toBe(1)
  })

  test('never have their private key sent', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = await keyFile('private.jwk', JSON.stringify(privateKey.export({ format: 'jwk' })))
    const pem = await keyFile('private.pem', privateKey.export({ format: 'pem', type: 'pkcs8' }).toString())
    for (const file of [jwk, pem]) {
      const { code, err } = await run(['agents', 'create', 'never', '--key', file])
      expect(code).toBe(2)
      expect(err).toContain('holds a private key')
    }
    expect((await run(['agents', 'show', 'never'])).code).toBe(1)
  })
})

describe('enrolments', () => {
  const enrol = (code: string, name: string) => {
    const client = newClient(name)
    const url = `${server.issuer}/enrol`
    const headers = [
      ['DPoP', proof(client.key, { method: 'POST', htu: url, now: new Date() })],
      ['Content-Type', 'application/json'],
    ] as const
    return send(url, { headers, body: JSON.stringify({ code }) })
  }

  test('a new agent gets a code that its developer can use, shown once, with a program that asks for it', async () => {
    const out = await done(['agents', 'create', 'e1', '--enrol', '--expires-in', '600'])
    const code = /^ {2}code +(\S+) {2}\(shown this once\)$/m.exec(out)?.[1] ?? ''
    expect(out.split(code)).toHaveLength(2)
    expect(out).toContain(`  issuer   ${server.issuer}\n`)
    expect(out).toContain('(in 10 minutes)')
    expect(out).toContain(`enrol({ issuer: '${server.issuer}', code, key })`)
    expect(await done(['agents', 'enrolments', 'e1'])).toMatch(/open/)
    expect((await enrol(code, 'e1')).status).toBe(201)
    expect(await done(['agents', 'enrolments', 'e1'])).toMatch(/used/)
    expect(await done(['agents', 'list'])).toMatch(/e1 +e1 +active +1/)
    for (const args of [
      ['records', 'list', '--all', '--json'],
      ['agents', 'enrolments', 'e1', '--json'],
    ]) {
      expect(await done(args)).not.toContain(code)
    }
  })

  test('the code goes into a file of its own, where one is named', async () => {
    const file = join(folder, 'e2.code')
    await done(['agents', 'create', 'e2'])
    const out = await done(['agents', 'enrol', 'e2', '--code-file', file])
    const code = (await readFile(file, 'utf8')).trim()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(code.length).toBeGreaterThanOrEqual(22)
    expect(out).not.toContain(code)
    expect(out).toContain(`in ${file}`)
    const again = await run(['agents', 'enrol', 'e2', '--code-file', file])
    expect(again.code).toBe(2)
    expect(again.err).toContain('is there already')
    expect((await json(['agents', 'enrolments', 'e2'])).items).toHaveLength(1)
    const other = join(folder, 'e2-other.code')
    const answer = JSON.stringify(await json(['agents', 'enrol', 'e2', '--code-file', other]))
    expect(answer).not.toContain((await readFile(other, 'utf8')).trim())
  })

  test('a code that could not be made leaves no file', async () => {
    const file = join(folder, 'none.code')
    expect((await run(['agents', 'enrol', 'nobody', '--code-file', file])).code).toBe(1)
    await expect(stat(file)).rejects.toThrow('ENOENT')
  })

  test('one, or all that are open, can be withdrawn', async () => {
    await done(['agents', 'create', 'e3'])
    const first = await json(['agents', 'enrol', 'e3'])
    const second = await json(['agents', 'enrol', 'e3', '--expires-in', '60'])
    expect(await done(['agents', 'unenrol', 'e3', first.id])).toContain('Withdrew 1 enrolment of agent e3.')
    expect((await enrol(first.code, 'e3')).status).toBe(400)
    await done(['agents', 'enrol', 'e3'])
    expect(await done(['agents', 'unenrol', 'e3'])).toContain('Withdrew 2 enrolments of agent e3.')
    expect((await enrol(second.code, 'e3')).status).toBe(400)
  })
})

describe('try', () => {
  test('says what would be decided and why, and its status says so too', async () => {
    const world = await createWorld(server)
    const before = (await json(['records', 'list', '--all', '--type', 'email_send'])).items.length
    const tried = (action: object, ...more: string[]) =>
      run(['try', '--agent', world.agent.id, '--resource', world.identifier, ...more, JSON.stringify(action)])
    const permitted = await tried(world.action)
    expect(permitted).toMatchObject({ code: 0, err: '' })
    expect(permitted.out).toMatch(/^permit\n/)
    expect(permitted.out).toContain('Send an email to bob@example.com')
    expect(permitted.out).toContain(world.delegation.id)
    const forbidden = await tried({ ...world.action, to: ['eve@evil.example'] })
    expect(forbidden).toMatchObject({ code: 1, err: '' })
    expect(forbidden.out).toMatch(/^forbid: /)
    expect(forbidden.out).toMatch(/^ {2}member: +to/m)
    expect(forbidden.out).toContain(`writ delegations explain ${world.delegation.id}`)
    const named = await tried(world.action, '--delegation', world.delegation.id, '--json')
    expect(JSON.parse(named.out)).toMatchObject({ decision: 'permit', delegation: world.delegation.id })
    expect((await json(['records', 'list', '--all', '--type', 'email_send'])).items).toHaveLength(before)
  })

  test('where: from the action, or asked for', async () => {
    const world = await createWorld(server)
    const action = JSON.stringify({ ...world.action, locations: [world.identifier] })
    expect((await run(['try', '--agent', world.agent.id, '-'], { stdin: action })).code).toBe(0)
    const nowhere = await run(['try', '--agent', world.agent.id, JSON.stringify(world.action)])
    expect(nowhere.code).toBe(2)
    expect(nowhere.err).toContain('name a resource with --resource')
    expect((await run(['try', '--agent', 'nobody', action])).err).toContain('agent: names no agent (422)')
  })
})

describe('sign-in links', () => {
  test('are made, shown once, listed and withdrawn', async () => {
    await done(['principals', 'create', 's1'])
    const out = await done(['principals', 'sign-in-link', 's1', '--expires-in', '600'])
    const url = /^ {2}(\S+) {2}\(shown this once\)$/m.exec(out)?.[1] ?? ''
    expect(url.startsWith(`${server.issuer}/sign-in/link/`)).toBe(true)
    expect(out).toContain('(in 10 minutes)')
    expect((await send(url)).text).toContain('Sign in as s1')
    expect(await done(['principals', 'sign-in-links', 's1'])).toMatch(/open/)
    expect(await done(['principals', 'sign-in-links', 's1', '--json'])).not.toContain(url.split('/').at(-1))
    const second = await json(['principals', 'sign-in-link', 's1'])
    expect(await done(['principals', 'withdraw-sign-in-links', 's1', second.id])).toContain(
      'Withdrew 1 sign-in link of s1.',
    )
    expect(await done(['principals', 'withdraw-sign-in-links', 's1'])).toContain('Withdrew 1 sign-in link of s1.')
    expect((await send(url)).status).toBe(403)
  })

  test('are for whoever signs in', async () => {
    await done(['principals', 'create', 's2', '--kind', 'service'])
    const { code, err } = await run(['principals', 'sign-in-link', 's2'])
    expect([code, err.includes('a service does not sign in')]).toEqual([1, true])
  })
})

test('principals are created, listed, shown, changed, stopped', async () => {
  expect(await done(['principals', 'create', 'p1', '--kind', 'organization', '--email', 'p@example.com'])).toContain(
    'Registered organization p1.',
  )
  expect(await done(['principals', 'list'])).toMatch(/p1 +organization +p1 +active +p@example.com/)
  await done(['principals', 'update', 'p1', '--name', 'Acme', '--unset', 'email'])
  expect(await json(['principals', 'show', 'p1'])).toMatchObject({ name: 'Acme', kind: 'organization' })
  await done(['principals', 'suspend', 'p1'])
  expect(await json(['principals', 'show', 'p1'])).toMatchObject({ status: 'suspended' })
  await done(['principals', 'resume', 'p1'])
})

test('resources are created, listed, shown, changed, stopped and retired', async () => {
  const options = ['--action-types', 'email_send,http_request', '--lifetime', '30', '--key', await keyFile('r1')]
  const created = await done(['resources', 'create', 'r1', '--identifier', 'https://r1.example', ...options])
  expect(created).toContain('Registered resource r1 (https://r1.example).')
  expect(await json(['resources', 'show', 'r1'])).toMatchObject({
    action_types: ['email_send', 'http_request'],
    token_lifetime_seconds: 30,
  })
  expect(await done(['resources', 'list'])).toContain('email_send, http_request')
  await done([
    'resources',
    'update',
    'r1',
    '--content',
    'digest',
    '--enforcement',
    'consume',
    '--unset',
    'action_types',
    'token_lifetime_seconds',
  ])
  const shown = await json(['resources', 'show', 'r1'])
  expect(shown).toMatchObject({ token_content: 'digest', enforcement: 'consume' })
  expect(shown).not.toHaveProperty('action_types')
  expect(await done(['resources', 'keys', 'list', 'r1'])).toContain('active')
  await done(['resources', 'suspend', 'r1'])
  await done(['resources', 'resume', 'r1'])
  await done(['resources', 'retire', 'r1', '--yes', '--reason', 'gone'])
  expect(await json(['resources', 'show', 'r1'])).toMatchObject({ status: 'retired', reason: 'gone' })
})

test('action types are created, listed, shown, changed, stopped', async () => {
  const schema = { type: 'object', properties: { room: { type: 'string', maxLength: 99 } }, required: ['room'] }
  const definition = { type: 'booking', title: 'Booking', schema: { ...schema, additionalProperties: false } }
  const file = await keyFile('booking.json', JSON.stringify({ ...definition, template: 'Book {room}', risk: 'write' }))
  expect(await done(['action-types', 'create', '--file', file])).toContain('Defined action type booking.')
  expect(await done(['action-types', 'list'])).toMatch(/booking +Booking +write +yes +active +1/)
  await done(['action-types', 'update', 'booking', '--file', '-'], { stdin: '{"title":"Room"}' })
  expect(await json(['action-types', 'show', 'booking'])).toMatchObject({ title: 'Room', version: 2 })
  await done(['action-types', 'suspend', 'booking'])
  await done(['action-types', 'resume', 'booking'])
})

test('clients are created with a key and a scope, and sign in with their own credential file', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const file = await keyFile('auditor.pub', JSON.stringify(publicKey.export({ format: 'jwk' })))
  await done(['clients', 'create', 'auditor', '--scope', 'admin:read', '--name', 'Auditor', '--key', file])
  expect(await done(['clients', 'list'])).toMatch(/auditor +Auditor +admin:read +active +1/)
  const credential = join(folder, 'auditor.json')
  await writeFile(credential, JSON.stringify({ client_id: 'auditor', jwk: privateKey.export({ format: 'jwk' }) }), {
    mode: 0o600,
  })
  const env = { WRIT_CREDENTIAL: credential }
  expect(await json(['admin', 'whoami'], { env })).toMatchObject({ client_id: 'auditor', scope: 'admin:read' })
  const { code, err } = await run(['principals', 'create', 'p9'], { env })
  expect(code).toBe(1)
  expect(err).toContain('POST /admin/principals')
  await done(['clients', 'update', 'auditor', '--scope', 'admin:read', 'admin:approve'])
  expect(await json(['clients', 'show', 'auditor'])).toMatchObject({ scope: 'admin:read admin:approve' })
  const [key] = (await json(['clients', 'keys', 'list', 'auditor'])).items
  await done(['clients', 'keys', 'retire', 'auditor', key.kid, '--yes'])
  expect((await run(['admin', 'whoami'], { env })).code).toBe(3)
})

const dayFromNow = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)

describe('delegations', () => {
  const create = (...more: string[]) => ['delegations', 'create', '--for', 'alice', '--agent', 'planner', ...more]
  const MAIL = ['--resource', 'https://mail.example']
  beforeAll(async () => {
    await done(['principals', 'create', 'alice'])
    await done(['agents', 'create', 'planner'])
    await done(['resources', 'create', 'mail', '--identifier', 'https://mail.example'])
  })

  test('are granted in the short notation, explained, listed, and revoked', async () => {
    const allow = ['--allow', 'email_send to=*@company.com max-items=2', '--for-days', '30', '--purpose', 'minutes']
    const created = await done(create(...MAIL, ...allow))
    expect(created).toContain('planner may act for alice at https://mail.example, until ')
    expect(created).toContain('(in 30 days)')
    expect(created).toContain('at most 2 items, each an address at company.com')
    expect(created).toContain('cc       must be absent')
    expect(created).toContain('Note: email_send: subject, body may be anything')
    const [{ id }] = (await json(['delegations', 'list', '--agent', 'planner'])).items
    expect(created).toContain(id)
    expect(await done(['delegations', 'list', '--for', 'alice'])).toContain('email_send')
    const shown = await json(['delegations', 'show', id])
    expect(shown.authorization_details).toEqual([
      {
        type: 'email_send',
        to: { $each: { $email_domain: ['company.com'] }, $max_items: 2 },
        subject: { $any: true },
        body: { $any: true },
      },
    ])
    expect(shown.subject_token).toMatch(/^ey/)
    expect(await done(['delegations', 'show', id])).not.toContain(shown.subject_token)
    expect(await done(['delegations', 'explain', id])).toContain('copy to ⟨none⟩')
    expect((await json(['delegations', 'explain', id])).explanation).toContain('It may do this and nothing else:')
    expect(await done(['delegations', 'revoke', id, '--yes', '--reason', 'over'])).toContain(
      `Revoked delegation ${id}.`,
    )
    expect(await done(['delegations', 'explain', id])).toContain('It is revoked: over. Nothing is issued on it.')
  })

  test('are granted in JSON, from a file and from standard input, with what the notation says beside', async () => {
    const bound = { type: 'email_send', to: { $any: true }, subject: 'Hi', body: { $any: true } }
    const file = await keyFile('bounds.json', JSON.stringify([bound]))
    const both = await json(
      create(...MAIL, '--bounds', file, '--allow', 'http_request method=GET url=url:https://mail.example/'),
    )
    expect(both.authorization_details.map(({ type }: { type: string }) => type)).toEqual(['http_request', 'email_send'])
    const located = JSON.stringify({ ...bound, locations: ['https://mail.example'] })
    const [from, until] = [dayFromNow(5), dayFromNow(20)]
    const later = await done(create('--bounds', '-', '--until', until, '--from', from), { stdin: located })
    expect(later).toContain(`, from ${from}T00:00:00Z (in `)
    expect(later).toContain(` until ${until}T23:59:59Z (in `)
    expect(later).toMatch(/has not begun[\s\S]*only at https:\/\/mail\.example/)
  })

  test('what the server refuses of a bound is named', async () => {
    const { code, err } = await run(create(...MAIL, '--bounds', '-'), { stdin: '{"type":"email_send","bcc":"x"}' })
    expect(code).toBe(1)
    expect(err).toContain('authorization_details[0].bcc: the type has no such member (422)')
  })

  test('what is wrong in the notation is pointed at', async () => {
    const { code, err } = await run(create(...MAIL, '--allow', 'email_send to=*company.com'))
    expect(code).toBe(2)
    expect(err).toBe(
      [
        'writ: --allow: a prefix or suffix bounds neither an address nor a URL: write *@company.com',
        '  at:    email_send to=*company.com',
        '                       ^',
        '  mend:  the notation: writ delegations create --help',
        '',
      ].join('\n'),
    )
    expect((await run(create(...MAIL, '--allow', 'email_sent to=*'))).err).toContain(
      'there is no action type "email_sent"',
    )
  })
})

describe('the account', () => {
  test('lists issuances, refusals and deeds, filtered', async () => {
    const world = await createWorld(server)
    const issued = await world.exchange()
    await world.exchange({}, { action: { ...world.action, to: ['eve@evil.example'] } })
    const agent = ['--agent', world.agent.id]
    expect(await done(['records', 'list', ...agent, '--decision', 'refused'])).toMatch(/refused +email_send .*\bto\b/)
    expect(await done(['records', 'list', ...agent, '--decision', 'done'])).toMatch(/agent.register agent-\S+ +admin/)
    const { items } = await json(['records', 'list', ...agent, '--type', 'email_send', '--decision', 'issued'])
    expect(items).toHaveLength(1)
    expect(await done(['tokens', 'revoke', items[0].jti, '--reason', 'test'])).toContain(
      `Withdrew token ${items[0].jti}.`,
    )
    expect(issued.status).toBe(200)
    expect(await json(['records', 'list', '--after', '2099-01-01', '--all'])).toEqual({ items: [] })
    expect(await done(['records', 'list', '--after', '2099-01-01'])).toBe('There are no such entries.\n')
  })

  test('everything is stopped, shown as stopped, and let go on', async () => {
    expect(await done(['stop', '--show'])).toContain('Nothing is stopped as a whole.')
    const asked = await run(['stop'])
    expect([asked.code, asked.err]).toEqual([2, expect.stringContaining('--yes')])
    const stopped = await done(['stop', '--yes', '--reason', 'odd calls'])
    expect(stopped).toMatch(/Everything is stopped since .*, by admin\./)
    expect(stopped).toContain('writ stop --undo')
    expect(await json(['stop', '--show'])).toMatchObject({ stopped: true, reason: 'odd calls' })
    expect(await done(['stop', '--undo'])).toContain('agents are served again')
    expect(await json(['stop', '--show'])).toEqual({ stopped: false })
  })

  test('what an agent wrote cannot move the cursor', async () => {
    const bounds = [{ type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } }]
    const world = await createWorld(server, { bounds })
    await world.exchange({}, { action: { ...world.action, body: 'a\u001b[2J\u202eb' } })
    for (const args of [[], ['--json']]) {
      const { out } = await run(['records', 'list', '--agent', world.agent.id, ...args])
      for (const character of ['\u001b', '\u202e']) expect(out).not.toContain(character)
    }
    const text = (await json(['records', 'list', '--agent', world.agent.id, '--decision', 'issued'])).items[0].action
      .body
    expect(text).toBe('a\u001b[2J\u202eb')
  })
})

describe('lists', () => {
  test('come in pages: as many as asked for, where they go on, and all', async () => {
    const api = await adminApi(server.issuer, server.admin)
    for (let n = 0; n < 8; n++) await api.call('POST', '/admin/principals', { id: `page-${n}` })
    const first = await json(['principals', 'list', '--limit', '3'])
    expect(first.items).toHaveLength(3)
    const next = await json(['principals', 'list', '--limit', '3', '--cursor', first.next_cursor])
    expect(next.items[0].id > first.items[2].id).toBe(true)
    const all = await json(['principals', 'list', '--all'])
    expect(all.items.length).toBeGreaterThanOrEqual(8)
    expect(all).not.toHaveProperty('next_cursor')
    expect(await done(['principals', 'list', '-n', '1'])).toContain('There are more: --all')
  })

  test('are cut to the terminal, and coloured there alone', async () => {
    const wide = await done(['records', 'list'], { isTerminal: true, columns: 80 })
    expect(wide).toContain('\u001b[')
    const rows = stripVTControlCharacters(wide)
      .split('\n')
      .filter((line) => !line.startsWith('There are more'))
    for (const line of rows) expect(line.length).toBeLessThanOrEqual(80)
    expect(await done(['records', 'list'], { isTerminal: true, env: { NO_COLOR: '1' } })).not.toContain('\u001b')
    expect(await done(['records', 'list'], { isTerminal: true, env: { TERM: 'dumb' } })).not.toContain('\u001b')
    expect(await done(['records', 'list'])).not.toContain('\u001b')
    expect(await done(['records', 'list', '--json'], { isTerminal: true })).not.toContain('\u001b')
  })
})

test('signing keys are listed and rotated, and the dangerous way asks first', async () => {
  expect(await done(['keys', 'list'])).toMatch(/KID +ALG +STATUS/)
  const rotated = await done(['keys', 'rotate'])
  expect(rotated).toMatch(/Made signing key \S+\./)
  expect(rotated).toContain('(in 10 minutes)')
  expect((await run(['keys', 'rotate'])).code).toBe(1)
  expect(await run(['keys', 'rotate', '--compromised'])).toMatchObject({ code: 2, out: '' })
  expect((await run(['keys', 'rotate', '--compromised'], { answer: 'no' })).code).toBe(2)
  expect(await done(['keys', 'rotate', '--compromised'], { answer: 'y' })).toContain('It signs from now on')
  const { items } = await json(['keys', 'list'])
  expect(items.filter(({ status }: { status: string }) => status === 'compromised')).toHaveLength(2)
})

test.each([
  ['agents', 'retire', 'x'],
  ['resources', 'retire', 'x'],
  ['agents', 'keys', 'retire', 'x', 'y'],
  ['agents', 'instances', 'stop', 'x', 'y'],
  ['delegations', 'revoke', 'x'],
  ['keys', 'rotate', '--compromised'],
  ['admin', 'reset-credential'],
  ['restore', 'file'],
])('%s %s asks first; without an answer, or with no, nothing is done', async (...args: string[]) => {
  const isRun = { value: false }
  const maintenance = async () => {
    isRun.value = true
    return 0
  }
  const silent = await run(args, { maintenance })
  expect(silent).toMatchObject({ code: 2, out: '' })
  expect(silent.err).toContain('say --yes if it is meant')
  const refused = await run(args, { answer: '', maintenance })
  expect(refused.code).toBe(2)
  expect(refused.err).toContain('not confirmed; nothing was done')
  expect(isRun.value).toBe(false)
})

test.each<[string[], string[]]>([
  [
    ['backup', 'to.backup'],
    ['backup', 'to.backup'],
  ],
  [
    ['restore', 'from.backup', '--yes'],
    ['restore', 'from.backup'],
  ],
  [['admin', 'reset-credential', '-y'], ['reset-credential']],
])('%j is handed to the maintenance program, and its status is ours', async (args, expected) => {
  const seen: (readonly string[])[] = []
  const maintenance = (code: number) => async (given: readonly string[]) => {
    seen.push(given)
    return code
  }
  expect((await run(args, { maintenance: maintenance(0) })).code).toBe(0)
  expect((await run(args, { maintenance: maintenance(1) })).code).toBe(1)
  expect(seen).toEqual([expected, expected])
})

test('serve hands the number of workers to the server, and nothing where nothing is said', async () => {
  const seen: object[] = []
  const serve = async (settings: object) => {
    seen.push(settings)
  }
  expect((await run(['serve', '--workers', '4'], { serve })).code).toBe(0)
  expect((await run(['serve'], { serve })).code).toBe(0)
  for (const wrong of ['0', '257', 'all', '1.5']) {
    expect((await run(['serve', '--workers', wrong], { serve })).code).toBe(2)
  }
  expect(seen).toEqual([{ WRIT_WORKERS: '4' }, {}])
})

describe('api', () => {
  test('makes any call', async () => {
    const created = JSON.parse(await done(['api', 'POST', '/admin/principals', '--data', '{"id":"via-api"}']))
    expect(created).toMatchObject({ id: 'via-api' })
    const got = await run(['api', 'get', '/admin/principals/via-api', '-i'])
    expect(got.err).toMatch(/^200\n[\s\S]*etag: "1"/)
    const file = await keyFile('patch.json', '{"name":"Via"}')
    await done(['api', 'PATCH', '/admin/principals/via-api', '--if-match', '1', '--data', `@${file}`])
    const stale = await run(['api', 'PATCH', '/admin/principals/via-api', '--if-match', '"1"', '--data', '-'], {
      stdin: '{"name":"Late"}',
    })
    expect(stale.code).toBe(1)
    expect(JSON.parse(stale.out)).toMatchObject({ status: 412 })
    expect(stale.err).toContain('changed by someone else')
    await done(['api', 'POST', '/admin/principals/via-api/suspend'])
    expect(JSON.parse(await done(['api', 'GET', '/admin/principals?limit=1'])).items).toHaveLength(1)
    const once = ['api', 'POST', '/admin/principals', '-d', '{"id":"once"}', '--idempotency-key', 'k-1']
    expect(await done(once)).toBe(await done(once))
  })
})

test('the server requires nonces: the command line learns one and goes on', async () => {
  const strict = await startTestServer({ requireDpopNonce: true })
  try {
    const outcome: Outcome = await writ(['principals', 'list', '--json'], { env: at(strict) })
    expect(outcome).toMatchObject({ code: 0, err: '' })
  } finally {
    await strict.close()
  }
})

test('files that commands leave are read by their owner alone', async () => {
  expect((await stat(join(server.dataDirectory, 'admin-credential.json'))).mode & 0o777).toBe(0o600)
  expect(await readFile(join(server.dataDirectory, 'admin-credential.json'), 'utf8')).toContain('"d"')
})
