import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { given, newAgent } from '../../support/chain.ts'
import {
  type Answer,
  type Deviation,
  exchange,
  introspect,
  newClient,
  revoke,
  type TestClient,
} from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World, type WorldOptions } from '../../support/world.ts'
import { SAMPLES } from './actions.ts'
import { administer, expectRefused, issued, recordOf } from './answers.ts'

let server: TestServer
/** Seconds that the server's own clock is ahead. */
let ahead = 0
beforeAll(async () => {
  server = await startTestServer({}, { clock: () => new Date(Date.now() + ahead * 1_000) })
})
afterAll(() => server.close())

const { payment_initiation: PAYMENT } = SAMPLES as Required<typeof SAMPLES>
const MAIL = { type: 'email_send', to: ['book@ledger.example'], subject: 'Paid', body: 'See the ledger.' }
const MAIL_BOUND = { type: 'email_send', to: ['book@ledger.example'], subject: { $any: true }, body: { $any: true } }

/** A shop that takes payments, and a mailer that it may call for one of them. */
interface Place {
  readonly world: World
  readonly shop: TestClient
  readonly mailer: { readonly client: TestClient; readonly identifier: string }
  readonly rule: string
  /** A token for the shop. */
  readonly incoming: (deviation?: Deviation, change?: object) => Promise<string>
  /** The shop asks for a token for the mailer. */
  readonly ask: (subjectToken: string, change?: Ask) => Promise<Answer>
}
interface Ask {
  readonly by?: TestClient
  readonly action?: unknown
  readonly resource?: string
  readonly deviation?: Deviation
}

let places = 0
async function newResource(world: World, name: string, members: object = {}) {
  const client = newClient(`${world.resource.id}-${name}-${++places}`)
  const identifier = `https://${client.id}.example`
  const keys = [{ jwk: client.key.jwk }]
  await administer(world, 'POST', '/admin/resources', { id: client.id, identifier, keys, ...members })
  return { client, identifier }
}

const addRule = async (world: World, from: TestClient, rule: object): Promise<string> =>
  (await administer(world, 'POST', `/admin/resources/${from.id}/downstream`, rule)).body.id

async function place(rule: object = {}, options: WorldOptions = {}, mailerMembers: object = {}): Promise<Place> {
  const bounds = [PAYMENT?.bound as object]
  const action = PAYMENT?.action ?? {}
  const world = await createWorld(server, { bounds, action, ...options })
  const mailer = await newResource(world, 'mailer', mailerMembers)
  const shop = world.resource
  return {
    ...{ world, shop, mailer },
    rule: await addRule(world, shop, {
      from: { ...PAYMENT?.bound, remittanceInformationUnstructured: { $any: true } },
      to_resource: mailer.identifier,
      authorization_details: [MAIL_BOUND],
      ...rule,
    }),
    incoming: (deviation, change) => issued(world.exchange(deviation, { action: { ...action, ...change } })),
    ask: (subjectToken, { by = shop, action: wanted = MAIL, resource = mailer.identifier, deviation } = {}) =>
      exchange(server.issuer, by, { subjectToken, resource, action: wanted }, deviation),
  }
}

