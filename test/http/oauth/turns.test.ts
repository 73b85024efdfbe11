import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Deviation, exchange, introspect, newClient, oauthRequest, revoke, send } from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World } from '../../support/world.ts'
import { administer, expectRefused, issued } from './answers.ts'

let server: TestServer
let world: World
beforeAll(async () => {
  server = await startTestServer()
  world = await createWorld(server)
})
afterAll(() => server.close())

let turns = 0
const newTurn = () => `turn-${++turns}`
const take = (turn: string, action: object = world.action, deviation: Deviation = {}) =>
  world.exchange({ ...deviation, form: { turn, ...deviation.form } }, { action: { ...action } })
const recordsOf = async (turn: string) => {
  const { body } = await world.api.call('GET', `/admin/records?agent=${world.agent.id}&limit=200`)
  return body.items.filter((record: { turn?: string; decision: string }) => {
    return record.turn === turn && record.decision === 'issued'
  })
}

describe('a turn', () => {
  test('stands in the token and in the record', async () => {
    const turn = newTurn()
    const claims = claimsOf(await issued(take(turn)))
    expect(claims.turn).toBe(turn)
    expect(await recordsOf(turn)).toMatchObject([{ jti: claims.jti, txn: claims.txn }])
    expect(claimsOf(await issued(world.exchange()))).not.toHaveProperty('turn')
  })

  test('whose answer was lost is asked for again: the same jti, iat, exp and txn, one record', async () => {
    const turn = newTurn()
    const first = await issued(take(turn))
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const again = await take(turn)
    const second = again.body.access_token
    expect(claimsOf(second)).toStrictEqual(claimsOf(first))
    // Its time runs from the first answer.
    expect(again.body.expires_in).toBeLessThan(60)
    expect(again.body.expires_in).toBeGreaterThan(50)
    expect(again.body.authorization_details).toStrictEqual(claimsOf(first).authorization_details)
    expect(await recordsOf(turn)).toHaveLength(1)
    expect((await introspect(server.issuer, world.resource, second)).body).toMatchObject({ active: true, turn })
  })

  test('with another action is another mint', async () => {
    const turn = newTurn()
    const one = claimsOf(await issued(take(turn)))
    const other = claimsOf(await issued(take(turn, { ...world.action, subject: 'Other minutes' })))
    expect(other.jti).not.toBe(one.jti)
    expect(await recordsOf(turn)).toHaveLength(2)
  })

  test('that differs in the order of the members is the same action', async () => {
    const turn = newTurn()
    const { type, to, subject, body } = world.action
    const one = claimsOf(await issued(take(turn, { type, to, subject, body })))
    const same = claimsOf(await issued(take(turn, { body, subject, to, type })))
    expect(same.jti).toBe(one.jti)
  })

  test('with another of the agent’s own keys is refused', async () => {
    const turn = newTurn()
    await issued(take(turn))
    const second = newClient(world.agent.id)
    await administer(world, 'POST', `/admin/agents/${world.agent.id}/keys`, { jwk: second.key.jwk })
    const answer = await exchange(server.issuer, second, world.wish, { form: { turn } })
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/another key/)
  })

  test('of another delegation is another mint', async () => {
    const turn = newTurn()
    const one = claimsOf(await issued(take(turn)))
    const { body } = await administer(world, 'POST', '/admin/delegations', {
      ...{ principal: world.principal, agent: world.agent.id, resource: world.identifier },
      authorization_details: [
        { type: 'email_send', to: { $any: true }, subject: { $any: true }, body: { $any: true } },
      ],
    })
    const other = await world.exchange({ form: { turn } }, { subjectToken: body.subject_token })
    expect(claimsOf(other.body.access_token).jti).not.toBe(one.jti)
  })

  test.each(['consumed', 'succeeded', 'failed', 'refused'])('whose token is %s is over', async (end) => {
    const turn = newTurn()
    const token = await issued(take(turn))
    if (end === 'consumed') {
      const form = { consume: 'true', consume_id: 'call' }
      expect((await introspect(server.issuer, world.resource, token, { form })).body.active).toBe(true)
    } else {
      const said = { jti: claimsOf(token).jti, outcome: end }
      const { url, ...request } = oauthRequest(server.issuer, '/receipts', world.resource, said, {}, false)
      expect((await send(url, request)).status).toBe(201)
    }
    const answer = await take(turn)
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/turn/)
  })

  test('whose token was revoked is over', async () => {
    const turn = newTurn()
    const token = await issued(take(turn))
    expect((await revoke(server.issuer, world.agent, token)).status).toBe(200)
    const answer = await take(turn)
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(/turn/)
  })

  test('is checked against bounds and statuses at every repeat', async () => {
    const own = await createWorld(server)
    const repeat = () => own.exchange({ form: { turn: 't' } })
    await issued(repeat())
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/suspend`, { reason: 'test' })
    expectRefused(await repeat(), 401, 'invalid_client')
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/resume`, { reason: 'test' })
    await issued(repeat())
    await administer(own, 'DELETE', `/admin/delegations/${own.delegation.id}`, { reason: 'test' })
    expectRefused(await repeat(), 400, 'invalid_grant')
  })
})

