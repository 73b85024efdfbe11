import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Answer,
  clientToken,
  exchange,
  introspect,
  newClient,
  oauthRequest,
  send,
  type TestClient,
} from '../../support/clients.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { claimsOf, createWorld, type World, type WorldOptions } from '../../support/world.ts'
import { proof } from '../../wire/signing.ts'
import { administer, expectRefused, issued, recordOf } from './answers.ts'

let server: TestServer
beforeAll(async () => {
  server = await startTestServer()
  const admin = await createWorld(server)
  await administer(admin, 'POST', '/admin/action-types', TRANSFER)
})
afterAll(() => server.close())

const AMOUNT = 'instructedAmount.amount'
const CURRENCY = 'instructedAmount.currency'
const PAYMENT = {
  type: 'payment_initiation',
  instructedAmount: { currency: 'EUR', amount: '1.00' },
  creditorName: 'Merchant',
  creditorAccount: { iban: 'DE02100100109307118603' },
}
const bound = (currency: unknown) => ({
  type: 'payment_initiation',
  instructedAmount: { currency, amount: { $any: true } },
  creditorName: { $any: true },
  creditorAccount: { iban: { $any: true } },
})
/** For what happens when a time has passed. */
const LATER = { timeout: 15_000, interval: 200 }
const pay = (amount: unknown, currency = 'EUR') => ({ ...PAYMENT, instructedAmount: { currency, amount } })
const text = { type: 'string', maxLength: 60 }
/** A type of an administrator's own, which lets an amount be negative, hidden, absent or a number. */
const TRANSFER = {
  type: 'limits_transfer',
  title: 'Transfer',
  schema: {
    type: 'object',
    properties: { amount: text, count: { type: 'number' }, currency: text },
    additionalProperties: false,
  },
  digestible: { amount: 'utf8', currency: 'utf8' },
  template: 'transfer {amount} {currency}',
  risk: 'write',
}
const transfer = (members: object) => ({ type: 'limits_transfer', ...members })
const ANY_TRANSFER = transfer({ amount: { $any: true }, count: { $any: true }, currency: { $any: true } })

const world = (options: WorldOptions = {}) =>
  createWorld(server, { bounds: [bound('EUR')], action: PAYMENT, ...options })
const limited = (limits: object, options: WorldOptions = {}) =>
  world({ ...options, delegation: { ...options.delegation, limits } })
/** What an exchange for an action is answered: 200, or the words of the refusal. */
const ask = async (at: World, action: object = at.action) => {
  const answer = await at.exchange({}, { action: { ...action } })
  return answer.status === 200 ? 200 : answer.body.error_description
}
const remainingOf = async (at: World, path = `/admin/delegations/${at.delegation.id}`) =>
  (await administer(at, 'GET', path)).body.limits.remaining
const patch = (at: World, path: string, limits: unknown) => at.api.call('PATCH', path, { limits }, [['If-Match', '*']])

/** A refusal by a limit, as everyone is told it: which limit, of what, and where it is on record. */
async function expectReached(at: World, answer: Answer, description: string): Promise<void> {
  expectRefused(answer, 400, 'access_denied')
  expect(answer.body.error_description).toBe(description)
  const record = await recordOf(at, answer.body.decision_id)
  expect(record).toMatchObject({ decision: 'refused', refusal: 'limit_reached', delegation: at.delegation.id })
  expect(record).not.toHaveProperty('jti')
}

