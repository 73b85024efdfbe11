import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agentToken, given, type Holder, handOn, newAgent } from '../../support/chain.ts'
import {
  clientToken,
  type Deviation,
  exchange,
  introspect,
  newClient,
  revoke,
  seconds,
  type TestClient,
} from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World, type WorldOptions } from '../../support/world.ts'
import { administer, expectRefused, issued, recordOf, timestamp } from './answers.ts'

let server: TestServer
let world: World
let root: Holder
let helper: TestClient
let actorToken: string
/** Seconds that the server's own clock is ahead. */
let ahead = 0

const BOUND = {
  type: 'email_send',
  to: { $each: { $email_domain: ['example.com'] }, $max_items: 3 },
  subject: { $any: true },
  body: { $any: true },
}
const NARROWER = { ...BOUND, to: { $each: { $in: ['bob@example.com'] }, $max_items: 1 } }

/** A world whose delegation may be given on, with the columns that no door sets yet. */
async function delegableWorld(delegable: object = { max_depth: 3 }, options: WorldOptions = {}): Promise<World> {
  return createWorld(server, { ...options, delegation: { delegable, ...options.delegation } })
}

const holderOf = ({ agent, delegation }: World): Holder => ({ agent, subjectToken: delegation.subjectToken })
const act = (holder: Holder, of: World = world, action: unknown = of.action) =>
  exchange(server.issuer, holder.agent, { subjectToken: holder.subjectToken, resource: of.identifier, action })

beforeAll(async () => {
  server = await startTestServer({}, { clock: () => new Date(Date.now() + ahead * 1_000) })
  world = await delegableWorld()
  root = holderOf(world)
  helper = await newAgent(world)
  actorToken = await agentToken(server.issuer, helper)
})
afterAll(() => server.close())

const give = (deviation: Deviation = {}, bounds: readonly unknown[] = [NARROWER]) =>
  handOn(server.issuer, root, { bounds, actorToken }, deviation)

