import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adminRoutes } from '../../../src/http/admin/routes.ts'
import { type OpenapiDocument, openapiOf, schemas } from '../../support/described.ts'
import { type AdminServer, definition, ISSUER, newJwk, type Options, startAdminServer } from './admin-server.ts'

let server: AdminServer
let document: OpenapiDocument
beforeAll(async () => {
  server = await startAdminServer()
  document = (await server.call('/admin/openapi.json', { token: 'reader' })).body
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

/** The contract's table (wire.md §10), as far as it is built. */
const OPERATIONS = `
  /admin/agents GET POST
  /admin/agents/{id} GET PATCH
  /admin/agents/{id}/suspend POST
  /admin/agents/{id}/resume POST
  /admin/agents/{id}/retire POST
  /admin/agents/{id}/keys GET POST
  /admin/agents/{id}/keys/{kid} DELETE GET
  /admin/agents/{id}/enrolments DELETE GET POST
  /admin/agents/{id}/enrolments/{enrolment} DELETE GET
  /admin/agents/{id}/instances GET
  /admin/agents/{id}/instances/{kid} DELETE GET
  /admin/principals GET POST
  /admin/principals/{id} GET PATCH
  /admin/principals/{id}/sign-in-links DELETE GET POST
  /admin/principals/{id}/sign-in-links/{link} DELETE
  /admin/principals/{id}/passkeys DELETE GET
  /admin/principals/{id}/passkeys/{passkey} DELETE
  /admin/principals/{id}/upstream-identities DELETE GET
  /admin/principals/{id}/suspend POST
  /admin/principals/{id}/resume POST
  /admin/resources GET POST
  /admin/resources/{id} DELETE GET PATCH
  /admin/resources/{id}/suspend POST
  /admin/resources/{id}/resume POST
  /admin/resources/{id}/keys GET POST
  /admin/resources/{id}/keys/{kid} DELETE GET
  /admin/resources/{id}/downstream GET POST
  /admin/resources/{id}/downstream/{rule} DELETE GET
  /admin/action-types GET POST
  /admin/action-types/{id} GET PATCH
  /admin/action-types/{id}/suspend POST
  /admin/action-types/{id}/resume POST
  /admin/delegations GET POST
  /admin/delegations/{id} DELETE GET
  /admin/delegations/{id}/tree GET
  /admin/decisions POST
  /admin/approvals GET
  /admin/approvals/{id} GET
  /admin/approvals/{id}/approve POST
  /admin/approvals/{id}/deny POST
  /admin/clients GET POST
  /admin/clients/{id} GET PATCH
  /admin/clients/{id}/keys GET POST
  /admin/clients/{id}/keys/{kid} DELETE GET
  /admin/records GET
  /admin/tokens/{jti}/revoke POST
  /admin/stop DELETE GET POST
  /admin/signing-keys GET
  /admin/signing-keys/rotate POST
  /admin/openapi.json GET
`

/** Members of bodies that §10 names and that are built; * is what must be there. */
const BODIES = [
  [
    'POST',
    '/admin/agents',
    'backchannel_client_notification_endpoint backchannel_token_delivery_mode description grant_types id* keys limits name owner redirect_uris',
  ],
  [
    'PATCH',
    '/admin/agents/{id}',
    'backchannel_client_notification_endpoint backchannel_token_delivery_mode description grant_types limits name owner redirect_uris',
  ],
  ['POST', '/admin/agents/{id}/suspend', 'reason'],
  ['POST', '/admin/agents/{id}/keys', 'expires_at jwk* label'],
  ['DELETE', '/admin/agents/{id}/keys/{kid}', 'reason'],
  ['POST', '/admin/agents/{id}/enrolments', 'expires_in jkt'],
  ['DELETE', '/admin/agents/{id}/enrolments', undefined],
  ['DELETE', '/admin/agents/{id}/instances/{kid}', 'reason'],
  ['POST', '/admin/principals', 'email id* kind name'],
  ['PATCH', '/admin/principals/{id}', 'email name'],
  ['POST', '/admin/principals/{id}/sign-in-links', 'expires_in'],
  [
    'POST',
    '/admin/resources',
    'action_types enforcement id* identifier* keys limits name token_content token_lifetime_seconds',
  ],
  ['PATCH', '/admin/resources/{id}', 'action_types enforcement limits name token_content token_lifetime_seconds'],
  ['DELETE', '/admin/resources/{id}', 'reason'],
  ['POST', '/admin/resources/{id}/downstream', 'authorization_details* from* max_per_token to_resource*'],
  ['POST', '/admin/action-types', 'digestible risk* schema* single_use template* title* type*'],
  ['PATCH', '/admin/action-types/{id}', 'digestible risk schema single_use template title'],
  [
    'POST',
    '/admin/delegations',
    'agent* approval authorization_details* delegable expires_at limits not_before principal* purpose resource',
  ],
  ['DELETE', '/admin/delegations/{id}', 'reason'],
  ['POST', '/admin/decisions', 'agent* authorization_details* delegation resource*'],
  ['POST', '/admin/approvals/{id}/approve', 'approver'],
  ['POST', '/admin/clients', 'id* keys name scope*'],
  ['PATCH', '/admin/clients/{id}', 'name scope'],
  ['POST', '/admin/tokens/{jti}/revoke', 'reason'],
  ['POST', '/admin/stop', 'reason'],
  ['DELETE', '/admin/stop', 'reason'],
  ['POST', '/admin/signing-keys/rotate', 'compromised reason'],
  ['GET', '/admin/agents', undefined],
] as const

const schemaOf = (operation: OpenapiDocument) => {
  const schema = operation.requestBody?.content['application/json'].schema
  return schema?.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').at(-1)]
}
const all = (): OpenapiDocument[] =>
  Object.values<OpenapiDocument>(document.paths).flatMap((item) => Object.values(item))

describe('what is described', () => {
  test('every path and method that is built, and nothing else', () => {
    const lines = Object.entries<OpenapiDocument>(document.paths).map(
      ([path, item]) => `${path} ${Object.keys(item).sort().join(' ').toUpperCase()}`,
    )
    const expected = OPERATIONS.trim()
      .split('\n')
      .map((line) => line.trim())
    expect(lines.sort()).toEqual(expected.sort())
  })
  test('every row of the route table, and the reverse', () => {
    const rows = adminRoutes(ISSUER).map(({ operation }) => operation)
    expect(new Set(rows).size).toBe(rows.length)
    expect(
      all()
        .map(({ operationId }) => operationId)
        .sort(),
    ).toEqual(rows.sort())
  })
  test.each(BODIES)('%s %s takes %s', (method, path, members) => {
    const schema = schemaOf(document.paths[path][method.toLowerCase()])
    const names =
      schema && Object.keys(schema.properties).map((name) => `${name}${schema.required?.includes(name) ? '*' : ''}`)
    expect(names?.sort().join(' ')).toBe(members)
    if (schema !== undefined) expect(schema.additionalProperties).toBe(false)
  })
  test('parameters: paging and filters of lists, If-Match of patches, Idempotency-Key of what changes something', () => {
    const names = (path: string, method: string) =>
      (document.paths[path][method].parameters ?? []).map((parameter: OpenapiDocument) => {
        const { name, required } =
          parameter.$ref === undefined ? parameter : document.components.parameters[parameter.$ref.split('/').at(-1)]
        return required ? `${name}*` : name
      })
    expect(names('/admin/agents', 'get')).toEqual(['limit', 'cursor'])
    expect(names('/admin/agents/{id}/keys/{kid}', 'delete')).toEqual(['id*', 'kid*'])
    expect(names('/admin/agents/{id}', 'patch')).toEqual(['id*', 'If-Match*'])
    expect(names('/admin/agents', 'post')).toEqual(['Idempotency-Key'])
    expect(names('/admin/tokens/{jti}/revoke', 'post')).toEqual(['jti*', 'Idempotency-Key'])
    expect(names('/admin/decisions', 'post')).toEqual([])
    expect(names('/admin/delegations', 'get')).toEqual(['limit', 'cursor', 'agent', 'principal'])
    expect(names('/admin/agents/{id}/instances', 'get')).toEqual(['id*', 'limit', 'cursor', 'status'])
    const filters = ['agent', 'principal', 'delegation', 'resource', 'type', 'decision', 'after', 'before']
    expect(names('/admin/records', 'get')).toEqual(['limit', 'cursor', ...filters])
  })
  test('scopes: reading is enough for what changes nothing', () => {
    const scopes = (path: string, method: string) =>
      document.paths[path][method].security.flatMap(({ token }: { token: string[] }) => token)
    expect(scopes('/admin/agents', 'get')).toEqual(['admin:read', 'admin'])
    expect(scopes('/admin/decisions', 'post')).toEqual(['admin:read', 'admin'])
    expect(scopes('/admin/agents', 'post')).toEqual(['admin'])
    expect(document.components.securitySchemes.token).toMatchObject({ type: 'http', scheme: 'DPoP' })
  })
  test('it is for administrators, as everything here', async () => {
    expect((await server.call('/admin/openapi.json', { token: '' })).status).toBe(401)
    expect((await server.call('/admin/openapi.json', { method: 'POST', body: {} })).status).toBe(405)
    expect(document.servers).toEqual([{ url: ISSUER }])
    expect(document.openapi).toMatch(/^3\.1\./)
    expect(document).toEqual(await openapiOf(ISSUER))
  })
})

describe('what is accepted', () => {
  const any = { $any: true }
  const bounds = { type: 'email_send', to: any, subject: any, body: any }
  const grant = { principal: 'p', agent: 'a', resource: 'https://r.example', authorization_details: [bounds] }
  beforeAll(async () => {
    for (const [path, body] of [
      ['agents', { id: 'a' }],
      ['principals', { id: 'p' }],
      ['resources', { id: 'r', identifier: 'https://r.example' }],
    ] as const)
      expect((await server.call(`/admin/${path}`, { body })).status).toBe(201)
  })
  const jwk = newJwk()
  test.each([
    {
      path: '/admin/agents',
      body: { id: 'a-1', keys: [{ jwk: newJwk(), expires_at: 4_000_000_000.5 }] },
      isGood: true,
    },
    {
      path: '/admin/agents',
      body: { id: 'a-2', keys: [{ jwk: { ...newJwk(), alg: 'ES256', use: 'sig' } }] },
      isGood: true,
    },
    { path: '/admin/agents', body: { id: 'A' }, isGood: false },
    { path: '/admin/agents', body: { id: 'a-3', nope: 1 }, isGood: false },
    { path: '/admin/agents', body: { name: 'x' }, isGood: false },
    { path: '/admin/agents', body: { id: 'a-3', name: 'two\nlines' }, isGood: false },
    { path: '/admin/agents', body: { id: 'a-3', name: '' }, isGood: false },
    { path: '/admin/agents', body: { id: 'a-3', keys: [{ jwk, expires_at: '2030-01-01' }] }, isGood: false },
    { path: '/admin/agents', body: { id: 'a-3', keys: [{ jwk, expires_at: 253_402_300_800 }] }, isGood: false },
    { path: '/admin/agents', body: { id: 'a-3', keys: [{ jwk: { kty: 'RSA', n: 'x', e: 'AQAB' } }] }, isGood: false },
    { path: '/admin/agents', body: { id: 'a-3', keys: [{ jwk: { ...jwk, d: jwk.x } }] }, isGood: false },
    {
      path: '/admin/agents',
      body: { id: 'a-3', keys: [{ jwk: { kty: 'EC', crv: 'P-256', x: jwk.x } }] },
      isGood: false,
    },
    { path: '/admin/principals', body: { id: 'p-1', email: 'a@example.com', kind: 'service' }, isGood: true },
    { path: '/admin/principals', body: { id: 'p-2', email: 'nobody' }, isGood: false },
    { path: '/admin/principals', body: { id: 'p-2', kind: 'robot' }, isGood: false },
    {
      path: '/admin/resources',
      body: { id: 'r-1', identifier: 'https://r1.example', enforcement: 'offline' },
      isGood: true,
    },
    {
      path: '/admin/resources',
      body: { id: 'r-3', identifier: 'https://r3.example', enforcement: 'consume' },
      isGood: true,
    },
    {
      path: '/admin/resources',
      body: { id: 'r-2', identifier: 'https://r2.example', enforcement: 'always' },
      isGood: false,
    },
    {
      path: '/admin/resources',
      body: { id: 'r-2', identifier: 'https://r2.example', token_lifetime_seconds: 301 },
      isGood: false,
    },
    { path: '/admin/clients', body: { id: 'c-1', scope: 'admin:read admin' }, isGood: true },
    { path: '/admin/clients', body: { id: 'c-2', scope: ['admin:read'] }, isGood: true },
    { path: '/admin/clients', body: { id: 'c-3', scope: 'root' }, isGood: false },
    { path: '/admin/clients', body: { id: 'c-3', scope: ['root'] }, isGood: false },
    { path: '/admin/clients', body: { id: 'c-3', scope: [] }, isGood: false },
    { path: '/admin/clients', body: { id: 'c-3', scope: ['admin', 'admin'] }, isGood: false },
    { path: '/admin/action-types', body: { ...definition('t-1'), digestible: { text: 'utf8' } }, isGood: true },
    { path: '/admin/action-types', body: { ...definition('t-2'), digestible: { text: 'md5' } }, isGood: false },
    { path: '/admin/delegations', body: { ...grant, expires_at: Math.floor(Date.now() / 1_000) + 600 }, isGood: true },
    { path: '/admin/delegations', body: { ...grant, authorization_details: [] }, isGood: false },
    { path: '/admin/delegations', body: { ...grant, not_before: -1 }, isGood: false },
  ])('$path $body: $isGood, says the document, and so does the server', async ({ path, body, isGood }) => {
    const place = ['paths', path, 'post', 'requestBody', 'content', 'application/json', 'schema']
    expect(schemas(document)(place, body).length === 0).toBe(isGood)
    expect((await server.call(path, { body })).status).toBe(isGood ? 201 : 422)
  })
  test.each([
    { path: '/admin/agents/{id}', id: 'a', patch: { name: null, owner: 'o' }, isGood: true },
    { path: '/admin/agents/{id}', id: 'a', patch: { id: 'b' }, isGood: false },
    { path: '/admin/agents/{id}', id: 'a', patch: { keys: [] }, isGood: false },
    { path: '/admin/principals/{id}', id: 'p', patch: { kind: 'person' }, isGood: false },
    { path: '/admin/resources/{id}', id: 'r', patch: { token_content: null, action_types: null }, isGood: true },
    { path: '/admin/resources/{id}', id: 'r', patch: { identifier: 'https://s.example' }, isGood: false },
    { path: '/admin/action-types/{id}', id: 'patched', patch: { title: null }, isGood: false },
    { path: '/admin/action-types/{id}', id: 'patched', patch: { digestible: { text: 'utf8' } }, isGood: true },
    { path: '/admin/action-types/{id}', id: 'patched', patch: { digestible: { text: null } }, isGood: true },
    { path: '/admin/action-types/{id}', id: 'patched', patch: { single_use: null, digestible: null }, isGood: true },
  ])(
    'the patch $patch of $path: $isGood, says the document, and so does the server',
    async ({ path, id, patch, isGood }) => {
      await server.call('/admin/action-types', { body: definition('patched') })
      for (const type of ['application/json', 'application/merge-patch+json']) {
        const place = ['paths', path, 'patch', 'requestBody', 'content', type, 'schema']
        expect(schemas(document)(place, patch).length === 0).toBe(isGood)
      }
      const options: Options = { method: 'PATCH', body: patch, headers: [['If-Match', '*']] }
      expect((await server.call(path.replace('{id}', id), options)).status).toBe(isGood ? 200 : 422)
    },
  )
})

describe('what is answered', () => {
  test('every operation succeeds once, and its answer is as described: every member, and no other', async () => {
    const done = async (method: string, path: string, body?: unknown, headers: Options['headers'] = []) => {
      const answer = await server.call(`/admin${path}`, { method, body, headers })
      expect(answer.status, `${method} ${path} ${answer.text}`).toBeLessThan(300)
      return answer.body
    }
    const patch = (path: string, body: unknown) => done('PATCH', path, body, [['If-Match', '*']])
    const keyed = { jwk: newJwk(), label: 'first', expires_at: 4_000_000_000 }
    await done('POST', '/agents', { id: 'agent', description: 'd', owner: 'o', keys: [keyed], limits: { max_uses: 9 } })
    await done('POST', '/principals', { id: 'principal', kind: 'organization', email: 'a@example.com' })
    const narrowed = { action_types: ['email_send'], token_lifetime_seconds: 30, limits: { max_uses: 9 } }
    await done('POST', '/resources', { id: 'resource', identifier: 'https://x.example', ...narrowed })
    await done('POST', '/clients', { id: 'client', scope: 'admin:read' })
    await done('POST', '/action-types', definition('note'))

    const any = { $any: true }
    const bounds = [{ type: 'email_send', to: any, subject: any, body: any }]
    const named = { principal: 'principal', agent: 'agent', resource: 'https://x.example' }
    const { id } = await done('POST', '/delegations', {
      ...{ ...named, authorization_details: bounds, purpose: 'minutes' },
      ...{ limits: { max_uses: 1, rates: RATES }, delegable: { max_depth: 2, agents: ['agent'] } },
      approval: { mode: 'outside', outside: bounds, approvers: ['principal'], threshold: 1 },
    })
    const money = await done('POST', '/delegations', { ...named, authorization_details: bounds, limits: LIMITS })
    // One value was counted.
    await server.database.query('INSERT INTO limit_counter (owner, rule, used) VALUES ($1, $2, 1.5)', [
      `delegation:${money.id}`,
      JSON.stringify({ member: 'a.amount', per: 'a.currency', value: 'EUR', seconds: 9 }),
    ])
    await done('GET', `/delegations/${id}`)
    await done('GET', `/delegations/${money.id}`)
    await done('DELETE', `/delegations/${money.id}`)
    expect((await done('GET', `/delegations/${id}/tree`)).items).toMatchObject([{ id, depth: 0, in_force: true }])
    await done('POST', '/resources', { id: 'next', identifier: 'https://next.example' })
    const downstream = { from: bounds[0], to_resource: 'https://next.example', authorization_details: bounds }
    const rule = await done('POST', '/resources/resource/downstream', { ...downstream, max_per_token: 2 })
    await done('GET', `/resources/resource/downstream/${rule.id}`)
    await done('DELETE', `/resources/resource/downstream/${rule.id}`)
    await done('GET', '/resources/resource/downstream')
    await done('GET', '/delegations?agent=agent')
    const action = { type: 'email_send', to: ['bob@example.com'], subject: 'Minutes', body: 'Hello' }
    const asked = { agent: 'agent', resource: 'https://x.example', authorization_details: [action] }
    expect((await done('POST', '/decisions', asked)).decision).toBe('permit')
    await server.database.query('INSERT INTO limit_counter (owner, rule, used) VALUES ($1, $2, 1)', [
      `delegation:${id}`,
      JSON.stringify({ uses: true }),
    ])
    expect((await done('POST', '/decisions', asked)).limit).toEqual({ of: 'delegation', id, max_uses: 0 })
    const refused = await done('POST', '/decisions', { ...asked, authorization_details: [{ ...action, to: 7 }] })
    expect(refused.decision).toBe('forbid')
    await pendingApproval('apr_1', id)
    await pendingApproval('apr_2', id)
    await done('POST', '/approvals/apr_1/approve', { approver: 'principal' })
    await done('POST', '/approvals/apr_2/deny')
    const shown = await done('GET', '/approvals/apr_1')
    expect(shown).toMatchObject({ state: 'approved', digest_only: ['body'], purpose: 'Please' })
    await done('GET', '/approvals?agent=agent')
    await done('DELETE', `/delegations/${id}`, { reason: 'over' })

    const first = await done('POST', '/agents/agent/enrolments', { expires_in: 60 })
    await done('POST', '/agents/agent/enrolments', { jkt: 'A'.repeat(43) })
    await done('GET', '/agents/agent/enrolments')
    await done('DELETE', `/agents/agent/enrolments/${first.id}`)
    await done('GET', `/agents/agent/enrolments/${first.id}`)
    await done('DELETE', '/agents/agent/enrolments')

    await done('POST', '/principals', { id: 'person' })
    const link = await done('POST', '/principals/person/sign-in-links', { expires_in: 60 })
    await done('GET', '/principals/person/sign-in-links')
    await done('DELETE', `/principals/person/sign-in-links/${link.id}`)
    await done('DELETE', '/principals/person/sign-in-links')
    for (const passkey of ['psk_1', 'psk_2']) {
      await server.database.query(
        `INSERT INTO passkey (id, credential_id, principal_id, public_key, label) VALUES ($1, $2, 'person', '\\x00', 'Laptop')`,
        [passkey, Buffer.from(passkey)],
      )
    }
    await done('GET', '/principals/person/passkeys')
    expect(await done('DELETE', '/principals/person/passkeys/psk_1')).toEqual({ removed: ['psk_1'] })
    expect(await done('DELETE', '/principals/person/passkeys')).toEqual({ removed: ['psk_2'] })
    await server.database.query(
      `INSERT INTO upstream_identity (issuer, subject, principal_id) VALUES ('https://idp.example', 'sub-1', 'principal')`,
    )
    await done('GET', '/principals/principal/upstream-identities')
    expect(await done('DELETE', '/principals/principal/upstream-identities')).toEqual({
      unbound: ['https://idp.example'],
    })

    await server.database.query(
      `INSERT INTO key (kid, owner_id, jwk, vouched_by, expires_at) VALUES ($1, 'agent', $2::jsonb, $3, now() + interval '1 day')`,
      ['I'.repeat(43), JSON.stringify(newJwk()), 'V'.repeat(43)],
    )
    await done('GET', '/agents/agent/instances?status=active')
    await done('GET', `/agents/agent/instances/${'I'.repeat(43)}`)
    await done('DELETE', `/agents/agent/instances/${'I'.repeat(43)}`, { reason: 'odd' })

    for (const owner of ['/agents/agent', '/resources/resource', '/clients/client']) {
      const { kid } = await done('POST', `${owner}/keys`, { jwk: newJwk() })
      await done('DELETE', `${owner}/keys/${kid}`)
      await done('GET', `${owner}/keys/${kid}`)
      await done('GET', `${owner}/keys`)
    }
    await patch('/clients/client', { name: 'Client' })
    await patch('/action-types/note', { title: 'Note' })
    for (const path of ['/agents/agent', '/principals/principal', '/resources/resource', '/action-types/note']) {
      if (path !== '/action-types/note') await patch(path, { name: 'N' })
      if (/agents|resources/.test(path)) await patch(path, { limits: { max_uses: null, rates: RATES } })
      await done('POST', `${path}/suspend`, { reason: 'held' })
      await done('GET', path)
      await done('POST', `${path}/resume`)
    }
    await done('GET', '/clients/client')
    for (const path of ['agents', 'principals', 'resources', 'action-types', 'clients', 'records?limit=200'])
      await done('GET', `/${path}`)
    await done('POST', '/agents/agent/retire')
    await done('DELETE', '/resources/resource')
    await issuance('jti-1')
    await done('POST', '/tokens/jti-1/revoke', { reason: 'lost' })
    await done('GET', '/records?decision=issued')
    await done('POST', '/signing-keys/rotate', { compromised: true })
    await done('GET', '/signing-keys')
    for (const method of ['POST', 'GET', 'DELETE']) await done(method, '/stop', method === 'GET' ? undefined : {})
    await done('GET', '/openapi.json')
    expect([...server.described.succeeded].sort()).toEqual(
      all()
        .map(({ operationId }) => operationId)
        .sort(),
    )
  })
})

/** An approval that waits, with every member that one can have. */
const pendingApproval = async (id: string, delegation: string) => {
  const [key] = await server.database.query<{ kid: string }>(`SELECT kid FROM key WHERE owner_id = 'agent'`)
  const action = {
    ...{ type: 'email_send', locations: ['https://x.example'], to: ['bob@example.com'], subject: 'Minutes' },
    body: { s256: 'A'.repeat(43) },
  }
  const row = {
    ...{ id, auth_req_id: `ap_${id}`, delegation_id: delegation, principal_id: 'principal', agent_id: 'agent' },
    ...{ jkt: key?.kid, resource: 'https://x.example', action: JSON.stringify(action), action_digest: 'digest' },
    ...{ action_type: 'email_send', action_type_version: 1, turn: 'turn', purpose: 'Please', state: 'pending' },
    ...{ needs: [{ approvers: ['principal'], threshold: 1 }], approvers: ['principal'], threshold: 1 },
    ...{ created_at: new Date(), expires_at: new Date(Date.now() + 60_000), interval_seconds: 5 },
  }
  return server.database.query('INSERT INTO approval SELECT * FROM jsonb_populate_record(NULL::approval, $1::jsonb)', [
    JSON.stringify(row),
  ])
}

const RATES = [{ seconds: 60, max_uses: 3 }]
const SUMS = [{ member: 'a.amount', per: 'a.currency', max: '10.00', seconds: 9 }]
const LIMITS = { max_uses: 100, rates: RATES, sums: SUMS }

/** An issuance in the account, with every member that one can have. */
const issuance = (jti: string) =>
  server.database.query(
    `INSERT INTO record (id, kind, decision, client, agent, principal, delegation, resource, action_type,
       action_type_version, action, action_digest, jti, jkt, txn, turn, because, token_issued_at, token_expires_at, request_id)
     VALUES ($1::uuid, 'action_token', 'issued', 'agent', 'agent', 'principal', 'dlg', 'https://x.example', 'email_send',
       1, '{"type":"email_send"}', 'digest', $2, 'jkt', 'txn', 'turn', '{"bounds":[0]}', now(), now() + interval '1 minute', 'r')`,
    ['01900000-0000-7000-8000-000000000001', jti],
  )
