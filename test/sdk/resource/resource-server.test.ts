import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { refuse } from '../../../src/core/refusal.ts'
import {
  contentDigest,
  createMemoryReplayStore,
  createResourceServer,
  isRefusal,
  type MarkResult,
  mcpToolCallAction,
  type ResourceRequest,
  type ResourceServerOptions,
  sqlStatementAction,
  type UnenforcedCredentials,
} from '../../../src/sdk/resource/index.ts'
import { makeKey, proof } from '../../wire/signing.ts'
import { actionToken, startIssuer, type TestIssuer } from './issuer.ts'

const ORIGIN = 'https://rs.example'
const NOTE = { type: 'note', text: 'hello' }
const agent = makeKey('ES256')
let issuer: TestIssuer
let seconds: number
beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(() => issuer.close())
beforeEach(() => {
  seconds = 1_800_000_000
})

const now = () => new Date(seconds * 1000)
const make = (options: Partial<ResourceServerOptions> = {}) =>
  createResourceServer({
    issuer: issuer.url,
    resource: ORIGIN,
    origin: ORIGIN,
    replay: createMemoryReplayStore(),
    now,
    ...options,
  })

function requestFor(
  action: object = NOTE,
  claims: Record<string, unknown> = {},
  proofClaims: Record<string, unknown> = {},
) {
  const accessToken = actionToken(issuer, { resource: ORIGIN, agent, action, now: now() }, claims)
  const dpop = proof(agent, { method: 'POST', htu: `${ORIGIN}/notes`, now: now(), accessToken }, proofClaims)
  return { method: 'POST', url: '/notes', rawHeaders: ['Authorization', `DPoP ${accessToken}`, 'DPoP', dpop] }
}

async function verified(server: ReturnType<typeof make>, request: ResourceRequest): Promise<UnenforcedCredentials> {
  const credentials = await server.verify(request)
  if (isRefusal(credentials)) throw new Error(credentials.detail)
  return credentials
}

describe('verify is no permission', () => {
  test('says only what type the credentials are for, and that they are not enforced', async () => {
    expect(await verified(make(), requestFor())).toEqual({ unenforced: true, actionType: 'note' })
  })

  test('burns nothing: verified many times, enforced once', async () => {
    const [server, request] = [make(), requestFor()]
    const all = [await verified(server, request), await verified(server, request), await verified(server, request)]
    const outcomes = await Promise.all(all.map((credentials) => server.enforce(credentials, NOTE)))
    expect(outcomes.map((outcome) => isRefusal(outcome) && outcome.code)).toEqual([
      false,
      'token_replayed',
      'token_replayed',
    ])
  })

  test('credentials that this server did not verify are a fault', async () => {
    const [server, other] = [make(), make()]
    const credentials = await verified(other, requestFor())
    const forged = [
      { unenforced: true, actionType: 'note' },
      { ...credentials },
      credentials,
    ] as UnenforcedCredentials[]
    for (const one of forged) await expect(server.enforce(one, NOTE)).rejects.toThrow(TypeError)
  })

  test('credentials cannot be changed after verification', async () => {
    expect(Object.isFrozen(await verified(make(), requestFor()))).toBe(true)
  })
})

describe('enforce', () => {
  test('a token that expired while the action was built -> token_expired; a second before -> accepted', async () => {
    for (const [passed, code] of [
      [64, undefined],
      [65, 'token_expired'],
    ] as const) {
      const server = make()
      const credentials = await verified(server, requestFor())
      seconds += passed
      const outcome = await server.enforce(credentials, NOTE)
      expect(isRefusal(outcome) ? outcome.code : undefined).toBe(code)
    }
  })

  test('a proof whose mark would be forgotten already -> proof_stale', async () => {
    const server = make()
    const credentials = await verified(server, requestFor(NOTE, { exp: seconds + 900 }))
    seconds += 330
    expect(await server.enforce(credentials, NOTE)).toMatchObject({ code: 'proof_stale' })
  })

  test('marks outlive what they mark', async () => {
    const marks: unknown[] = []
    const replay = {
      mark: (all: readonly { until: number }[]): MarkResult => {
        marks.push(...all.map(({ until }) => until - seconds))
        return 'marked'
      },
    }
    const server = make({ replay })
    await server.authorize(requestFor(NOTE, {}, { iat: seconds + 300 }), NOTE)
    // A token is accepted for 60 + 5 seconds, this proof for 600.
    expect(marks).toEqual([95, 630])
  })

  test('no form at all -> action_mismatch', async () => {
    expect(await make().authorize(requestFor(), [])).toMatchObject({ code: 'action_mismatch' })
  })

  test('a refusal in place of an action is the answer', async () => {
    const no = refuse('action_mismatch', 'not one action')
    expect(await make().authorize(requestFor(), () => no)).toBe(no)
  })

  test.each([
    { name: 'undefined member', actual: { ...NOTE, extra: undefined } },
    { name: 'a Date', actual: { ...NOTE, text: new Date(0) } },
    { name: 'a String object', actual: { ...NOTE, text: new String('hello') } },
    { name: 'null', actual: null },
    { name: 'a string', actual: 'note' },
    { name: 'inherited members', actual: Object.create(NOTE) },
  ])('an action that is not plain JSON ($name) -> not executed', async ({ actual }) => {
    const outcome = await make()
      .authorize(requestFor(), actual as never)
      .catch((error: unknown) => refuse('action_mismatch', String(error)))
    expect(isRefusal(outcome)).toBe(true)
  })

  test('the action is not built for credentials that do not verify', async () => {
    let built = 0
    const build = () => {
      built++
      return NOTE
    }
    await make().authorize({ ...requestFor(), rawHeaders: [] }, build)
    await make().authorize(requestFor(NOTE, { aud: 'https://other.example' }), build)
    expect(built).toBe(0)
  })

  test('a wrong location of the call -> action_mismatch, the right one or none -> accepted', async () => {
    expect(await make().authorize(requestFor(), { ...NOTE, locations: ['https://other.example'] })).toMatchObject({
      code: 'action_mismatch',
      member: 'locations[0]',
    })
    expect(isRefusal(await make().authorize(requestFor(), { ...NOTE, locations: [ORIGIN] }))).toBe(false)
  })
})