describe('a delegation that is given on', () => {
  test('is a delegation of the next agent: its token, bounds, end, and who gave it', async () => {
    const answer = await give({ form: { expires_in: '600' } })
    expect(answer.status, answer.text).toBe(200)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.body).toStrictEqual({
      access_token: expect.any(String),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'DPoP',
      expires_in: 600,
      authorization_details: [NARROWER],
    })
    const claims = claimsOf(answer.body.access_token)
    expect(claims).toMatchObject({
      ...{ iss: server.issuer, aud: server.issuer, sub: world.principal, client_id: helper.id },
      ...{ may_act: { sub: helper.id }, token_use: 'subject' },
    })
    expect(claims.exp - claims.iat).toBe(600)
    const { body } = await administer(world, 'GET', `/admin/delegations/${claims.jti}`)
    expect(body).toMatchObject({
      ...{ principal: world.principal, agent: helper.id, resource: world.identifier, status: 'active' },
      ...{ granted_by: `agent:${world.agent.id}`, authorization_details: [NARROWER] },
    })
    const { body: page } = await world.api.call('GET', `/admin/records?delegation=${claims.jti}`)
    expect(page.items).toMatchObject([
      {
        ...{ kind: 'delegation', decision: 'issued', client: world.agent.id, agent: world.agent.id },
        ...{ principal: world.principal, delegation: claims.jti },
        because: { parent: world.delegation.id, to: helper.id, authorization_details: [NARROWER] },
      },
    ])
  })

  test('has an approval rule of its own, and those above it count anyway', async () => {
    const each = { approval: '{"mode":"each"}' }
    const child = await given(server.issuer, root, helper, [NARROWER], { ...each, delegable: '{"max_depth":1}' })
    const { jti } = claimsOf(child.subjectToken)
    expect((await administer(world, 'GET', `/admin/delegations/${jti}`)).body.approval).toEqual({ mode: 'each' })
    const { items } = (await world.api.call('GET', `/admin/records?delegation=${jti}`)).body
    expect(items[0].because.approval).toEqual({ mode: 'each' })
    expect((await act(child)).body.error).toBe('authorization_pending')
    // Whoever it is given on to says that nobody is to be asked, which changes nothing.
    const last = await given(server.issuer, child, await newAgent(world), [NARROWER], { approval: 'none' })
    expect((await act(last)).body.error).toBe('authorization_pending')
    await issued(act(await given(server.issuer, root, helper, [NARROWER])))
  })

  test('may ask whom a rule above it names, and nobody else', async () => {
    const rule = { mode: 'each', approvers: ['boss-of-the-chain'] }
    await world.api.call('POST', '/admin/principals', { id: 'boss-of-the-chain' })
    const asked = await delegableWorld({ max_depth: 1 }, { delegation: { approval: rule } })
    const next = await newAgent(asked)
    const asking = (approver: string) => ({ approval: JSON.stringify({ mode: 'each', approvers: [approver] }) })
    await given(server.issuer, holderOf(asked), next, [NARROWER], asking('boss-of-the-chain'))
    await given(server.issuer, holderOf(asked), next, [NARROWER], asking(asked.principal))
    const form = asking(world.principal)
    const token = await agentToken(server.issuer, next)
    const other = await handOn(server.issuer, holderOf(asked), { bounds: [NARROWER], actorToken: token }, { form })
    expectRefused(other, 400, 'access_denied')
    expect(other.body.error_description).toMatch(/approval\.approvers\[0\]$/)
  })

  test('lasts as long as its parent where nothing is said', async () => {
    const { body } = await give()
    const parent = claimsOf(world.delegation.subjectToken)
    expect(claimsOf(body.access_token).exp).toBe(parent.exp)
  })

  test('gives tokens with the whole chain of actors, the same at introspection', async () => {
    const child = await given(server.issuer, root, helper, [NARROWER], { delegable: '{"max_depth":1}' })
    const last = await newAgent(world)
    const grandchild = await given(server.issuer, child, last, [NARROWER])
    const token = await issued(act(grandchild))
    const actor = (sub: string) => ({ iss: server.issuer, sub, sub_profile: 'ai_agent' })
    const claims = claimsOf(token)
    expect(claims).toMatchObject({ sub: world.principal, client_id: last.id })
    expect(claims.act).toStrictEqual({
      ...actor(last.id),
      act: { ...actor(helper.id), act: actor(world.agent.id) },
    })
    const { body } = await introspect(server.issuer, world.resource, token)
    expect(body).toMatchObject({ active: true, act: claims.act })
  })

  test('allows what its bounds allow, and no more', async () => {
    const child = await given(server.issuer, root, helper, [NARROWER])
    await issued(act(child))
    const wider = await act(child, world, { ...world.action, to: ['eve@example.com'] })
    expectRefused(wider, 400, 'access_denied')
    expect(wider.body.error_description).toMatch(/to\[0\]/)
  })

  test('belongs to the next agent alone', async () => {
    const child = await given(server.issuer, root, helper, [NARROWER])
    expectRefused(await act({ ...child, agent: world.agent }), 400, 'invalid_grant')
  })

  test('counts at the limits of its own, and at those of its parent', async () => {
    const own = await delegableWorld({ max_depth: 1 }, { delegation: { limits: { max_uses: 3 } } })
    const [a, b] = [await newAgent(own), await newAgent(own)]
    const limits = JSON.stringify({ max_uses: 2 })
    const first = await given(server.issuer, holderOf(own), a, [NARROWER], { limits })
    const second = await given(server.issuer, holderOf(own), b, [NARROWER])
    await issued(act(first, own))
    await issued(act(first, own))
    expectRefused(await act(first, own), 400, 'access_denied')
    await issued(act(second, own))
    expectRefused(await act(second, own), 400, 'access_denied')
  })
})

