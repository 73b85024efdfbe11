import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminServer, definition, ISSUER, newJwk, startAdminServer } from './admin-server.ts'

let server: AdminServer
beforeAll(async () => {
  server = await startAdminServer()
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

const post = (path: string, body: unknown = {}, token = 'all') => server.call(path, { method: 'POST', body, token })
const patch = (path: string, body: unknown, tag = '"1"') =>
  server.call(path, { method: 'PATCH', body, headers: [['If-Match', tag]] })

describe('keys', () => {
  test('a taken thumbprint -> 409 for everyone, for ever', async () => {
    const jwk = newJwk()
    await post('/admin/agents', { id: 'keyed', keys: [{ jwk, label: 'first' }] })
    await post('/admin/agents', { id: 'other' })
    expect((await post('/admin/agents/other/keys', { jwk })).status).toBe(409)
    const kid = (await server.call('/admin/agents/keyed')).body.keys[0].kid
    const retired = await server.call(`/admin/agents/keyed/keys/${kid}`, { method: 'DELETE' })
    expect(retired.body).toMatchObject({ kid, status: 'retired', label: 'first' })
    expect((await server.call(`/admin/agents/keyed/keys/${kid}`, { method: 'DELETE' })).status).toBe(200)
    expect((await server.call('/admin/agents/keyed')).body.keys).toEqual([])
    expect((await server.call('/admin/agents/keyed/keys')).body.items).toHaveLength(1)
    expect((await post('/admin/agents/other/keys', { jwk })).status).toBe(409)
    expect(
      (await post('/admin/resources', { id: 'kr', identifier: 'https://kr.example', keys: [{ jwk }] })).status,
    ).toBe(409)
    // What was refused left nothing behind: the id is still free.
    expect((await post('/admin/resources', { id: 'kr', identifier: 'https://kr.example' })).status).toBe(201)
  })

  test('of one key raced to five agents one gets it', async () => {
    const jwk = newJwk()
    const all = await Promise.all(
      [1, 2, 3, 4, 5].map((n) => post('/admin/agents', { id: `racer-${n}`, keys: [{ jwk }] })),
    )
    expect(all.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409])
  })

  test('two registrations of the same keys in opposite order never block each other', async () => {
    for (let n = 0; n < 10; n++) {
      const keys = Array.from({ length: 8 }, () => ({ jwk: newJwk() }))
      const both = await Promise.all([
        post('/admin/agents', { id: `ordered-${n}-a`, keys }),
        post('/admin/agents', { id: `ordered-${n}-b`, keys: keys.toReversed() }),
      ])
      expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    }
  })

  test('fifteen keys at once -> ten active ones', async () => {
    await post('/admin/agents', { id: 'many' })
    const all = await Promise.all(Array.from({ length: 15 }, () => post('/admin/agents/many/keys', { jwk: newJwk() })))
    expect(all.filter(({ status }) => status === 201)).toHaveLength(10)
    expect(all.filter(({ status }) => status === 409)).toHaveLength(5)
    const { keys } = (await server.call('/admin/agents/many')).body
    expect(keys).toHaveLength(10)
    await server.call(`/admin/agents/many/keys/${keys[0].kid}`, { method: 'DELETE' })
    const added = await post('/admin/agents/many/keys', { jwk: newJwk() })
    expect(added.status).toBe(201)
    expect((await server.call(String(added.headers.location))).body).toEqual(added.body)
    expect(
      (await post('/admin/agents', { id: 'm11', keys: Array.from({ length: 11 }, () => ({ jwk: newJwk() })) })).status,
    ).toBe(422)
  })

  test.each([
    { name: 'RSA', jwk: { kty: 'RSA', n: 'AQAB', e: 'AQAB' } },
    { name: 'symmetric', jwk: { kty: 'oct', k: 'AQAB' } },
    { name: 'private', jwk: { ...newJwk(), d: 'AQAB' } },
    { name: 'off the curve', jwk: { ...newJwk(), x: 'A'.repeat(43) } },
    { name: 'no object', jwk: 'key' },
  ])('a key that is $name -> 422 and is not repeated', async ({ jwk }) => {
    const refused = await post('/admin/agents', { id: 'bad-key', keys: [{ jwk }] })
    expect(refused.status).toBe(422)
    expect(refused.body.errors[0].member).toMatch(/^keys\[0\]\.jwk/)
    expect(refused.text).not.toContain('AQAB')
  })

  test('expires_at must be in the future, and have an offset', async () => {
    await post('/admin/agents', { id: 'expiring' })
    const at = (ms: number) => (Date.now() + ms) / 1_000
    const add = (expires_at: unknown) => post('/admin/agents/expiring/keys', { jwk: newJwk(), expires_at })
    expect((await add(at(-1_000))).status).toBe(422)
    expect((await add('2099-01-01T00:00:00Z')).status).toBe(422)
    expect((await add('tomorrow')).status).toBe(422)
    expect((await add(-1)).status).toBe(422)
    const made = await add(4_070_908_800)
    expect(made.body.expires_at).toBe(4_070_908_800)
  })

  test('a key is found under its owner only, and an owner under its kind only', async () => {
    await post('/admin/agents', { id: 'owner-a', keys: [{ jwk: newJwk() }] })
    const kid = (await server.call('/admin/agents/owner-a')).body.keys[0].kid
    for (const path of [
      '/admin/agents/other/keys/',
      '/admin/resources/owner-a/keys/',
      '/admin/clients/owner-a/keys/',
    ]) {
      expect((await server.call(path + kid)).status, path).toBe(404)
      expect((await server.call(path + kid, { method: 'DELETE' })).status, path).toBe(404)
    }
    expect((await post('/admin/resources/owner-a/keys', { jwk: newJwk() })).status).toBe(404)
    expect((await server.call('/admin/agents/nobody/keys')).status).toBe(404)
  })
})

describe('resources', () => {
  const register = (identifier: unknown, id = `r${Math.random()}`.slice(0, 20)) =>
    post('/admin/resources', { id, identifier })
  test.each([
    'mail.example',
    '/relative',
    'https://a.example/#f',
    'https://a.example/?q',
    'https://u:p@a.example/',
    'https://@a.example',
    'https://',
    'https:a.example',
    'https://a b.example',
    'https://a.example/\\x',
    'https://a.example/"',
    '',
    7,
    `https://a.example/${'x'.repeat(2_048)}`,
    ISSUER,
    `${ISSUER}/`,
    ISSUER.toUpperCase(),
    'https://ä.example',
  ])('identifier %j -> 422', async (identifier) => {
    const refused = await register(identifier)
    expect(refused.status).toBe(422)
    expect(refused.body.errors[0].member).toBe('identifier')
  })
  test('two identifiers that differ by case or a trailing slash cannot both be registered', async () => {
    expect((await register('https://Twin.example/A')).status).toBe(201)
    for (const twin of [
      'https://twin.example/A',
      'https://Twin.example/a/',
      'https://Twin.example/A//',
      'https://Twin.example/A',
    ]) {
      const refused = await register(twin)
      expect(refused.status, twin).toBe(409)
      expect(refused.body.errors[0].member).toBe('identifier')
    }
    expect((await register('urn:example:api')).status).toBe(201)
  })
  test('of five registrations of one identifier one wins', async () => {
    const all = await Promise.all([1, 2, 3, 4, 5].map((n) => register('https://raced.example', `raced-${n}`)))
    expect(all.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409])
  })
  test('action types are narrowed, widened again by null, and must exist', async () => {
    const base = { id: 'narrow', identifier: 'https://narrow.example' }
    expect((await post('/admin/resources', { ...base, action_types: ['nope'] })).status).toBe(422)
    expect((await post('/admin/resources', { ...base, action_types: ['*'] })).status).toBe(422)
    const made = await post('/admin/resources', { ...base, action_types: ['email_send'], token_lifetime_seconds: 300 })
    expect(made.body).toMatchObject({ action_types: ['email_send'], token_lifetime_seconds: 300 })
    const wide = await patch('/admin/resources/narrow', { action_types: null, token_lifetime_seconds: null })
    expect(wide.status, wide.text).toBe(200)
    expect(wide.body).not.toHaveProperty('action_types')
    expect(wide.body).not.toHaveProperty('token_lifetime_seconds')
    const [row] = await server.database.query('SELECT action_types FROM resource WHERE id = $1', ['narrow'])
    expect(row).toEqual({ action_types: ['*'] })
  })
  test('say how tokens are used up there: offline unless it is said, and a patch changes it', async () => {
    const base = { id: 'consuming', identifier: 'https://consuming.example' }
    expect((await post('/admin/resources', { ...base, enforcement: 'consume' })).body.enforcement).toBe('consume')
    expect((await patch('/admin/resources/consuming', { name: 'Other' })).body.enforcement).toBe('consume')
    const changed = await patch('/admin/resources/consuming', { enforcement: null }, '"2"')
    expect(changed.body).toMatchObject({ enforcement: 'offline' })
    expect((await server.call('/admin/resources/consuming')).body.enforcement).toBe('offline')
  })
  test.each([
    { token_lifetime_seconds: 0 },
    { token_lifetime_seconds: 301 },
    { token_lifetime_seconds: 1.5 },
    { enforcement: 'always' },
    { token_content: 'none' },
    { action_types: ['email_send', 'email_send'] },
    { downstream: [] },
  ])('%j -> 422', async (member) => {
    const refused = await post('/admin/resources', {
      id: 'invalid-r',
      identifier: 'https://invalid.example',
      ...member,
    })
    expect(refused.status).toBe(422)
    expect(refused.body.errors[0].member).toBe(Object.keys(member)[0])
  })
  test('a patch that names the identifier, the keys or the kind -> 422', async () => {
    for (const member of ['identifier', 'keys']) {
      const refused = await patch('/admin/resources/narrow', { [member]: null }, '*')
      expect([refused.status, refused.body.errors[0].member]).toEqual([422, member])
    }
    await post('/admin/principals', { id: 'kindly' })
    expect((await patch('/admin/principals/kindly', { kind: 'service' })).status).toBe(422)
  })
})