describe('uses', () => {
  test('of a delegation: as many as are allowed; the next one is refused, on record, and counts nothing', async () => {
    const at = await limited({ max_uses: 3 })
    for (let n = 0; n < 3; n++) expect(await ask(at)).toBe(200)
    await expectReached(at, await at.exchange(), 'limit reached: max_uses of the delegation')
    expect(await remainingOf(at)).toEqual({ max_uses: 0 })
  })

  test('30 at once against 10: exactly ten', async () => {
    const at = await limited({ max_uses: 10 })
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(at)))
    expect(answers.filter((answer) => answer === 200)).toHaveLength(10)
    expect(await remainingOf(at)).toEqual({ max_uses: 0 })
  })

  test('what is refused for another reason counts nothing', async () => {
    const at = await limited({ max_uses: 1 })
    expect(await ask(at, pay('1.00', 'USD'))).toMatch(/outside the bounds/)
    expect(await ask(at, { ...PAYMENT, colour: 'red' })).not.toBe(200)
    expect(await remainingOf(at)).toEqual({ max_uses: 1 })
    expect(await ask(at)).toBe(200)
  })

  test('a repeat of a turn counts once, and is answered when the limit is reached', async () => {
    const at = await limited({ max_uses: 1 })
    const take = (turn: string) => at.exchange({ form: { turn } })
    const first = await issued(take('t1'))
    expect(await issued(take('t1'))).not.toBe(first)
    expect(await remainingOf(at)).toEqual({ max_uses: 0 })
    await expectReached(at, await take('t2'), 'limit reached: max_uses of the delegation')
  })

  test('a batch counts each of its actions, and says of each whether it was over', async () => {
    const at = await limited({ max_uses: 2 })
    const actions = [1, 2, 3].map((n) => ({ ...PAYMENT, creditorName: `Merchant ${n}` }))
    const { status, body } = await at.exchange({
      form: { turn: 'b', batch: 'true', authorization_details: JSON.stringify(actions) },
    })
    expect(status).toBe(200)
    const items: { status: number; error?: string; error_description?: string; decision_id?: string }[] = body.tokens
    expect(items.map((item) => item.status).sort()).toEqual([200, 200, 400])
    expect(items.find((item) => item.status === 400)).toEqual({
      ...{ status: 400, error: 'access_denied', decision_id: expect.any(String) },
      error_description: 'limit reached: max_uses of the delegation',
    })
  })
})

describe('rates', () => {
  test('so many in any window, and again when it has passed', async () => {
    const at = await limited({ rates: [{ seconds: 3, max_uses: 2 }] })
    const [answers, left] = [await Promise.all([1, 2, 3].map(() => at.exchange())), await remainingOf(at)]
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 400])
    expect(left).toEqual({ rates: [{ seconds: 3, max_uses: 0 }] })
    for (const answer of answers.filter(({ status }) => status === 400)) {
      await expectReached(at, answer, 'limit reached: 2 in 3 s of the delegation')
    }
    await expect.poll(() => remainingOf(at), LATER).toEqual({ rates: [{ seconds: 3, max_uses: 2 }] })
    expect(await ask(at)).toBe(200)
  })

  test('of several windows the one that is reached is named', async () => {
    const at = await limited({
      rates: [
        { seconds: 60, max_uses: 5 },
        { seconds: 3_600, max_uses: 1 },
      ],
    })
    expect(await ask(at)).toBe(200)
    await expectReached(at, await at.exchange(), 'limit reached: 1 in 3600 s of the delegation')
    expect(await remainingOf(at)).toEqual({
      rates: [
        { seconds: 60, max_uses: 4 },
        { seconds: 3_600, max_uses: 0 },
      ],
    })
  })
})