/** Constraint pairs of one member: a parent's, a child's that is wider. */
const OPERATORS: Readonly<Record<string, { readonly narrow: unknown; readonly wide: unknown }>> = {
  literal: { narrow: 'abc', wide: 'abd' },
  in: { narrow: { $in: ['abc', 'abd'] }, wide: { $in: ['abc', 'xyz'] } },
  prefix: { narrow: { $prefix: 'ab' }, wide: { $prefix: 'a' } },
  suffix: { narrow: { $suffix: 'bc' }, wide: { $suffix: 'c' } },
  email_domain: { narrow: { $email_domain: ['a.example'] }, wide: { $email_domain: ['a.example', 'b.example'] } },
  path_within: { narrow: { $path_within: '/data/x' }, wide: { $path_within: '/data' } },
  url_within: { narrow: { $url_within: 'https://a.example/v1/' }, wide: { $url_within: 'https://a.example/' } },
  min: { narrow: { $min: '5' }, wide: { $min: '4' } },
  max: { narrow: { $max: '5' }, wide: { $max: '6' } },
  all: { narrow: { $all: [{ $prefix: 'a' }, { $suffix: 'c' }] }, wide: { $all: [{ $prefix: 'a' }] } },
  optional: { narrow: { $optional: 'abc' }, wide: { $optional: { $prefix: 'a' } } },
  any: { narrow: 'abc', wide: { $any: true } },
}

describe('each operator, and each pair of operators', () => {
  let type: string
  let free: World
  beforeAll(async () => {
    type = `free_${Math.random().toString(36).slice(2)}`
    const text = { type: 'string', maxLength: 200 }
    await administer(world, 'POST', '/admin/action-types', {
      ...{ type, title: 'Free', template: 'Do {a}', risk: 'write' },
      schema: {
        ...{ type: 'object', additionalProperties: false, required: [] },
        properties: { a: text, list: { type: 'array', items: text, maxItems: 9 } },
      },
    })
    free = await createWorld(server)
  })

  /** Gives on a delegation whose one member is bounded so to a child whose one member is bounded so. */
  async function pair(parent: object, child: object) {
    const { body, status, text } = await free.api.call('POST', '/admin/delegations', {
      ...{ principal: free.principal, agent: free.agent.id, resource: free.identifier },
      ...{ authorization_details: [{ type, ...parent }], delegable: { max_depth: 1 } },
    })
    expect(status, text).toBe(201)
    return handOn(
      server.issuer,
      { agent: free.agent, subjectToken: body.subject_token },
      { bounds: [{ type, ...child }], actorToken },
    )
  }

  test.each(Object.entries(OPERATORS))('%s: itself is within, wider is refused at its member', async (_, pairOf) => {
    const same = await pair({ a: pairOf.narrow }, { a: pairOf.narrow })
    expect(same.status, same.text).toBe(200)
    const wider = await pair({ a: pairOf.narrow }, { a: pairOf.wide })
    expectRefused(wider, 400, 'access_denied')
    expect(wider.body.error_description).toBe('is wider than the delegation: authorization_details[0].a')
  })

  // What one operator allows and another one does not: every pair that is not listed is refused.
  const WITHIN = new Set([
    ...['literal in', 'literal prefix', 'literal suffix', 'literal all', 'literal optional'],
    ...['any in', 'any prefix', 'any suffix', 'any all', 'any literal', 'any optional'],
    'in prefix',
  ])
  const names = Object.keys(OPERATORS)
  const pairs = names.flatMap((child) => names.filter((parent) => parent !== child).map((parent) => [child, parent]))
  test.each(pairs as [string, string][])('%s of the child in %s of the parent', async (child, parent) => {
    const c = OPERATORS[child]?.narrow
    const p = parent === 'any' ? { $any: true } : OPERATORS[parent]?.narrow
    const answer = await pair({ a: p }, { a: c })
    const name = `${child} ${parent}`
    // `$any` holds everything; the child that says `any` here is the literal.
    const isWithin = parent === 'any' || WITHIN.has(name)
    if (isWithin) expect(answer.status, `${name}: ${answer.text}`).toBe(200)
    else {
      expectRefused(answer, 400, 'access_denied')
      expect(answer.body.error_description).toBe('is wider than the delegation: authorization_details[0].a')
    }
  })

  test.each<[string, object, object, string]>([
    ['more elements', { list: { $each: 'a', $max_items: 2 } }, { list: { $each: 'a', $max_items: 3 } }, 'list'],
    ['any number of elements', { list: { $each: 'a', $max_items: 2 } }, { list: { $each: 'a' } }, 'list'],
    ['a wider element', { list: { $each: 'a' } }, { list: { $each: { $any: true } } }, 'list'],
    ['a longer array', { list: ['a'] }, { list: ['a', 'b'] }, 'list'],
    ['a wider element of an array', { list: ['a', { $any: true }] }, { list: [{ $any: true }, 'b'] }, 'list'],
    [
      'a query',
      { a: { $url_within: 'https://a.example/' } },
      { a: { $url_within: 'https://a.example/', $query: true } },
      'a',
    ],
    ['one member more', { a: 'x' }, { a: 'x', list: ['y'] }, 'list'],
    ['a member that may be missing', { a: 'x' }, { a: { $optional: 'x' } }, 'a'],
    ['a member that the parent asks for', { a: 'x', list: ['y'] }, { a: 'x' }, 'list'],
  ])('%s is refused', async (_name, parent, child, member) => {
    const answer = await pair(parent, child)
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toBe(`is wider than the delegation: authorization_details[0].${member}`)
  })

  test('two bounds of the parent together hold nothing that neither does', async () => {
    const { body } = await administer(free, 'POST', '/admin/delegations', {
      ...{ principal: free.principal, agent: free.agent.id, resource: free.identifier, delegable: { max_depth: 1 } },
      authorization_details: [
        { type, a: 'x' },
        { type, a: 'y' },
      ],
    })
    const from = { agent: free.agent, subjectToken: body.subject_token }
    const answer = await handOn(server.issuer, from, { bounds: [{ type, a: { $in: ['x', 'y'] } }], actorToken })
    expectRefused(answer, 400, 'access_denied')
  })
})