describe('digestible members of custom types', () => {
  const file = { type: 'file_put', path: '/a', content: 'long text' }
  const digested = { ...file, content: { s256: 'vzRDMjZRvzkzRx63RPGPC9RKDGMGgUxYTGGQa6VyRPg' } }

  test('declared: text against its digest, a digest we made against text', async () => {
    const server = make({ actionTypes: { file_put: { content: 'utf8' } } })
    const ours = { ...file, content: contentDigest('long text') }
    const token = { ...file, content: { ...contentDigest('long text') } }
    expect(isRefusal(await server.authorize(requestFor(token), file))).toBe(false)
    expect(isRefusal(await server.authorize(requestFor(file), ours))).toBe(false)
    expect(await server.authorize(requestFor(file), { ...file, content: { ...ours.content } })).toMatchObject({
      member: 'content',
    })
    expect(await server.authorize(requestFor(digested), digested)).toMatchObject({
      code: 'action_mismatch',
      member: 'content',
    })
  })

  test('not declared: compared as it stands', async () => {
    const token = { ...file, content: { ...contentDigest('long text') } }
    expect(await make().authorize(requestFor(token), file)).toMatchObject({ code: 'action_mismatch' })
  })

  test('a nested digest is found, a built-in type cannot be declared again', async () => {
    const server = make({ actionTypes: { put: { 'file.content': 'utf8' } } })
    const action = { type: 'put', file: { content: 'x' } }
    const foreign = { type: 'put', file: { content: { ...contentDigest('x') } } }
    expect(await server.authorize(requestFor(action), foreign)).toMatchObject({ member: 'file.content' })
    expect(() => make({ actionTypes: { email_send: {} } })).toThrow('built in')
  })
})

describe('forms of one call', () => {
  test('mcp_tool_call: absent arguments are {}', () => {
    expect(mcpToolCallAction({ tool: 't' })).toEqual([
      { type: 'mcp_tool_call', tool: 't', arguments: {} },
      { type: 'mcp_tool_call', tool: 't', arguments_s256: 'RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o' },
    ])
  })

  test('sql_statement: tables sorted and each once; no parameters is an empty list', () => {
    const call = { database: 'd', statement: 'select 1', tables: ['b.b', 'a.a', 'b.b'], operation: 'select' }
    const forms = sqlStatementAction(call)
    expect(forms).toHaveLength(4)
    expect(new Set(forms.map(({ tables }) => JSON.stringify(tables)))).toEqual(new Set(['["a.a","b.b"]']))
    expect(sqlStatementAction({ ...call, parameters: [1] })).toHaveLength(2)
  })
})