describe('sums', () => {
  const sums = [{ member: AMOUNT, max: '10.00' }]

  test('never a cent over, and up to the last one', async () => {
    const at = await limited({ sums })
    for (const amount of ['0.10', '0.20', '9.69']) expect(await ask(at, pay(amount))).toBe(200)
    expect(await remainingOf(at)).toEqual({ sums: [{ member: AMOUNT, max: '0.01' }] })
    const over = await at.exchange({}, { action: pay('0.02') })
    await expectReached(at, over, `limit reached: the sum of ${AMOUNT} of the delegation: ${AMOUNT}`)
    expect(await ask(at, pay('0.01'))).toBe(200)
    expect(await ask(at, pay('0.01'))).toMatch(/limit reached/)
    expect(await remainingOf(at)).toEqual({ sums: [{ member: AMOUNT, max: '0.00' }] })
  })

  test('forty at once, of 0.26 each: as many as fit, thirty-eight', async () => {
    const at = await limited({ sums })
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(at, pay('0.26'))))
    expect(answers.filter((answer) => answer === 200)).toHaveLength(38)
    expect(await remainingOf(at)).toEqual({ sums: [{ member: AMOUNT, max: '0.12' }] })
  })

  test('one action that is too much alone is refused, and a smaller one is not', async () => {
    const at = await limited({ sums })
    expect(await ask(at, pay('10.01'))).toMatch(/limit reached/)
    expect(await ask(at, pay('10.00'))).toBe(200)
  })

  test('two currencies are counted apart', async () => {
    const per = [{ member: AMOUNT, per: CURRENCY, max: '5.00' }]
    const at = await limited({ sums: per }, { bounds: [bound({ $in: ['EUR', 'USD'] })] })
    expect(await ask(at, pay('5.00', 'EUR'))).toBe(200)
    expect(await ask(at, pay('0.01', 'EUR'))).toMatch(/limit reached/)
    expect(await ask(at, pay('4.99', 'USD'))).toBe(200)
    expect(await ask(at, pay('0.02', 'USD'))).toMatch(/limit reached/)
    expect(await remainingOf(at)).toEqual({
      sums: [
        { member: AMOUNT, per: CURRENCY, value: 'EUR', max: '0.00' },
        { member: AMOUNT, per: CURRENCY, value: 'USD', max: '0.01' },
      ],
    })
  })

  test('in a window, an amount leaves when its time is over', async () => {
    const at = await limited({ sums: [{ member: AMOUNT, max: '1.00', seconds: 2 }] })
    const [one, other] = (await Promise.all([ask(at), ask(at)])).toSorted()
    expect([one, other]).toEqual([200, expect.stringMatching(/limit reached/)])
    await expect.poll(() => ask(at), LATER).toBe(200)
  })

  test.each<[string, object, object, string]>([
    ['a negative amount', { member: 'amount', per: 'currency' }, { amount: '-1.00', currency: 'EUR' }, 'amount'],
    ['no amount', { member: 'amount', per: 'currency' }, { currency: 'EUR' }, 'amount'],
    [
      'an amount that is no number',
      { member: 'amount', per: 'currency' },
      { amount: 'ten', currency: 'EUR' },
      'amount',
    ],
    [
      'an amount behind a digest',
      { member: 'amount', per: 'currency' },
      { amount: { s256: 'A'.repeat(43) }, currency: 'EUR' },
      'amount',
    ],
    ['a fraction that is no decimal', { member: 'count', per: 'currency' }, { count: 1e-7, currency: 'EUR' }, 'count'],
    ['no currency to count by', { member: 'amount', per: 'currency' }, { amount: '1.00' }, 'currency'],
    [
      'a currency behind a digest',
      { member: 'amount', per: 'currency' },
      { amount: '1.00', currency: { s256: 'A'.repeat(43) } },
      'currency',
    ],
    [
      'a member that the type does not have',
      { member: 'price.gross', per: 'currency' },
      { currency: 'EUR' },
      'price.gross',
    ],
  ])('%s is refused, and names the member', async (_name, sum, members, member) => {
    const at = await limited(
      { sums: [{ ...sum, max: '10.00' }] },
      { bounds: [ANY_TRANSFER], action: transfer(members) },
    )
    const answer = await at.exchange()
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toMatch(new RegExp(`^a limit .*: ${member.replaceAll('.', '\\.')}$`))
    expect(await recordOf(at, answer.body.decision_id)).toMatchObject({ refusal: 'limit_not_countable' })
  })

  test('a number is added up as exactly as a text', async () => {
    const action = transfer({ count: 0.1, currency: 'EUR' })
    const at = await limited(
      { sums: [{ member: 'count', per: 'currency', max: '0.3' }] },
      { bounds: [ANY_TRANSFER], action },
    )
    expect([await ask(at), await ask(at), await ask(at)]).toEqual([200, 200, 200])
    expect(await ask(at)).toMatch(/limit reached/)
  })
})