describe('refused: wider in a single member', () => {
  test.each<[string, object, string]>([
    ['to', { to: { $each: { $email_domain: ['example.com', 'evil.example'] }, $max_items: 3 } }, 'to'],
    ['the number of to', { to: { $each: { $email_domain: ['example.com'] }, $max_items: 4 } }, 'to'],
    ['cc', { cc: { $any: true } }, 'cc'],
  ])('%s', async (_name, change, member) => {
    const answer = await give({}, [{ ...BOUND, ...change }])
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toBe(`is wider than the delegation: authorization_details[0].${member}`)
    expect(await recordOf(world, answer.body.decision_id)).toMatchObject({
      ...{ kind: 'delegation', decision: 'refused', refusal: 'delegation_not_permitted' },
      ...{ delegation: world.delegation.id, detail: expect.stringContaining(member) },
    })
  })

  test('another type', async () => {
    const answer = await give({}, [{ type: 'http_request', method: 'GET', url: { $url_within: 'https://a.example/' } }])
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/authorization_details\[0\]\.type/)
  })

  test('the second bound only', async () => {
    const answer = await give({}, [NARROWER, { ...BOUND, cc: { $any: true } }])
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/authorization_details\[1\]\.cc/)
  })
})

describe('refused: elsewhere, longer, deeper', () => {
  test('a place that the delegation does not name', async () => {
    expectRefused(await give({}, [{ ...NARROWER, locations: ['https://elsewhere.example'] }]), 400, 'invalid_target')
  })

  test('a place of another bound', async () => {
    const other = await createWorld(server)
    const own = await createWorld(server)
    const places = { principal: own.principal, agent: own.agent.id, delegable: { max_depth: 1 } }
    const { body } = await administer(own, 'POST', '/admin/delegations', {
      ...places,
      authorization_details: [
        { ...NARROWER, locations: [own.identifier] },
        { ...BOUND, locations: [other.identifier] },
      ],
    })
    const from = { agent: own.agent, subjectToken: body.subject_token }
    const at = (locations?: readonly string[]) =>
      handOn(server.issuer, from, { bounds: [{ ...BOUND, ...(locations && { locations }) }], actorToken })
    expectRefused(await at([own.identifier]), 400, 'access_denied')
    expectRefused(await at([own.identifier, other.identifier]), 400, 'access_denied')
    expectRefused(await at(['https://elsewhere.example']), 400, 'invalid_target')
    expectRefused(await at(), 400, 'invalid_authorization_details')
    expect((await at([other.identifier])).status).toBe(200)
  })

  test('a second longer than its parent', async () => {
    const own = await delegableWorld({ max_depth: 1 }, { delegation: { expires_at: timestamp(seconds() + 1_000) } })
    const end = (n: number) =>
      handOn(server.issuer, holderOf(own), { bounds: [NARROWER], actorToken }, { form: { expires_in: String(n) } })
    const answer = await end(1_001)
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/expires_in/)
    expect((await end(900)).status).toBe(200)
  })

  test.each([
    ['when it may not be given on', { max_depth: 0 }, {}],
    ['deeper than is left', { max_depth: 1 }, { delegable: '{"max_depth":1}' }],
    ['deeper than a chain may be', { max_depth: 7 }, { delegable: '{"max_depth":7}' }],
  ])('%s', async (_name, delegable, form) => {
    const own = await delegableWorld(delegable)
    const answer = await handOn(server.issuer, holderOf(own), { bounds: [NARROWER], actorToken }, { form })
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/delegable\.max_depth/)
  })

  test('the depth counts down: the child may no more, unless its parent said so', async () => {
    const own = await delegableWorld({ max_depth: 2 })
    const [a, b, c] = [await newAgent(own), await newAgent(own), await newAgent(own)]
    const one = await given(server.issuer, holderOf(own), a, [NARROWER])
    const wish = async (to: TestClient) => ({ bounds: [NARROWER], actorToken: await agentToken(server.issuer, to) })
    expectRefused(await handOn(server.issuer, one, await wish(b)), 400, 'access_denied')
    const two = await given(server.issuer, holderOf(own), a, [NARROWER], { delegable: '{"max_depth":1}' })
    const three = await given(server.issuer, two, b, [NARROWER])
    expectRefused(await handOn(server.issuer, three, await wish(c)), 400, 'access_denied')
  })

  test('a chain of 8 and not of 9', async () => {
    const own = await delegableWorld({ max_depth: 7 })
    let holder = holderOf(own)
    for (let depth = 6; depth >= 0; depth--) {
      const delegable = JSON.stringify({ max_depth: depth })
      holder = await given(server.issuer, holder, await newAgent(own), [NARROWER], { delegable })
    }
    const claims = claimsOf(await issued(act(holder, own)))
    let depth = 0
    for (let actor = claims.act; actor !== undefined; actor = actor.act) depth++
    expect(depth).toBe(8)
    const actor = await agentToken(server.issuer, await newAgent(own))
    expectRefused(await handOn(server.issuer, holder, { bounds: [NARROWER], actorToken: actor }), 400, 'access_denied')
  })
})