describe('action types', () => {
  test('a definition that does not compile -> 422 with its reason', async () => {
    const bad = { ...definition('bad_type'), schema: { type: 'object', properties: {}, additionalProperties: true } }
    const refused = await post('/admin/action-types', bad)
    expect([refused.status, refused.body.errors?.[0]?.member]).toEqual([422, 'schema'])
    const template = await post('/admin/action-types', { ...definition('bad_type'), template: 'send {nothing}' })
    expect([template.status, template.body.errors[0].member]).toEqual([422, 'template'])
    expect((await post('/admin/action-types', { ...definition('1bad') })).status).toBe(422)
  })
  test('a pattern that backtracks neither stalls nor stays', async () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'string', maxLength: 100, pattern: '^(a+)+$' } },
      additionalProperties: false,
    }
    const before = await post('/admin/action-types', { ...definition('patterned'), schema, template: 'do {a}' })
    expect(before.status, before.text).toBe(201)
  })
  test('a patch goes into the schema, member by member, and removes by null (RFC 7396 §2)', async () => {
    await post('/admin/action-types', definition('patched'))
    const changed = await patch('/admin/action-types/patched', {
      schema: { properties: { to: null, cc: { type: 'string', maxLength: 9 } } },
    })
    expect(changed.status, changed.text).toBe(200)
    expect(Object.keys(changed.body.schema.properties).sort()).toEqual(['cc', 'text'])
    expect(changed.body.version).toBe(2)
    const broken = await patch('/admin/action-types/patched', { schema: { properties: { text: null } } }, '"2"')
    expect(broken.status).toBe(422)
    expect((await patch('/admin/action-types/patched', { title: null }, '"2"')).status).toBe(422)
    expect((await server.call('/admin/action-types/patched')).body.version).toBe(2)
  })
  test('a built-in one can be suspended and not be changed', async () => {
    const refused = await patch('/admin/action-types/email_send', { title: 'x' }, '*')
    expect([refused.status, refused.body.errors[0].member]).toEqual([422, 'type'])
    expect((await post('/admin/action-types/email_send/suspend')).body.status).toBe('suspended')
    expect((await server.call('/action-types/email_send', { token: '' })).status).toBe(404)
    expect((await post('/admin/action-types/email_send/resume')).body.status).toBe('active')
  })
  test('a name with a slash is one segment when it is encoded', async () => {
    const type = 'https://example.com/types/a'
    const made = await post('/admin/action-types', definition(type))
    expect(made.headers.location).toBe('/admin/action-types/https%3A%2F%2Fexample.com%2Ftypes%2Fa')
    expect((await server.call(String(made.headers.location))).body.type).toBe(type)
    expect((await server.call('/action-types/https%3A%2F%2Fexample.com%2Ftypes%2Fa', { token: '' })).body.type).toBe(
      type,
    )
  })
  test('everyone reads the active ones, from a cache, from any origin', async () => {
    const all = await server.call('/action-types', { token: '' })
    expect(all.headers).toMatchObject({ 'cache-control': 'public, max-age=60', 'access-control-allow-origin': '*' })
    expect(all.body.items.map(({ type }: { type: string }) => type)).toContain('payment_initiation')
    const one = await server.call('/action-types/email_send', { token: '' })
    expect(one.body).toMatchObject({ type: 'email_send', digestible: { body: 'utf8' }, single_use: true })
    const etag = String(one.headers.etag)
    const fresh = await server.call('/action-types/email_send', { token: '', headers: [['If-None-Match', etag]] })
    expect([fresh.status, fresh.text]).toEqual([304, ''])
    expect((await server.call('/action-types/nope', { token: '' })).status).toBe(404)
  })
})

