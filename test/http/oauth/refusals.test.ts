import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, exchange, newClient, oauthRequest, send, type TestClient } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { SAMPLES, sample } from './actions.ts'
import { expectRefused, recordOf } from './answers.ts'

let server: TestServer
let world: World
let other: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server, {
    bounds: ['email_send', 'mcp_tool_call', 'payment_initiation'].map((type) => sample(type).bound),
    resource: { action_types: ['email_send', 'mcp_tool_call', 'payment_initiation', 'http_request'] },
  })
  other = await createWorld(server)
})
afterAll(() => server.close())

type Form = Readonly<Record<string, string | undefined>>

describe('duplicate or missing parameters, unknown types, malformed forms: 400 invalid_request', () => {
  test.each<[string, Form]>([
    ...['grant_type', 'subject_token', 'subject_token_type', 'resource', 'authorization_details'].flatMap(
      (name): [string, Form][] => [
        [`${name} missing`, { [name]: undefined }],
        [`${name} empty, which is missing (RFC 6749 §3.1)`, { [name]: '' }],
      ],
    ),
    ['client_assertion_type missing', { client_assertion_type: undefined }],
    [
      'client_assertion_type of SAML',
      { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' },
    ],
    ['subject_token_type of an ID token', { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }],
    ['subject_token_type in upper case', { subject_token_type: 'URN:IETF:PARAMS:OAUTH:TOKEN-TYPE:ACCESS_TOKEN' }],
    [
      'requested_token_type of a refresh token',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
    ],
    ['requested_token_type jwt', { requested_token_type: 'urn:ietf:params:oauth:token-type:jwt' }],
    ['a subject token longer than 8,192 characters', { subject_token: 'a'.repeat(8_193) }],
    ['a client secret beside the assertion (RFC 6749 §2.3)', { client_secret: 'hunter2' }],
    ['a turn with a space', { turn: 'turn 42' }],
    ['a turn that is not ASCII', { turn: 'Schritt-ä' }],
    ['a turn of 129 characters', { turn: 'a'.repeat(129) }],
    ['a batch without turn', { batch: 'true' }],
    ['batch=false', { batch: 'false', turn: 'turn-42' }],
    ['a batch whose turns would be too long', { batch: 'true', turn: 'a'.repeat(127) }],
  ])('%s', async (_name, form) => {
    expectRefused(await world.exchange({ form }), 400, 'invalid_request')
  })

  test.each([
    'grant_type',
    'resource',
    'authorization_details',
    'subject_token',
    'client_assertion',
    'client_id',
    'colour',
  ])('%s twice', async (name) => {
    const { url, headers, body } = exchangeOf(world)
    const value = new URLSearchParams(String(body)).get(name) ?? 'blue'
    const twice = `${name === 'colour' ? 'colour=blue&' : ''}${body}&${new URLSearchParams({ [name]: value })}`
    expectRefused(await send(url, { headers, body: twice }), 400, 'invalid_request')
  })

  test('the same name in two spellings is twice', async () => {
    const { url, headers, body } = exchangeOf(world)
    expectRefused(
      await send(url, { headers, body: `${body}&r%65source=https%3A%2F%2Fevil.example` }),
      400,
      'invalid_request',
    )
  })

  test('an Authorization header beside the assertion (RFC 6749 §2.3)', async () => {
    const basic: [string, string] = ['Authorization', 'Basic cGxhbm5lcjpodW50ZXIy']
    expectRefused(await world.exchange({ headers: [basic] }), 400, 'invalid_request')
    expectRefused(await world.exchange({ headers: [['Authorization', ''], basic] }), 400, 'invalid_request')
  })
})

describe('413 and 415', () => {
  test('a form that is too large', async () => {
    expectRefused(await world.exchange({ form: { padding: 'a'.repeat(300_000) } }), 413, 'invalid_request')
  })

  test.each([
    ['no content type', ''],
    ['JSON', 'application/json'],
    ['multipart', 'multipart/form-data; boundary=x'],
    ['another charset', 'application/x-www-form-urlencoded; charset=iso-8859-1'],
    ['two types in one', 'application/x-www-form-urlencoded, application/json'],
  ])('%s', async (_name, type) => {
    expectRefused(await world.exchange({ headers: [['Content-Type', type]] }), 415, 'invalid_request')
  })
})

describe('grant types, clients and scope', () => {
  test.each([
    'refresh_token',
    'password',
    'implicit',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'URN:IETF:PARAMS:OAUTH:GRANT-TYPE:TOKEN-EXCHANGE',
    'constructor',
  ])('grant_type %s: unsupported_grant_type', async (grant_type) => {
    expectRefused(await world.exchange({ form: { grant_type } }), 400, 'unsupported_grant_type')
  })

  test('an exchange by an administrator: unauthorized_client', async () => {
    expectRefused(await exchange(server.issuer, server.admin, world.wish), 400, 'unauthorized_client')
  })

  test('client_credentials for a resource server with a scope: invalid_scope', async () => {
    const asked = await clientToken(server.issuer, world.resource, { form: { scope: 'admin' } })
    expectRefused(asked, 400, 'invalid_scope')
  })

  test('any scope at an exchange, any scope for an agent: invalid_scope', async () => {
    expectRefused(await world.exchange({ form: { scope: 'email' } }), 400, 'invalid_scope')
    for (const scope of ['admin', 'openid', 'a  b']) {
      expectRefused(await clientToken(server.issuer, world.agent, { form: { scope } }), 400, 'invalid_scope')
    }
  })

  test('client_credentials for another place: invalid_target; with authorization_details: invalid_request', async () => {
    const at = (form: Form) => clientToken(server.issuer, world.agent, { form })
    expectRefused(await at({ resource: world.identifier }), 400, 'invalid_target')
    expectRefused(await at({ authorization_details: '[]' }), 400, 'invalid_request')
    const { status } = await at({ resource: server.issuer })
    expect(status).toBe(200)
  })
})

describe('invalid_client: 401', () => {
  const stranger = newClient('nobody')
  test.each<[string, () => Promise<Awaited<ReturnType<typeof exchange>>>]>([
    ['a client that nobody registered', () => exchange(server.issuer, stranger, world.wish)],
    ['a principal', () => exchange(server.issuer, { ...stranger, id: world.principal }, world.wish)],
    [
      'an id in upper case',
      () => exchange(server.issuer, { ...world.agent, id: world.agent.id.toUpperCase() }, world.wish),
    ],
    ['the key of another agent', () => exchange(server.issuer, { ...other.agent, id: world.agent.id }, world.wish)],
    ['no assertion', () => world.exchange({ form: { client_assertion: undefined, client_assertion_type: undefined } })],
    ['an assertion that is no JWT', () => world.exchange({ form: { client_assertion: 'a.b.c' } })],
    ['a client_id that is another client', () => world.exchange({ form: { client_id: other.agent.id } })],
  ])('%s', async (_name, ask) => {
    expectRefused(await ask(), 401, 'invalid_client')
  })
})

describe('invalid_grant: the subject token', () => {
  test.each<[string, () => string]>([
    ['no JWT', () => 'secret'],
    ['of another agent', () => other.wish.subjectToken],
    ['with one character changed', () => flipped(world.wish.subjectToken)],
    ['an action token', () => actionToken],
  ])('%s', async (_name, subject_token) => {
    expectRefused(await world.exchange({ form: { subject_token: subject_token() } }), 400, 'invalid_grant')
  })
  let actionToken = ''
  beforeAll(async () => {
    actionToken = (await world.exchange()).body.access_token
  })
})

describe('invalid_target', () => {
  test.each<[string, () => Form]>([
    ['a resource that nobody registered', () => ({ resource: 'https://nowhere.example' })],
    ['a resource that the delegation does not name', () => ({ resource: other.identifier })],
    ['the resource with a slash at its end', () => ({ resource: `${world.identifier}/` })],
    ['the resource in upper case', () => ({ resource: world.identifier.toUpperCase() })],
    ['the resource with its default port', () => ({ resource: `${world.identifier}:443` })],
    ['the resource with a fragment (RFC 8707 §2)', () => ({ resource: `${world.identifier}#a` })],
    ['the id of the resource server', () => ({ resource: world.resource.id })],
    ['this server itself', () => ({ resource: server.issuer })],
    ['a resource longer than 2,048 characters', () => ({ resource: `https://a.example/${'a'.repeat(2_048)}` })],
    ['an audience that is not the resource', () => ({ audience: other.identifier })],
  ])('%s', async (_name, form) => {
    expectRefused(await world.exchange({ form: form() }), 400, 'invalid_target')
  })

  test.each<[string, () => unknown]>([
    ['another place', () => [other.identifier]],
    ['this place and another', () => [world.identifier, other.identifier]],
    ['this place twice', () => [world.identifier, world.identifier]],
    ['no place', () => []],
    ['a string', () => world.identifier],
    ['null', () => null],
  ])('locations: %s', async (_name, locations) => {
    const action = { ...world.action, locations: locations() }
    expectRefused(await world.exchange({}, { action }), 400, 'invalid_target')
  })

  test('an action type that the resource does not take', async () => {
    expectRefused(await world.exchange({}, { action: sample('sql_statement').action }), 400, 'invalid_target')
  })
})

describe('invalid_authorization_details', () => {
  const good = sample('email_send').action
  const details = (text: string) => world.exchange({ form: { authorization_details: text } })
  test.each([
    ['not JSON', '{'],
    ['an object', JSON.stringify(good)],
    ['a string', '"email_send"'],
    ['null', 'null'],
    ['no element', '[]'],
    ['two elements', JSON.stringify([good, good])],
    ['an element that is a string', '["email_send"]'],
    ['an element that is an array', JSON.stringify([[good]])],
    ['an element that is null', '[null]'],
    ['no type', JSON.stringify([{ ...good, type: undefined }])],
    ['a type that is a number', JSON.stringify([{ ...good, type: 1 }])],
    ['a type that nobody registered', JSON.stringify([{ ...good, type: 'rm_rf' }])],
    ['a type every object has', JSON.stringify([{ ...good, type: 'constructor' }])],
    ['a type in another case', JSON.stringify([{ ...good, type: 'Email_Send' }])],
    ['an unknown member', JSON.stringify([{ ...good, bcc: ['eve@evil.example'] }])],
    ['a missing member', JSON.stringify([{ ...good, subject: undefined }])],
    ['a member of another JSON type', JSON.stringify([{ ...good, subject: 1 }])],
    ['a member that is null', JSON.stringify([{ ...good, subject: null }])],
    ['an operator for a value: an action is concrete', JSON.stringify([{ ...good, subject: { $any: true } }])],
    ['a member named with $', JSON.stringify([{ ...good, $any: true }])],
    ['an address that is none', JSON.stringify([{ ...good, to: ['Bob <bob@example.com>'] }])],
    ['a line break in the subject', JSON.stringify([{ ...good, subject: 'a\r\nBcc: eve@evil.example' }])],
    ['a member twice', '[{"type":"email_send","to":["bob@example.com"],"subject":"a","subject":"b","body":"c"}]'],
    ['JSON with a comment', '[/* */]'],
    ['JSON with a comma at the end', `[${JSON.stringify(good)},]`],
    ['a byte order mark', `\uFEFF[${JSON.stringify(good)}]`],
    ['more than 64 kB', JSON.stringify([{ ...good, body: 'a'.repeat(65_600) }])],
  ])('%s', async (_name, text) => {
    expectRefused(await details(text), 400, 'invalid_authorization_details')
  })

  test.each<[string, unknown, string]>([
    ['a missing member', { ...good, subject: undefined }, 'subject'],
    ['a bad element', { ...good, to: ['bob@example.com', 'no address'] }, 'to[1]'],
    ['a member nobody knows', { ...good, bcc: [] }, 'bcc'],
  ])('the description names %s', async (_name, action, member) => {
    const answer = await world.exchange({}, { action })
    expectRefused(answer, 400, 'invalid_authorization_details')
    expect(namedMember(answer)).toBe(member)
  })
})

describe('access_denied: with the first member that does not fit, and a decision that is on record', () => {
  test.each(Object.keys(SAMPLES))('%s outside the bounds', async (type) => {
    const { bound, action, outside, misfit } = sample(type)
    const here = await createWorld(server, { bounds: [bound], action })
    const answer = await here.exchange({}, { action: outside })
    expectRefused(answer, 400, 'access_denied')
    expect(namedMember(answer)).toBe(misfit)
    expect(await recordOf(here, answer.body.decision_id)).toMatchObject({
      id: answer.body.decision_id,
      decision: 'refused',
      refusal: 'action_not_permitted',
      detail: `the action is outside the bounds: ${misfit}`,
      agent: here.agent.id,
      principal: here.principal,
      delegation: here.delegation.id,
      resource: here.identifier,
      action_type: type,
      request_id: answer.headers['x-request-id'],
    })
    // The bounds are as good as before.
    expect((await here.exchange()).status).toBe(200)
  })

  const outsider = ['eve@evil.example']
  test.each<[string, unknown, string]>([
    ['to before cc', { type: 'email_send', to: outsider, cc: outsider, subject: 'a', body: 'b' }, 'to[0]'],
    ['cc before to', { type: 'email_send', cc: outsider, to: outsider, subject: 'a', body: 'b' }, 'cc'],
    ['a member the bound does not have', { ...sample('email_send').action, cc: ['bob@example.com'] }, 'cc'],
    ['a type the delegation does not have', sample('http_request').action, 'type'],
    [
      'a member that is missing',
      { type: 'mcp_tool_call', tool: 'search', arguments: { query: 'a' } },
      'arguments.limit',
    ],
    [
      'a name with characters that are not shown',
      { type: 'mcp_tool_call', tool: 'search', arguments: { 'say "hi" \\ ñ<b>': 1, query: 'a', limit: 1 } },
      'arguments.say??hi??????b?',
    ],
  ])('the member is named in the order of the action: %s', async (_name, action, member) => {
    const answer = await world.exchange({}, { action })
    expectRefused(answer, 400, 'access_denied')
    expect(namedMember(answer)).toBe(member)
  })

  test('a name of 60,000 characters does not make the description longer than 300', async () => {
    const action = {
      type: 'mcp_tool_call',
      tool: 'search',
      arguments: { ['n'.repeat(60_000)]: 1, query: 'a', limit: 1 },
    }
    expectRefused(await world.exchange({}, { action }), 400, 'access_denied')
  })

  test('neither the bounds nor the values are told', async () => {
    const { body } = await world.exchange({}, { action: sample('payment_initiation').outside })
    expect(JSON.stringify(body)).not.toMatch(/100|EUR|DE02|Merchant/)
  })
})

describe('if both fail, invalid_client wins', () => {
  const badProofs: readonly [string, object][] = [
    ['no proof', { proofs: [] }],
    ['two proofs', { proofs: ['a', 'b'] }],
    ['a stale proof', { proofClaims: { iat: 1 } }],
    ['a proof by a key that nobody registered', { proofKey: newClient('x').key }],
  ]
  const badAssertions: readonly [string, object][] = [
    ['a wrong audience', { assertionClaims: { aud: 'https://evil.example' } }],
    ['an expired one', { assertionClaims: { iat: 1, exp: 60 } }],
    ['an unknown kid', { assertionHeader: { kid: 'x' } }],
    ['none', { form: { client_assertion: undefined } }],
  ]
  test.each(badAssertions.flatMap(([a, x]) => badProofs.map(([b, y]) => [a, b, { ...x, ...y }] as const)))(
    'an assertion with %s and %s',
    async (_assertion, _proof, deviation) => {
      expectRefused(await world.exchange(deviation), 401, 'invalid_client')
    },
  )

  test('an assertion and a proof that were both used before', async () => {
    const { url, ...request } = exchangeOf(world)
    expect((await send(url, request)).status).toBe(200)
    expectRefused(await send(url, request), 401, 'invalid_client')
  })
})

describe('nothing that is refused gives anything', () => {
  test('other paths and methods answer in the same words', async () => {
    for (const [method, path, status] of [
      ['GET', '/token', 405],
      ['DELETE', '/introspect', 405],
      ['PUT', '/revoke', 405],
      ['POST', '/approvals', 404],
      ['GET', '/enrol', 405],
      ['POST', '/token/', 404],
      ['POST', '/TOKEN', 404],
      ['POST', '/%74oken', 404],
      ['GET', '/userinfo', 404],
      ['POST', '/register', 404],
      ['GET', '/.well-known/nothing', 404],
    ] as const) {
      const answer = await send(`${server.issuer}${path}`, { method })
      expect([path, answer.status]).toEqual([path, status])
      if (status === 405) expect(answer.headers.allow).toContain('POST')
      expectRefused(answer, status, 'invalid_request')
    }
  })
})

/** A description says why, and then at which member. */
const namedMember = ({ body }: { body: { error_description: string } }) => body.error_description.split(': ').at(-1)

/** The token with a character in the middle of its signature changed. */
function flipped(token: string): string {
  const at = token.length - 20
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}

function exchangeOf({ agent, wish }: { agent: TestClient; wish: World['wish'] }) {
  return oauthRequest(server.issuer, '/token', agent, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: wish.subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    resource: wish.resource,
    authorization_details: JSON.stringify([wish.action]),
  })
}