describe('refused: to whom', () => {
  test('an agent that is not named, or named by the child alone', async () => {
    const own = await createWorld(server)
    const [a, b] = [await newAgent(own), await newAgent(own)]
    const { body } = await administer(own, 'POST', '/admin/delegations', {
      ...{ principal: own.principal, agent: own.agent.id, resource: own.identifier },
      ...{ authorization_details: [BOUND], delegable: { max_depth: 3, agents: [a.id] } },
    })
    const from = { agent: own.agent, subjectToken: body.subject_token }
    const to = async (agent: TestClient, form: Record<string, string> = {}) =>
      handOn(server.issuer, from, { bounds: [NARROWER], actorToken: await agentToken(server.issuer, agent) }, { form })
    const unnamed = await to(b)
    expectRefused(unnamed, 400, 'access_denied')
    expect(unnamed.body.error_description).toMatch(/delegable\.agents/)
    const wider = JSON.stringify({ max_depth: 1, agents: [a.id, b.id] })
    expectRefused(await to(a, { delegable: wider }), 400, 'access_denied')
    // Whom the parent names still holds where the child names nobody.
    const child = await given(server.issuer, from, a, [NARROWER], { delegable: '{"max_depth":1}' })
    const token = await agentToken(server.issuer, b)
    expectRefused(await handOn(server.issuer, child, { bounds: [NARROWER], actorToken: token }), 400, 'access_denied')
  })

  test('itself', async () => {
    const own = await agentToken(server.issuer, world.agent)
    const answer = await give({ form: { actor_token: own } })
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/itself/)
  })

  test('in a circle', async () => {
    const child = await given(server.issuer, root, helper, [NARROWER], { delegable: '{"max_depth":2}' })
    const next = await newAgent(world)
    const grandchild = await given(server.issuer, child, next, [NARROWER], { delegable: '{"max_depth":1}' })
    for (const agent of [world.agent, helper]) {
      const wish = { bounds: [NARROWER], actorToken: await agentToken(server.issuer, agent) }
      const answer = await handOn(server.issuer, grandchild, wish)
      expectRefused(answer, 400, 'access_denied')
      expect(answer.body.error_description).toMatch(/in the chain/)
    }
  })

  test('by an agent whose delegation it is not', async () => {
    const stranger = await newAgent(world)
    expectRefused(
      await handOn(server.issuer, { ...root, agent: stranger }, { bounds: [NARROWER], actorToken }),
      400,
      'invalid_grant',
    )
  })

  test('by a resource server', async () => {
    const answer = await handOn(server.issuer, { ...root, agent: world.resource }, { bounds: [NARROWER], actorToken })
    expectRefused(answer, 400, 'unauthorized_client')
  })
})