describe('administrators give away no more than they hold', () => {
  test.each([
    { token: 'all', scope: 'admin admin:read admin:approve', status: 201 },
    { token: 'plain', scope: ['admin', 'admin:read'], status: 201 },
    { token: 'plain', scope: 'admin:approve', status: 403 },
    { token: 'plain', scope: 'root', status: 422 },
    { token: 'plain', scope: '', status: 422 },
    { token: 'plain', scope: 'admin admin', status: 422 },
  ])('$token grants $scope -> $status', async ({ token, scope, status }) => {
    const made = await post('/admin/clients', { id: `c-${Math.random()}`, scope }, token)
    expect(made.status, made.text).toBe(status)
  })
  test('neither by a patch nor by a key of someone who holds more', async () => {
    await post('/admin/clients', { id: 'approver', scope: 'admin:approve' })
    await post('/admin/clients', { id: 'modest', scope: 'admin:read' })
    const raised = await server.call('/admin/clients/modest', {
      method: 'PATCH',
      token: 'plain',
      body: { scope: 'admin:read admin:approve' },
      headers: [['If-Match', '"1"']],
    })
    expect(raised.status).toBe(403)
    expect((await post('/admin/clients/approver/keys', { jwk: newJwk() }, 'plain')).status).toBe(403)
    expect((await post('/admin/clients/modest/keys', { jwk: newJwk() }, 'plain')).status).toBe(201)
    expect((await post('/admin/clients/approver/keys', { jwk: newJwk() }, 'all')).status).toBe(201)
  })
})