describe('a batch', () => {
  const batch = (actions: readonly unknown[], deviation: Deviation = {}) =>
    world.exchange({
      ...deviation,
      form: { turn: newTurn(), batch: 'true', authorization_details: JSON.stringify(actions), ...deviation.form },
    })
  const mails = (count: number) => Array.from({ length: count }, (_, n) => ({ ...world.action, subject: `Mail ${n}` }))

  test.each([1, 2, 32])('of %i actions has a token for each, in their order, each with its own turn', async (count) => {
    const turn = newTurn()
    const answer = await batch(mails(count), { form: { turn } })
    expect(answer.status, answer.text).toBe(200)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(Object.keys(answer.body)).toEqual(['tokens'])
    expect(answer.body.tokens).toHaveLength(count)
    const seen = new Set<string>()
    for (const [n, item] of answer.body.tokens.entries()) {
      expect(item).toMatchObject({ status: 200, token_type: 'DPoP', authorization_details: [{ subject: `Mail ${n}` }] })
      const claims = claimsOf(item.access_token)
      expect(claims).toMatchObject({ turn: `${turn}.${n}`, authorization_details: [{ subject: `Mail ${n}` }] })
      expect((await introspect(server.issuer, world.resource, item.access_token)).body.active).toBe(true)
      seen.add(claims.jti)
    }
    expect(seen.size).toBe(count)
  })

  test('says in its place what is refused, by the words of a single exchange', async () => {
    const [good, outside, unknown, malformed] = [
      world.action,
      { ...world.action, to: ['eve@elsewhere.example'] },
      { type: 'nothing_known' },
      { ...world.action, colour: 'red' },
    ]
    const { status, body } = await batch([good, outside, unknown, malformed, good])
    expect(status).toBe(200)
    expect(body.tokens.map((item: { status: number; error?: string }) => [item.status, item.error])).toEqual([
      [200, undefined],
      [400, 'access_denied'],
      [400, 'invalid_authorization_details'],
      [400, 'invalid_authorization_details'],
      [200, undefined],
    ])
    expect(body.tokens[1]).toMatchObject({
      error_description: expect.stringContaining('to[0]'),
      decision_id: expect.any(String),
    })
  })

  test('that is repeated, or whose element is repeated alone, has the same tokens', async () => {
    const turn = newTurn()
    const jtis = (body: { tokens: { access_token: string }[] }) =>
      body.tokens.map(({ access_token }) => claimsOf(access_token).jti)
    const first = await batch(mails(3), { form: { turn } })
    const second = await batch(mails(3), { form: { turn } })
    expect(jtis(second.body)).toEqual(jtis(first.body))
    const alone = await issued(take(`${turn}.1`, mails(3)[1]))
    expect(claimsOf(alone).jti).toBe(jtis(first.body)[1])
  })

  test.each<[string, number, string, () => ReturnType<typeof batch>]>([
    ['no element', 400, 'invalid_authorization_details', () => batch([])],
    ['33 elements', 400, 'invalid_authorization_details', () => batch(mails(33))],
    [
      'an element that is no array',
      400,
      'invalid_authorization_details',
      () => batch([], { form: { authorization_details: JSON.stringify(world.action) } }),
    ],
    ['a wrong subject token', 400, 'invalid_grant', () => batch(mails(2), { form: { subject_token: 'x' } })],
    [
      'a wrong assertion',
      401,
      'invalid_client',
      () => batch(mails(2), { assertionClaims: { aud: 'https://else.example' } }),
    ],
    ['a stale proof', 400, 'invalid_dpop_proof', () => batch(mails(2), { proofClaims: { iat: 1 } })],
    ['no proof', 400, 'invalid_dpop_proof', () => batch(mails(2), { proofs: [] })],
  ])('with %s is refused whole', async (_name, status, error, send) => {
    expectRefused(await send(), status, error)
  })

  test('by a suspended agent, or on a revoked delegation, is refused whole', async () => {
    const own = await createWorld(server)
    const send = () =>
      own.exchange({
        form: { turn: newTurn(), batch: 'true', authorization_details: JSON.stringify([own.action, own.action]) },
      })
    expect((await send()).status).toBe(200)
    await administer(own, 'DELETE', `/admin/delegations/${own.delegation.id}`, { reason: 'test' })
    expectRefused(await send(), 400, 'invalid_grant')
    await administer(own, 'POST', `/admin/agents/${own.agent.id}/suspend`, { reason: 'test' })
    expectRefused(await send(), 401, 'invalid_client')
  })

  test('whose proof or assertion was used before is refused whole', async () => {
    const proofClaims = { jti: `proof-${newTurn()}` }
    expect((await batch(mails(2), { proofClaims })).status).toBe(200)
    expectRefused(await batch(mails(2), { proofClaims }), 400, 'invalid_dpop_proof')
  })
})