describe('refused: the actor token', () => {
  const withToken = (token: string) => give({ form: { actor_token: token } })

  test('that is none, or of a foreign issuer', async () => {
    expectRefused(await withToken('x'), 400, 'invalid_grant')
    const foreign = await startTestServer()
    try {
      const there = await createWorld(foreign)
      expectRefused(await withToken(await agentToken(foreign.issuer, there.agent)), 400, 'invalid_grant')
    } finally {
      await foreign.close()
    }
  })

  test('that has expired', async () => {
    const token = actorToken
    const { exp } = claimsOf(token)
    for (const [late, status] of [
      [exp - seconds() - 3, 200],
      [exp - seconds() + 1, 400],
    ] as const) {
      ahead = late
      const now = seconds() + late
      const answer = await give({
        ...{ form: { actor_token: token }, assertionClaims: { iat: now, exp: now + 60 }, proofClaims: { iat: now } },
      })
      ahead = 0
      expect(answer.status, answer.text).toBe(status)
      if (status === 400) expectRefused(answer, 400, 'invalid_grant')
    }
  })

  test('that was revoked', async () => {
    const token = await agentToken(server.issuer, helper)
    expect((await withToken(token)).status).toBe(200)
    expect((await revoke(server.issuer, helper, token)).status).toBe(200)
    expectRefused(await withToken(token), 400, 'invalid_grant')
  })

  test('of another use: an action token, a subject token, an administrator’s', async () => {
    expectRefused(await withToken(await issued(world.exchange())), 400, 'invalid_grant')
    expectRefused(await withToken(world.delegation.subjectToken), 400, 'invalid_grant')
    const admin = await clientToken(server.issuer, server.admin)
    expectRefused(await withToken(admin.body.access_token), 400, 'invalid_grant')
  })

  test('of a resource server', async () => {
    expectRefused(await withToken(await issued(clientToken(server.issuer, world.resource))), 400, 'invalid_grant')
  })

  test.each(['suspend', 'retire'])('of an agent after %s', async (verb) => {
    const agent = await newAgent(world)
    const token = await agentToken(server.issuer, agent)
    await administer(world, 'POST', `/admin/agents/${agent.id}/${verb}`, { reason: 'test' })
    expectRefused(await withToken(token), 400, 'invalid_grant')
  })

  test('whose key was retired', async () => {
    const agent = await newAgent(world)
    const token = await agentToken(server.issuer, agent)
    await administer(world, 'DELETE', `/admin/agents/${agent.id}/keys/${agent.key.jkt}`)
    expectRefused(await withToken(token), 400, 'invalid_grant')
  })
})

