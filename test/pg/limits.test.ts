import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareDecimals, parseDecimal } from '../../src/core/delegation/decimal.ts'
import { endAll, keepAliveSender, type Sender } from '../process/server-process.ts'
import { type Answer, exchangeRequest, newClient, type TestClient } from '../support/clients.ts'
import { claimsOf, createWorld, type World } from '../support/world.ts'
import { type Pair, startPair } from './pair.ts'

const AGENTS = 10
const REQUESTS = 1_000

let pair: Pair
let sender: Sender
beforeAll(async () => {
  pair = await startPair()
  sender = keepAliveSender(100)
})
afterAll(async () => {
  sender?.close()
  await pair?.close()
  await endAll()
})

const PAYMENT = {
  type: 'payment_initiation',
  instructedAmount: { currency: 'EUR', amount: '1.00' },
  creditorName: 'Merchant',
  creditorAccount: { iban: 'DE02100100109307118603' },
}
const ANY_PAYMENT = {
  type: 'payment_initiation',
  instructedAmount: { currency: { $in: ['EUR', 'USD'] }, amount: { $any: true } },
  creditorName: { $any: true },
  creditorAccount: { iban: { $any: true } },
}
const payment = (amount: string, currency: string) => ({ ...PAYMENT, instructedAmount: { currency, amount } })

interface Member {
  readonly agent: TestClient
  readonly subjectToken: string
}

/** Ten agents, each with a delegation of its own that was given on from one root; the root has the limits. */
async function tree(world: World, limits: object): Promise<readonly Member[]> {
  const ok = async (answer: ReturnType<World['api']['call']>) => {
    const { status, text, body } = await answer
    if (status > 299) throw new Error(text)
    return body
  }
  await pair.client.query('UPDATE delegation SET limits = $2::jsonb WHERE id = $1', [
    world.delegation.id,
    JSON.stringify(limits),
  ])
  return Promise.all(
    Array.from({ length: AGENTS }, async (_, n): Promise<Member> => {
      const agent = newClient(`${world.agent.id}-${n}`)
      await ok(
        world.api.call('POST', '/admin/agents', { id: agent.id, name: 'Member', keys: [{ jwk: agent.key.jwk }] }),
      )
      const { id } = await ok(
        world.api.call('POST', '/admin/delegations', {
          ...{ principal: world.principal, agent: agent.id, resource: world.identifier },
          authorization_details: [ANY_PAYMENT],
        }),
      )
      await pair.client.query('UPDATE delegation SET lineage = ARRAY[$2, id] WHERE id = $1', [id, world.delegation.id])
      const shown = await ok(world.api.call('GET', `/admin/delegations/${id}`))
      return { agent, subjectToken: shown.subject_token }
    }),
  )
}

const newWorld = () => createWorld(pair, { bounds: [ANY_PAYMENT], action: PAYMENT })