describe('a resource server that calls another one', () => {
  test('gets a token of its own for what a rule names: chain, principal, transaction, key', async () => {
    const { world, shop, mailer, rule, incoming, ask } = await place()
    const first = claimsOf(await incoming())
    const subjectToken = await incoming()
    const before = claimsOf(subjectToken)
    const answer = await ask(subjectToken)
    expect(answer.status, answer.text).toBe(200)
    const claims = claimsOf(answer.body.access_token)
    expect(claims).toStrictEqual({
      ...{ iss: server.issuer, aud: mailer.identifier, sub: world.principal, client_id: shop.id },
      act: { iss: server.issuer, sub: shop.id, act: before.act },
      cnf: { jkt: shop.key.jkt },
      authorization_details: [{ ...MAIL, locations: [mailer.identifier] }],
      ...{ delegation_id: world.delegation.id, txn: before.txn, jti: expect.any(String) },
      ...{ iat: expect.any(Number), exp: expect.any(Number) },
    })
    expect(before.act).toStrictEqual({ iss: server.issuer, sub: world.agent.id, sub_profile: 'ai_agent' })
    expect(claims.txn).not.toBe(first.txn)
    expect(claims.exp).toBeLessThanOrEqual(before.exp)
    const seen = await introspect(server.issuer, mailer.client, answer.body.access_token)
    expect(seen.body).toMatchObject({ active: true, act: claims.act, client_id: shop.id })
    const { body } = await world.api.call('GET', `/admin/records?delegation=${world.delegation.id}`)
    expect(body.items[0]).toMatchObject({
      ...{ jti: claims.jti, client: shop.id, agent: world.agent.id, principal: world.principal, txn: before.txn },
      because: { downstream_rule: rule, asked_with: before.jti },
    })
  })

  test('not for longer than the token it came with', async () => {
    const { world, mailer, incoming, ask } = await place({}, { resource: { token_lifetime_seconds: 20 } })
    await administer(world, 'GET', `/admin/resources/${mailer.client.id}`)
    const subjectToken = await incoming()
    const answer = await ask(subjectToken)
    expect(claimsOf(answer.body.access_token).exp).toBe(claimsOf(subjectToken).exp)
    expect(answer.body.expires_in).toBeLessThanOrEqual(20)
  })

  test('on the strength of a token of a child delegation: the chain is whole', async () => {
    const { world, shop, ask } = await place({}, { delegation: { delegable: { max_depth: 1 } } })
    const helper = await newAgent(world)
    const holder = { agent: world.agent, subjectToken: world.delegation.subjectToken }
    const child = await given(server.issuer, holder, helper, [PAYMENT?.bound])
    const wish = { subjectToken: child.subjectToken, resource: world.identifier, action: world.action }
    const token = await issued(exchange(server.issuer, helper, wish))
    const { act } = claimsOf(await issued(ask(token)))
    expect([act.sub, act.act.sub, act.act.act.sub]).toEqual([shop.id, helper.id, world.agent.id])
  })

  test('hop by hop: the tokens it stands on end it, the chain is bounded', async () => {
    const { world, mailer, incoming, ask } = await place()
    const archive = await newResource(world, 'archive')
    await addRule(world, mailer.client, {
      from: MAIL_BOUND,
      to_resource: archive.identifier,
      authorization_details: [MAIL_BOUND],
    })
    const first = await incoming()
    const second = await issued(ask(first))
    const third = await issued(ask(second, { by: mailer.client, resource: archive.identifier }))
    const claims = claimsOf(third)
    expect([claims.act.sub, claims.act.act.sub, claims.act.act.act.sub]).toEqual([
      ...[mailer.client.id, world.resource.id, world.agent.id],
    ])
    expect(claims.txn).toBe(claimsOf(first).txn)
    const isActive = async () => (await introspect(server.issuer, archive.client, third)).body.active
    expect(await isActive()).toBe(true)
    expect((await revoke(server.issuer, world.agent, first)).status).toBe(200)
    expect(await isActive()).toBe(false)
    expectRefused(await ask(second, { by: mailer.client, resource: archive.identifier }), 400, 'invalid_grant')
    expectRefused(await ask(first), 400, 'invalid_grant')
  })

  test('hop by hop: a resource server in the middle that is suspended ends it', async () => {
    const { world, shop, mailer, incoming, ask } = await place()
    const archive = await newResource(world, 'archive')
    const rule = { from: MAIL_BOUND, to_resource: archive.identifier, authorization_details: [MAIL_BOUND] }
    await addRule(world, mailer.client, { ...rule, max_per_token: 2 })
    const second = await issued(ask(await incoming()))
    const third = await issued(ask(second, { by: mailer.client, resource: archive.identifier }))
    await administer(world, 'POST', `/admin/resources/${shop.id}/suspend`, {})
    expect((await introspect(server.issuer, archive.client, third)).body).toStrictEqual({ active: false })
    expectRefused(await ask(second, { by: mailer.client, resource: archive.identifier }), 400, 'invalid_grant')
  })

  test('no more than 8 actors', async () => {
    const { world, mailer, incoming, ask } = await place()
    let token = await issued(ask(await incoming()))
    let here = mailer
    for (let actors = 3; actors <= 9; actors++) {
      const next = await newResource(world, 'hop')
      const rule = { from: MAIL_BOUND, to_resource: next.identifier, authorization_details: [MAIL_BOUND] }
      await addRule(world, here.client, rule)
      const answer = await ask(token, { by: here.client, resource: next.identifier })
      if (actors === 9) expectRefused(answer, 400, 'access_denied')
      else token = await issued(Promise.resolve(answer))
      here = next
    }
  })

  test('whose turn is repeated: the same token, counted once; of another incoming token: another', async () => {
    const { incoming, ask } = await place()
    const [one, two] = [await incoming(), await incoming()]
    const deviation = { form: { turn: 'step-1' } }
    const first = claimsOf(await issued(ask(one, { deviation })))
    const again = claimsOf(await issued(ask(one, { deviation })))
    expect(again).toStrictEqual(first)
    const other = claimsOf(await issued(ask(two, { deviation })))
    expect(other.jti).not.toBe(first.jti)
  })

  test('digests travel where the target wants it so, and the rule is for the values', async () => {
    const target = { token_content: 'digest' }
    const { mailer, incoming, ask } = await place({}, { resource: target }, target)
    const token = await issued(ask(await incoming()))
    expect(claimsOf(token).authorization_details[0].body).toHaveProperty('s256')
    const { body } = await introspect(server.issuer, mailer.client, token)
    expect(body.authorization_details[0].body).toBe(MAIL.body)
  })
})