describe('createResourceServer', () => {
  test.each([
    { name: 'issuer over http', options: { issuer: 'http://as.example' } },
    { name: 'issuer with a path', options: { issuer: 'https://as.example/a' } },
    { name: 'origin with a slash', options: { origin: 'https://rs.example/' } },
    { name: 'origin over http', options: { origin: 'http://rs.example' } },
    { name: 'origin absent', options: { origin: undefined as never } },
    { name: 'resource relative', options: { resource: '/notes' } },
    { name: 'resource with a query', options: { resource: 'https://rs.example/?a' } },
    { name: 'resource with an empty fragment', options: { resource: 'https://rs.example/#' } },
    { name: 'resource that is the issuer', options: { issuer: 'https://as.example', resource: 'https://as.example' } },
    { name: 'no replay store', options: { replay: undefined as never } },
  ])('$name -> a fault before the first request', ({ options }) => {
    expect(() => make(options)).toThrow(TypeError)
  })

  test('a request that was here before is refused before any signature is checked, where the store says so at once', async () => {
    const [server, request] = [make(), requestFor()]
    expect(isRefusal(await server.authorize(request, NOTE))).toBe(false)
    const [, authorization = '', , dpop = ''] = request.rawHeaders
    const broken = (text: string) => `${text.slice(0, -86)}${'A'.repeat(86)}`
    const again = { ...request, rawHeaders: ['Authorization', broken(authorization), 'DPoP', broken(dpop)] }
    expect(await server.authorize(request, NOTE)).toMatchObject({ code: 'token_replayed' })
    // The proof is of the token as it was: its hash gives this one away first.
    expect(await server.authorize(again, NOTE)).toMatchObject({ code: 'proof_wrong_token' })
    const unsigned = { ...request, rawHeaders: ['Authorization', authorization, 'DPoP', broken(dpop)] }
    expect(await server.authorize(unsigned, NOTE)).toMatchObject({ code: 'token_replayed' })
    expect(await make().authorize(unsigned, NOTE)).toMatchObject({ code: 'proof_malformed' })
  })

  test('a store that cannot say so at once refuses a replay all the same', async () => {
    const { mark } = createMemoryReplayStore()
    const [server, request] = [make({ replay: { mark: async (...asked) => mark(...asked) } }), requestFor()]
    expect(isRefusal(await server.authorize(request, NOTE))).toBe(false)
    expect(await server.authorize(request, NOTE)).toMatchObject({ code: 'token_replayed' })
  })

  test('takes an IncomingMessage as it is', async () => {
    const message = new IncomingMessage(new Socket())
    const { rawHeaders, method, url } = requestFor()
    Object.assign(message, { rawHeaders, method, url })
    expect(isRefusal(await make().authorize(message, NOTE))).toBe(false)
  })

  test('the issuer down without keys -> a fault with status 503, never a yes', async () => {
    const down = await startIssuer()
    const server = createResourceServer({
      issuer: down.url,
      resource: ORIGIN,
      origin: ORIGIN,
      replay: createMemoryReplayStore(),
      now,
    })
    await down.close()
    const accessToken = actionToken(down, { resource: ORIGIN, agent, action: NOTE, now: now() })
    const dpop = proof(agent, { method: 'POST', htu: `${ORIGIN}/notes`, now: now(), accessToken })
    const rawHeaders = ['Authorization', `DPoP ${accessToken}`, 'DPoP', dpop]
    const request = { method: 'POST', url: '/notes', rawHeaders }
    await expect(server.authorize(request, NOTE)).rejects.toMatchObject({ status: 503 })
  })

  test.each([
    { url: '.evil.example/notes', htu: 'https://rs.example.evil.example/notes' },
    { url: ':8443/notes', htu: 'https://rs.example:8443/notes' },
    { url: '@evil.example/notes', htu: 'https://rs.example@evil.example/notes' },
    { url: 'https://rs.example/notes', htu: 'https://rs.example/notes' },
    { url: '', htu: 'https://rs.example/' },
    { url: undefined, htu: 'https://rs.example/' },
  ])('a request target that is no path ($url) -> proof_wrong_target', async ({ url, htu }) => {
    const request = { ...requestFor(NOTE, {}, { htu }), url }
    expect(await make().authorize(request, NOTE)).toMatchObject({ code: 'proof_wrong_target' })
  })

  test('garbage never throws and never authorizes', async () => {
    const server = make()
    await verified(server, requestFor())
    const header = fc.constantFrom('Authorization', 'DPoP', 'dpop', 'authorization', 'Host', '')
    const value = fc.oneof(
      fc.string(),
      fc.string().map((text) => `DPoP ${text}`),
      fc.base64String().map((text) => `DPoP ${text}.${text}.${text}`),
    )
    const request = fc.record({
      method: fc.option(fc.string(), { nil: undefined }),
      url: fc.option(fc.string(), { nil: undefined }),
      rawHeaders: fc.array(fc.tuple(header, value), { maxLength: 5 }).map((pairs) => pairs.flat()),
    })
    await fc.assert(
      fc.asyncProperty(request, async (garbage) => {
        const outcome = await server.authorize(garbage, NOTE)
        if (!isRefusal(outcome)) throw new Error('authorized')
        expect(server.challenge(outcome).status).toBe(401)
      }),
      { numRuns: 1_000 },
    )
  })
})