/** All at once, spread over agents and processes. */
function spread(
  world: World,
  members: readonly Member[],
  count: number,
  action: (n: number) => object = () => PAYMENT,
): Promise<readonly Answer[]> {
  const requests = Array.from({ length: count }, (_, n) => {
    const { agent, subjectToken } = members[n % members.length] as Member
    return exchangeRequest(pair.issuer, agent, { subjectToken, resource: world.identifier, action: action(n) })
  })
  return Promise.all(requests.map((request, n) => sender.send(pair.members[n % 2 === 0 ? 0 : 1].port, request)))
}
const tally = (answers: readonly Answer[]) => {
  const counts: Record<string, number> = {}
  for (const { status, body } of answers) {
    const key = status === 200 ? '200' : `${status} ${body.error}`
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}
const recorded = async (world: World) => {
  const { rows } = await pair.client.query(
    `SELECT count(*)::int AS n, count(DISTINCT jti)::int AS jtis FROM record WHERE resource = $1 AND decision = 'issued'`,
    [world.identifier],
  )
  return rows[0]
}

describe('on two processes', () => {
  test(`${REQUESTS} exchanges at once by ${AGENTS} agents against max_uses 100 of their root -> exactly 100 tokens`, async () => {
    const world = await newWorld()
    const members = await tree(world, { max_uses: 100 })
    const answers = await spread(world, members, REQUESTS)
    expect(tally(answers)).toEqual({ 200: 100, '400 access_denied': REQUESTS - 100 })
    expect(await recorded(world)).toEqual({ n: 100, jtis: 100 })
    const token = answers.find(({ status }) => status === 200)?.body.access_token
    expect(claimsOf(token).act.act).toMatchObject({ sub: world.agent.id, sub_profile: 'ai_agent' })
  })

  test(`${REQUESTS} payments at once in two currencies -> never a cent over, each currency for itself`, async () => {
    const world = await newWorld()
    const limits = { sums: [{ member: 'instructedAmount.amount', max: '100.00', per: 'instructedAmount.currency' }] }
    const members = await tree(world, limits)
    const cents = Array.from({ length: REQUESTS }, (_, n) => ((n * 7_919) % 997) + 1)
    const currencyOf = (n: number) => (n % 3 === 0 ? 'USD' : 'EUR')
    const text = (n: number) => ((cents[n] ?? 0) / 100).toFixed(2)
    const answers = await spread(world, members, REQUESTS, (n) => payment(text(n), currencyOf(n)))
    expect(Object.keys(tally(answers)).sort()).toEqual(['200', '400 access_denied'])
    for (const currency of ['EUR', 'USD']) {
      const [granted, refused] = [[] as number[], [] as number[]]
      for (const [n, { status }] of answers.entries()) {
        if (currencyOf(n) === currency) (status === 200 ? granted : refused).push(cents[n] ?? 0)
      }
      const total = granted.reduce((sum, one) => sum + one, 0)
      expect(total).toBeLessThanOrEqual(10_000)
      // Whoever was refused would not have fitted either.
      for (const one of refused) expect(total + one).toBeGreaterThan(10_000)
      const { rows } = await pair.client.query(
        `SELECT trim_scale(used)::text AS used FROM limit_counter WHERE owner = $1 AND rule LIKE $2`,
        [`delegation:${world.delegation.id}`, `%"${currency}"%`],
      )
      const [used, expected] = [parseDecimal(rows[0].used), parseDecimal((total / 100).toFixed(2))]
      if (used === undefined || expected === undefined) throw new Error('no decimal')
      expect(compareDecimals(used, expected)).toBe(0)
    }
  })

  test('a rate is kept in every window, at its edges too', async () => {
    const world = await newWorld()
    const members = await tree(world, { rates: [{ seconds: 2, max_uses: 25 }] })
    const until = performance.now() + 7_000
    let [granted, refused] = [0, 0]
    while (performance.now() < until) {
      const answers = await spread(world, members, 20)
      granted += answers.filter(({ status }) => status === 200).length
      refused += answers.filter(({ status }) => status !== 200).length
    }
    const { rows } = await pair.client.query(
      `SELECT (SELECT count(*)::int FROM record b WHERE b.resource = a.resource AND b.decision = 'issued'
         AND b.at >= a.at AND b.at < a.at + interval '2 seconds') AS in_window
       FROM record a WHERE a.resource = $1 AND a.decision = 'issued'`,
      [world.identifier],
    )
    expect(rows).toHaveLength(granted)
    expect(Math.max(...rows.map(({ in_window }) => in_window))).toBe(25)
    // Full at once, and full again as soon as each window is over: at least three times, and refused in between.
    expect(granted).toBeGreaterThanOrEqual(75)
    expect(granted).toBeLessThanOrEqual(100)
    expect(refused).toBeGreaterThan(0)
  })

  test('100 retries of one turn at once -> one identity, one record, one count', async () => {
    const world = await newWorld()
    await pair.client.query('UPDATE delegation SET limits = $2::jsonb WHERE id = $1', [
      world.delegation.id,
      JSON.stringify({ max_uses: 2 }),
    ])
    const requests = Array.from({ length: 100 }, () =>
      exchangeRequest(pair.issuer, world.agent, world.wish, { form: { turn: 'turn-1' } }),
    )
    const answers = await Promise.all(
      requests.map((request, n) => sender.send(pair.members[n % 2 === 0 ? 0 : 1].port, request)),
    )
    expect(tally(answers)).toEqual({ 200: 100 })
    const identities = answers.map(({ body }) => {
      const { jti, iat, exp } = claimsOf(body.access_token)
      return `${jti} ${iat} ${exp}`
    })
    expect(new Set(identities).size).toBe(1)
    expect(await recorded(world)).toEqual({ n: 1, jtis: 1 })
    expect(
      tally(await spread(world, [{ agent: world.agent, subjectToken: world.delegation.subjectToken }], 5)),
    ).toEqual({
      200: 1,
      '400 access_denied': 4,
    })
  })
})