describe('limits of an agent and of a resource', () => {
  const paths = (at: World) => ({
    agent: `/admin/agents/${at.agent.id}`,
    resource: `/admin/resources/${at.resource.id}`,
  })

  test.each(['agent', 'resource'] as const)(
    'of %s count over all delegations, from the next exchange on',
    async (kind) => {
      const at = await world()
      const second = await administer(at, 'POST', '/admin/delegations', {
        ...{
          principal: at.principal,
          agent: at.agent.id,
          resource: at.identifier,
          authorization_details: [bound('EUR')],
        },
      })
      expect(await ask(at)).toBe(200)
      expect((await patch(at, paths(at)[kind], { max_uses: 2 })).status).toBe(200)
      expect(await ask(at)).toBe(200)
      const other = { subjectToken: second.body.subject_token }
      expect((await at.exchange({}, other)).status).toBe(200)
      await expectReached(at, await at.exchange(), `limit reached: max_uses of the ${kind}`)
      expectRefused(await at.exchange({}, other), 400, 'access_denied')
      expect(await remainingOf(at, paths(at)[kind])).toEqual({ max_uses: 0 })
      expect((await patch(at, paths(at)[kind], { max_uses: 3 })).status).toBe(200)
      expect(await ask(at)).toBe(200)
      expect((await patch(at, paths(at)[kind], null)).status).toBe(200)
      expect([await ask(at), await ask(at)]).toEqual([200, 200])
    },
  )

  test('a resource counts for every agent', async () => {
    const at = await world({ resource: { limits: { max_uses: 1 } } })
    const agent = newClient(`${at.agent.id}-b`)
    await administer(at, 'POST', '/admin/agents', { id: agent.id, keys: [{ jwk: agent.key.jwk }] })
    const { body } = await administer(at, 'POST', '/admin/delegations', {
      ...{ principal: at.principal, agent: agent.id, resource: at.identifier, authorization_details: [bound('EUR')] },
    })
    expect(await ask(at)).toBe(200)
    const wish = { ...at.wish, subjectToken: body.subject_token }
    expectRefused(await exchange(server.issuer, agent, wish), 400, 'access_denied')
  })

  test('what one refuses counts at none of the others', async () => {
    const at = await limited({ max_uses: 5 })
    await patch(at, paths(at).agent, { sums: [{ member: AMOUNT, per: CURRENCY, max: '1.50' }] })
    await patch(at, paths(at).resource, { rates: [{ seconds: 60, max_uses: 5 }] })
    expect(await ask(at)).toBe(200)
    const reached = `limit reached: the sum of ${AMOUNT} of the agent: ${AMOUNT}`
    await expectReached(at, await at.exchange(), reached)
    expect(await remainingOf(at)).toEqual({ max_uses: 4 })
    expect(await remainingOf(at, paths(at).resource)).toEqual({ rates: [{ seconds: 60, max_uses: 4 }] })
    const left = { member: AMOUNT, per: CURRENCY, value: 'EUR', max: '0.50' }
    expect(await remainingOf(at, paths(at).agent)).toEqual({ sums: [left] })
  })

  test('a sum without "per" is refused there where there is a currency, for nobody says which', async () => {
    const at = await world()
    await patch(at, paths(at).agent, { sums: [{ member: AMOUNT, max: '10.00' }] })
    const answer = await at.exchange()
    expectRefused(answer, 400, 'access_denied')
    expect(answer.body.error_description).toBe(
      `a limit would add up different currencies: it needs ?per?: ${AMOUNT}`.replaceAll('?', "'"),
    )
  })
})