describe('counts', () => {
  test('one token for one incoming token, and as many as the rule says', async () => {
    for (const max of [1, 3]) {
      const { incoming, ask, world } = await place({ max_per_token: max })
      const token = await incoming()
      for (let n = 0; n < max; n++) await issued(ask(token))
      const answer = await ask(token)
      expectRefused(answer, 400, 'access_denied')
      expect(answer.body.error_description).toMatch(/max_per_token/)
      const { body } = await world.api.call('GET', `/admin/records?delegation=${world.delegation.id}`)
      expect(body.items[0]).toMatchObject({ id: answer.body.decision_id, refusal: 'limit_reached' })
      await issued(ask(await incoming()))
    }
  })

  test('of many at once exactly one', async () => {
    const { incoming, ask } = await place()
    const token = await incoming()
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(token)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  test('the limits of the delegation count again, and those of its ancestors', async () => {
    const { world, ask } = await place({}, { delegation: { limits: { max_uses: 3 }, delegable: { max_depth: 1 } } })
    const helper = await newAgent(world)
    const holder = { agent: world.agent, subjectToken: world.delegation.subjectToken }
    const child = await given(server.issuer, holder, helper, [PAYMENT?.bound])
    const wish = { subjectToken: child.subjectToken, resource: world.identifier, action: world.action }
    const [one, two] = [await issued(exchange(server.issuer, helper, wish)), await issued(world.exchange())]
    await issued(ask(one))
    const answer = await ask(two)
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/max_uses of the delegation/)
  })

  test('what the delegation cannot count is refused: a sum that the action lacks, or of a currency nobody named', async () => {
    const limits = { sums: [{ member: 'instructedAmount.amount', max: '1000.00' }] }
    const { world, mailer, rule, incoming, ask } = await place({}, { delegation: { limits } })
    const missing = await ask(await incoming())
    expectRefused(missing, 400, 'access_denied')
    expect(missing.body.error_description).toMatch(/instructedAmount\.amount/)
    const dollars = { ...PAYMENT?.action, instructedAmount: { currency: 'USD', amount: '1' } }
    await addRule(world, world.resource, {
      from: PAYMENT?.bound,
      to_resource: mailer.identifier,
      authorization_details: [{ ...PAYMENT?.bound, instructedAmount: { $any: true } }],
    })
    expect(rule).toBeTruthy()
    const foreign = await ask(await incoming(), { action: dollars })
    expectRefused(foreign, 400, 'access_denied')
    expect(foreign.body.error_description).toMatch(/currencies/)
  })
})

describe('nothing may be asked for but what a rule names for that very action', () => {
  test.each<[string, (at: Place) => Promise<Answer>, string, RegExp]>([
    [
      'more recipients',
      async ({ ask, incoming }) => ask(await incoming(), { action: { ...MAIL, to: [...MAIL.to, 'eve@evil.example'] } }),
      'access_denied',
      /to/,
    ],
    [
      'another member',
      async ({ ask, incoming }) => ask(await incoming(), { action: { ...MAIL, cc: MAIL.to } }),
      'access_denied',
      /cc/,
    ],
    [
      'what the agent itself may do',
      async ({ ask, incoming, world }) => ask(await incoming(), { action: world.action }),
      'access_denied',
      /type/,
    ],
    [
      'what the incoming action does not lead to',
      async ({ ask, incoming }) => ask(await incoming({}, { creditorName: 'Merchant B' })),
      'access_denied',
      /subject_token/,
    ],
    [
      'at a place that no rule names',
      async ({ ask, incoming, world }) =>
        ask(await incoming(), { resource: (await newResource(world, 'other')).identifier }),
      'invalid_target',
      /resource/,
    ],
    [
      'at its own place',
      async ({ ask, incoming, world }) => ask(await incoming(), { resource: world.identifier }),
      'invalid_target',
      /resource/,
    ],
    [
      'at a place that is none',
      async ({ ask, incoming }) => ask(await incoming(), { resource: 'https://nowhere.example' }),
      'invalid_target',
      /resource/,
    ],
    [
      'an action of no type',
      async ({ ask, incoming }) => ask(await incoming(), { action: { type: 'nothing_known' } }),
      'invalid_authorization_details',
      /type/,
    ],
    [
      'an unknown member',
      async ({ ask, incoming }) => ask(await incoming(), { action: { ...MAIL, colour: 'red' } }),
      'invalid_authorization_details',
      /colour/,
    ],
  ])('%s', async (_name, send, error, words) => {
    const at = await place({ from: { ...PAYMENT?.bound, creditorName: 'Merchant A' } })
    await issued(at.ask(await at.incoming()))
    const answer = await send(at)
    expectRefused(answer, 400, error)
    expect(answer.body.error_description).toMatch(words)
    if (error !== 'access_denied') return
    expect(await recordOf(at.world, answer.body.decision_id)).toMatchObject({
      ...{ decision: 'refused', client: at.shop.id, agent: at.world.agent.id, delegation: at.world.delegation.id },
    })
  })

  test('without a rule nothing, and nothing after it was removed', async () => {
    const { world, shop, rule, incoming, ask } = await place()
    await issued(ask(await incoming()))
    const token = await incoming()
    await administer(world, 'DELETE', `/admin/resources/${shop.id}/downstream/${rule}`)
    expectRefused(await ask(token), 400, 'invalid_target')
    const { body } = await administer(world, 'GET', `/admin/resources/${shop.id}/downstream/${rule}`)
    expect(body).toMatchObject({ status: 'removed', removed_at: expect.any(Number) })
  })

  test('nothing is put together from two rules', async () => {
    const { world, shop, mailer, incoming, ask } = await place({
      from: { ...PAYMENT?.bound, creditorName: 'Merchant A' },
    })
    const [other] = [{ ...MAIL_BOUND, to: ['eve@ledger.example'] }]
    await addRule(world, shop, {
      from: { ...PAYMENT?.bound, creditorName: 'Merchant B' },
      to_resource: mailer.identifier,
      authorization_details: [other],
    })
    const toEve = { ...MAIL, to: ['eve@ledger.example'] }
    expectRefused(await ask(await incoming(), { action: toEve }), 400, 'access_denied')
    await issued(ask(await incoming({}, { creditorName: 'Merchant B' }), { action: toEve }))
  })
})

describe('by whom, and on what', () => {
  test('another resource server, the agent, an administrator', async () => {
    const { world, mailer, incoming, ask } = await place()
    const token = await incoming()
    expectRefused(await ask(token, { by: mailer.client }), 400, 'invalid_grant')
    expectRefused(await ask(token, { by: world.agent }), 400, 'invalid_grant')
    expectRefused(await ask(token, { by: server.admin }), 400, 'unauthorized_client')
  })

  test('a resource server on a subject token', async () => {
    const { world, ask } = await place()
    expectRefused(await ask(world.delegation.subjectToken), 400, 'invalid_grant')
    expectRefused(await ask('x'), 400, 'invalid_grant')
  })

  test('a resource server without its key, or with a replayed proof', async () => {
    const { world, incoming, ask } = await place()
    const token = await incoming()
    expectRefused(await ask(token, { deviation: { proofs: [] } }), 400, 'invalid_dpop_proof')
    expectRefused(await ask(token, { deviation: { proofKey: world.agent.key } }), 400, 'invalid_dpop_proof')
    const proofClaims = { jti: `proof-${Math.random()}` }
    expectRefused(await ask('x', { deviation: { proofClaims } }), 400, 'invalid_grant')
    expectRefused(await ask(token, { deviation: { proofClaims } }), 400, 'invalid_dpop_proof')
    await issued(ask(token))
  })

  test('an expired token', async () => {
    const { incoming, ask } = await place()
    const token = await incoming()
    const { exp } = claimsOf(token)
    ahead = exp - Math.floor(Date.now() / 1_000) + 1
    const now = Math.floor(Date.now() / 1_000) + ahead
    const answer = await ask(token, {
      deviation: { assertionClaims: { iat: now, exp: now + 60 }, proofClaims: { iat: now } },
    })
    ahead = 0
    expectRefused(answer, 400, 'invalid_grant')
  })

  test.each<[string, (at: Place, token: string) => Promise<unknown>, number, string]>([
    ['a revoked token', ({ world }, token) => revoke(server.issuer, world.agent, token), 400, 'invalid_grant'],
    [
      'a revoked delegation',
      ({ world }) => administer(world, 'DELETE', `/admin/delegations/${world.delegation.id}`),
      400,
      'invalid_grant',
    ],
    [
      'a suspended agent',
      ({ world }) => administer(world, 'POST', `/admin/agents/${world.agent.id}/suspend`, {}),
      400,
      'invalid_grant',
    ],
    [
      'a suspended principal',
      ({ world }) => administer(world, 'POST', `/admin/principals/${world.principal}/suspend`, {}),
      400,
      'invalid_grant',
    ],
    [
      'a retired key of the agent',
      ({ world }) => administer(world, 'DELETE', `/admin/agents/${world.agent.id}/keys/${world.agent.key.jkt}`),
      400,
      'invalid_grant',
    ],
    [
      'a suspended shop',
      ({ world, shop }) => administer(world, 'POST', `/admin/resources/${shop.id}/suspend`, {}),
      401,
      'invalid_client',
    ],
    [
      'a suspended mailer',
      ({ world, mailer }) => administer(world, 'POST', `/admin/resources/${mailer.client.id}/suspend`, {}),
      400,
      'invalid_target',
    ],
  ])('%s: no token, and those that were issued are inactive', async (_name, stop, status, error) => {
    const at = await place({ max_per_token: 2 })
    const token = await at.incoming()
    const before = await issued(at.ask(token))
    expect((await introspect(server.issuer, at.mailer.client, before)).body.active).toBe(true)
    await stop(at, token)
    expectRefused(await at.ask(token), status, error)
    const seen = await introspect(server.issuer, at.mailer.client, before)
    if (error === 'invalid_target') expectRefused(seen, 401, 'invalid_client')
    else expect(seen.body).toStrictEqual({ active: false })
  })

  test('an incoming token that was revoked between two hops of a batch refuses the whole', async () => {
    const { world, incoming, ask } = await place({ max_per_token: 4 })
    const token = await incoming()
    const form = { batch: 'true', turn: 'b', authorization_details: JSON.stringify([MAIL, MAIL]) }
    const { body } = await ask(token, { deviation: { form } })
    expect(body.tokens.map(({ status }: { status: number }) => status)).toEqual([200, 200])
    await revoke(server.issuer, world.agent, token)
    expectRefused(await ask(token, { deviation: { form } }), 400, 'invalid_grant')
  })

  test('while everything is stopped', async () => {
    const { world, incoming, ask } = await place()
    const token = await incoming()
    await administer(world, 'POST', '/admin/stop', { reason: 'test' })
    const answer = await ask(token).finally(() => administer(world, 'DELETE', '/admin/stop'))
    expectRefused(answer, 400, 'invalid_grant')
    await issued(ask(token))
  })
})