describe('refused: the form', () => {
  test.each<[string, Record<string, string | undefined>, string]>([
    ['no actor_token_type', { actor_token_type: undefined }, 'invalid_request'],
    ['another actor_token_type', { actor_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, 'invalid_request'],
    ['actor_token_type alone', { actor_token: undefined }, 'invalid_request'],
    ['an actor_token that is too long', { actor_token: 'x'.repeat(9_000) }, 'invalid_request'],
    ['a turn', { turn: 'turn-1' }, 'invalid_request'],
    ['a batch', { batch: 'true', turn: undefined }, 'invalid_request'],
    ['an expires_in of 0', { expires_in: '0' }, 'invalid_request'],
    ['an expires_in that is no number', { expires_in: '1e3' }, 'invalid_request'],
    ['limits that are no JSON', { limits: '{' }, 'invalid_request'],
    ['limits that mean nothing', { limits: '{"max_uses":0}' }, 'invalid_request'],
    [
      'limits that cannot be counted',
      { limits: '{"sums":[{"member":"x.amount","max":"1","extra":1}]}' },
      'invalid_request',
    ],
    ['a delegable that is none', { delegable: '{"max_depth":-1}' }, 'invalid_request'],
    ['a delegable that is no JSON', { delegable: 'x' }, 'invalid_request'],
    ['an approval that is none', { approval: 'sometimes' }, 'invalid_request'],
    ['an approval that is no JSON', { approval: '{' }, 'invalid_request'],
    ['outside of nothing', { approval: '"outside"' }, 'invalid_request'],
    [
      'outside of what is no bound',
      { approval: JSON.stringify({ mode: 'outside', outside: [{ ...BOUND, to: { $x: 1 } }] }) },
      'invalid_authorization_details',
    ],
    [
      'an approver whom the chain does not name',
      { approval: '{"mode":"each","approvers":["mallory"]}' },
      'access_denied',
    ],
    ['a scope', { scope: 'x' }, 'invalid_scope'],
    ['another resource', { resource: 'https://mail.example' }, 'invalid_target'],
    ['no resource', { resource: undefined }, 'invalid_request'],
    ['bounds that are no JSON', { authorization_details: '[' }, 'invalid_authorization_details'],
    ['no bounds', { authorization_details: '[]' }, 'invalid_authorization_details'],
    ['33 bounds', { authorization_details: JSON.stringify(Array(33).fill(NARROWER)) }, 'invalid_authorization_details'],
    ['an unknown type', { authorization_details: '[{"type":"nothing_known"}]' }, 'invalid_authorization_details'],
    [
      'an unknown operator',
      { authorization_details: JSON.stringify([{ ...BOUND, to: { $x: 1 } }]) },
      'invalid_authorization_details',
    ],
    [
      'an unknown member',
      { authorization_details: JSON.stringify([{ ...BOUND, colour: 'red' }]) },
      'invalid_authorization_details',
    ],
    ['a subject token that is none', { subject_token: 'x' }, 'invalid_grant'],
  ])('%s: %s', async (_name, form, error) => {
    expectRefused(await give({ form }), 400, error)
  })

  test.each(['none', 'each', '"none"', '{"mode":"none"}'])('the approval %s is one', async (approval) => {
    expect((await give({ form: { approval } })).status).toBe(200)
  })

  test('who is not authenticated', async () => {
    expectRefused(await give({ assertionClaims: { aud: 'https://else.example' } }), 401, 'invalid_client')
    expectRefused(await give({ proofs: [] }), 400, 'invalid_dpop_proof')
    expectRefused(await give({ proofKey: newClient('x').key }), 400, 'invalid_dpop_proof')
  })

  test('what was used before, also by what was refused', async () => {
    const proofClaims = { jti: `proof-${Math.random()}` }
    expectRefused(await give({ proofClaims, form: { subject_token: 'x' } }), 400, 'invalid_grant')
    expectRefused(await give({ proofClaims }), 400, 'invalid_dpop_proof')
    const assertionClaims = { jti: `assertion-${Math.random()}` }
    expect((await give({ assertionClaims })).status).toBe(200)
    expectRefused(await give({ assertionClaims }), 401, 'invalid_client')
  })
})

describe('what stops one of the chain stops all below it, at mint and at introspection', () => {
  interface Line {
    readonly world: World
    readonly agents: readonly [TestClient, TestClient, TestClient]
    readonly holders: readonly [Holder, Holder, Holder]
    readonly sibling: Holder
  }
  async function line(): Promise<Line> {
    const own = await delegableWorld({ max_depth: 2 })
    const [b, c, d] = [await newAgent(own), await newAgent(own), await newAgent(own)]
    const first = holderOf(own)
    const second = await given(server.issuer, first, b, [NARROWER], { delegable: '{"max_depth":1}' })
    const third = await given(server.issuer, second, c, [NARROWER])
    const sibling = await given(server.issuer, first, d, [NARROWER])
    return { world: own, agents: [own.agent, b, c], holders: [first, second, third], sibling }
  }
  const isActive = async (of: World, token: string) => (await introspect(server.issuer, of.resource, token)).body.active

  test.each([
    ['suspend', 0],
    ['suspend', 1],
    ['suspend', 2],
    ['retire', 0],
    ['retire', 1],
  ] as const)('%s of agent %i', async (verb, n) => {
    const own = await line()
    const tokens = await Promise.all(own.holders.map((holder) => issued(act(holder, own.world))))
    await administer(own.world, 'POST', `/admin/agents/${own.agents[n].id}/${verb}`, { reason: 'test' })
    for (const [i, holder] of own.holders.entries()) {
      const answer = await act(holder, own.world)
      if (i < n) expect(answer.status).toBe(200)
      else if (i === n) expectRefused(answer, 401, 'invalid_client')
      else expectRefused(answer, 400, 'invalid_grant')
      expect(await isActive(own.world, tokens[i] ?? '')).toBe(i < n)
    }
    if (verb === 'retire') return
    await administer(own.world, 'POST', `/admin/agents/${own.agents[n].id}/resume`, {})
    expect(await isActive(own.world, tokens[2] ?? '')).toBe(true)
    await issued(act(own.holders[2], own.world))
  })

  test.each([
    ['an administrator', 0],
    ['an administrator', 1],
    ['an administrator', 2],
    ['its agent', 0],
    ['its agent', 1],
    ['its agent', 2],
  ] as const)('revocation by %s of delegation %i', async (by, n) => {
    const own = await line()
    const tokens = await Promise.all(own.holders.map((holder) => issued(act(holder, own.world))))
    const beside = await issued(act(own.sibling, own.world))
    const { subjectToken, agent } = own.holders[n]
    const { jti } = claimsOf(subjectToken)
    if (by === 'its agent') expect((await revoke(server.issuer, agent, subjectToken)).status).toBe(200)
    else await administer(own.world, 'DELETE', `/admin/delegations/${jti}`, { reason: 'test' })
    for (const [i, holder] of own.holders.entries()) {
      const answer = await act(holder, own.world)
      if (i < n) expect(answer.status).toBe(200)
      else expectRefused(answer, 400, 'invalid_grant')
      expect(await isActive(own.world, tokens[i] ?? '')).toBe(i < n)
      const { body } = await administer(own.world, 'GET', `/admin/delegations/${claimsOf(holder.subjectToken).jti}`)
      expect(body.status).toBe(i < n ? 'active' : 'revoked')
    }
    expect(await isActive(own.world, beside)).toBe(n > 0)
    // Nothing grows on it any more.
    const wish = { bounds: [NARROWER], actorToken }
    const answer = await handOn(server.issuer, own.holders[Math.min(n, 1)] as Holder, wish)
    if (n < 2) expectRefused(answer, 400, 'invalid_grant')
  })

  test('a suspended principal', async () => {
    const own = await line()
    await administer(own.world, 'POST', `/admin/principals/${own.world.principal}/suspend`, { reason: 'left' })
    expectRefused(await act(own.holders[2], own.world), 400, 'invalid_grant')
    expectRefused(await handOn(server.issuer, own.holders[1], { bounds: [NARROWER], actorToken }), 400, 'invalid_grant')
  })

  test('the stop of everything, until it is over', async () => {
    const own = await line()
    const wish = { bounds: [NARROWER], actorToken: await agentToken(server.issuer, await newAgent(own.world)) }
    await administer(own.world, 'POST', '/admin/stop', { reason: 'test' })
    try {
      const answer = await handOn(server.issuer, own.holders[1], wish)
      expectRefused(answer, 400, 'access_denied')
      expect(answer.body.error_description).toMatch(/stopped everything/)
    } finally {
      await administer(own.world, 'DELETE', '/admin/stop')
    }
    expect((await handOn(server.issuer, own.holders[1], wish)).status).toBe(200)
  })
})