describe('what a token counted is given back', () => {
  const receipt = (at: World, jti: string, outcome: string) => {
    const { url, ...request } = oauthRequest(server.issuer, '/receipts', at.resource, { jti, outcome }, {}, false)
    return send(url, request)
  }
  const sums = [{ member: AMOUNT, max: '10.00' }]

  test.each(['failed', 'refused'])('by a receipt that says %s, once', async (outcome) => {
    const at = await limited({ max_uses: 3, sums })
    const { jti } = claimsOf(await issued(at.exchange()))
    expect(await remainingOf(at)).toEqual({ max_uses: 2, sums: [{ member: AMOUNT, max: '9.00' }] })
    expect((await receipt(at, jti, outcome)).status).toBe(201)
    expect(await remainingOf(at)).toEqual({ max_uses: 3, sums: [{ member: AMOUNT, max: '10.00' }] })
    expect((await receipt(at, jti, outcome)).status).toBe(200)
    expect(await remainingOf(at)).toMatchObject({ max_uses: 3 })
  })

  test('not by one that says succeeded', async () => {
    const at = await limited({ max_uses: 3 })
    const { jti } = claimsOf(await issued(at.exchange()))
    expect((await receipt(at, jti, 'succeeded')).status).toBe(201)
    expect(await remainingOf(at)).toEqual({ max_uses: 2 })
  })

  test('by its expiry, unused, only where its resource server uses tokens up', async () => {
    const short = { token_lifetime_seconds: 4 }
    const [consuming, offline] = [
      await limited({ max_uses: 3 }, { resource: { ...short, enforcement: 'consume' } }),
      await limited({ max_uses: 3 }, { resource: short }),
    ]
    const used = await issued(consuming.exchange())
    expect((await introspect(server.issuer, consuming.resource, used, { form: { consume: 'true' } })).body.active).toBe(
      true,
    )
    for (const at of [consuming, offline]) await issued(at.exchange())
    expect([await remainingOf(consuming), await remainingOf(offline)]).toEqual([{ max_uses: 1 }, { max_uses: 2 }])
    await expect.poll(() => remainingOf(consuming), LATER).toEqual({ max_uses: 2 })
    expect(await remainingOf(offline)).toEqual({ max_uses: 2 })
  })
})

describe('what is left', () => {
  const own = async (client: TestClient) => {
    const { access_token: accessToken } = (await clientToken(server.issuer, client)).body
    const htu = `${server.issuer}/delegations`
    const answer = await send(htu, {
      headers: [
        ['Authorization', `DPoP ${accessToken}`],
        ['DPoP', proof(client.key, { method: 'GET', htu, now: new Date(), accessToken })],
      ],
    })
    return answer.body.items
  }

  test('is shown to the agent with its delegations, with how far it may give them on', async () => {
    const limits = { max_uses: 9, sums: [{ member: AMOUNT, max: '10.00' }] }
    const at = await limited(limits, { delegation: { delegable: { max_depth: 1 } } })
    const whole = { max_uses: 9, sums: [{ member: AMOUNT, max: '10.00' }] }
    expect(await own(at.agent)).toMatchObject([
      { id: at.delegation.id, limits: { ...limits, remaining: whole }, delegable: { max_depth: 1 } },
    ])
    await ask(at, pay('2.5'))
    const [item] = await own(at.agent)
    expect(item.limits).toEqual({
      ...limits,
      remaining: { max_uses: 8, sums: [{ member: AMOUNT, max: '7.50' }] },
    })
    const bare = await world()
    expect((await own(bare.agent))[0]).not.toHaveProperty('limits')
  })
})

describe('a dry run', () => {
  const attempt = async (at: World, action: object = at.action, change: object = {}) =>
    (
      await administer(at, 'POST', '/admin/decisions', {
        ...{ agent: at.agent.id, resource: at.identifier, authorization_details: [action], ...change },
      })
    ).body

  test('says what would be left afterwards, of every limit it counts at, and counts nothing', async () => {
    const at = await limited({ max_uses: 2, sums: [{ member: AMOUNT, max: '10.00' }] })
    await patch(at, `/admin/agents/${at.agent.id}`, { rates: [{ seconds: 60, max_uses: 5 }] })
    await patch(at, `/admin/resources/${at.resource.id}`, { sums: [{ member: AMOUNT, per: CURRENCY, max: '99' }] })
    const limits = [
      { of: 'delegation', id: at.delegation.id, max_uses: 1 },
      { of: 'delegation', id: at.delegation.id, member: AMOUNT, max: '9.00' },
      { of: 'agent', id: at.agent.id, seconds: 60, max_uses: 4 },
      { of: 'resource', id: at.resource.id, member: AMOUNT, per: CURRENCY, value: 'EUR', max: '98.00' },
    ]
    for (let n = 0; n < 3; n++) expect(await attempt(at)).toMatchObject({ decision: 'permit', limits })
    expect(await remainingOf(at)).toMatchObject({ max_uses: 2 })
  })

  test('says which limit is reached, whose it is and what is left of it, as the exchange says it', async () => {
    const at = await limited({ sums: [{ member: AMOUNT, max: '1.50' }] })
    expect(await ask(at)).toBe(200)
    const tried = await attempt(at)
    expect(tried).toEqual({
      ...{ decision: 'forbid', delegation: at.delegation.id, refusal: 'limit_reached', member: AMOUNT },
      detail: `limit reached: the sum of ${AMOUNT} of the delegation`,
      limit: { of: 'delegation', id: at.delegation.id, member: AMOUNT, max: '0.50' },
    })
    expect(await ask(at)).toBe(`${tried.detail}: ${tried.member}`)
    expect(await attempt(at, pay('0.50'))).toMatchObject({ decision: 'permit', limits: [{ max: '0.00' }] })
  })

  test('what cannot be counted is forbidden, as at the exchange', async () => {
    const action = transfer({ amount: '-1', currency: 'EUR' })
    const limits = { sums: [{ member: 'amount', per: 'currency', max: '10.00' }] }
    const at = await limited(limits, { bounds: [ANY_TRANSFER], action })
    expect(await attempt(at)).toMatchObject({ decision: 'forbid', refusal: 'limit_not_countable', member: 'amount' })
  })

  test('of two delegations, one of which has nothing left, the other one allows it', async () => {
    const at = await world()
    const { body } = await administer(at, 'POST', '/admin/delegations', {
      ...{
        principal: at.principal,
        agent: at.agent.id,
        resource: at.identifier,
        authorization_details: [bound('EUR')],
      },
      limits: { max_uses: 1 },
    })
    expect((await at.exchange({}, { subjectToken: body.subject_token })).status).toBe(200)
    expect(await attempt(at)).toMatchObject({ decision: 'permit', delegation: at.delegation.id })
    const named = await attempt(at, PAYMENT, { delegation: body.id })
    expect(named).toMatchObject({ decision: 'forbid', limit: { of: 'delegation', id: body.id, max_uses: 0 } })
  })

  test('of two that say no, the one whose limit is reached came further than the one whose bounds do not fit', async () => {
    const at = await limited({ max_uses: 1 })
    await administer(at, 'POST', '/admin/delegations', {
      ...{ principal: at.principal, agent: at.agent.id, resource: at.identifier },
      authorization_details: [bound('USD')],
    })
    expect(await ask(at)).toBe(200)
    expect(await attempt(at)).toMatchObject({
      ...{ decision: 'forbid', delegation: at.delegation.id, refusal: 'limit_reached' },
      limit: { of: 'delegation', id: at.delegation.id, max_uses: 0 },
    })
  })
})
