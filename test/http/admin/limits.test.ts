import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AdminServer, startAdminServer } from './admin-server.ts'

let server: AdminServer
beforeAll(async () => {
  server = await startAdminServer()
  for (const [path, body] of [
    ['agents', { id: 'planner' }],
    ['agents', { id: 'helper' }],
    ['agents', { id: 'gone' }],
    ['principals', { id: 'alice' }],
    ['resources', { id: 'bank', identifier: 'https://bank.example' }],
  ] as const) {
    expect((await server.call(`/admin/${path}`, { body })).status).toBe(201)
  }
  await server.call('/admin/agents/gone/retire', { method: 'POST' })
})
afterAll(async () => {
  expect(server.faults).toEqual([])
  await server.close()
})

const AMOUNT = 'instructedAmount.amount'
const CURRENCY = 'instructedAmount.currency'
const bound = (currency: unknown, amount: unknown = { $any: true }) => ({
  type: 'payment_initiation',
  instructedAmount: { currency, amount },
  creditorName: { $any: true },
  creditorAccount: { iban: { $any: true } },
})
const grant = (changes: object = {}) =>
  server.call('/admin/delegations', {
    body: {
      ...{ principal: 'alice', agent: 'planner', resource: 'https://bank.example' },
      authorization_details: [bound('EUR')],
      ...changes,
    },
  })
let ids = 0
const agent = (limits: unknown) => server.call('/admin/agents', { body: { id: `a${++ids}`, limits } })
const resource = (limits: unknown) =>
  server.call('/admin/resources', { body: { id: `r${++ids}`, identifier: `https://r${ids}.example`, limits } })
const patch = (path: string, body: unknown, tag = '*') =>
  server.call(path, { method: 'PATCH', body, headers: [['If-Match', tag]] })
/** What an issuance would have written, as far as it is shown here; the commit's own tests are test/contract/limits.test.ts. */
const count = async (owner: string, rule: object, used: string, leaving?: string) => {
  const [counter] = await server.database.query<{ id: bigint }>(
    'INSERT INTO limit_counter (owner, rule, used) VALUES ($1, $2, $3::numeric) RETURNING id',
    [owner, JSON.stringify(rule), used],
  )
  if (leaving === undefined) return
  await server.database.query(
    `INSERT INTO limit_use (jti, counter_id, amount, leaves_at, forget_at)
     VALUES ($1, $2, $3::numeric, now() - interval '1 second', now())`,
    [`jti-${++ids}`, String(counter?.id), leaving],
  )
}

const GOOD = {
  max_uses: 100,
  rates: [
    { seconds: 60, max_uses: 3 },
    { seconds: 3_600, max_uses: 10 },
  ],
  sums: [
    { member: AMOUNT, per: CURRENCY, max: '10.00' },
    { member: AMOUNT, per: CURRENCY, max: '5.00', seconds: 86_400 },
  ],
}

describe('limits that cannot be', () => {
  const cases: readonly [string, unknown, string][] = [
    ['no object', 7, 'limits'],
    ['an unknown member', { max_use: 1 }, 'limits.max_use'],
    ['what is only shown', { max_uses: 1, remaining: { max_uses: 1 } }, 'limits.remaining'],
    ['no use at all', { max_uses: 0 }, 'limits.max_uses'],
    ['half a use', { max_uses: 1.5 }, 'limits.max_uses'],
    ['uses as text', { max_uses: '3' }, 'limits.max_uses'],
    ['more uses than can be counted', { max_uses: 1_000_000_001 }, 'limits.max_uses'],
    ['a rate without a window', { rates: [{ max_uses: 1 }] }, 'limits.rates[0].seconds'],
    ['a window of nothing', { rates: [{ seconds: 0, max_uses: 1 }] }, 'limits.rates[0].seconds'],
    ['a window of years', { rates: [{ seconds: 367 * 86_400, max_uses: 1 }] }, 'limits.rates[0].seconds'],
    [
      'one window twice',
      {
        rates: [
          { seconds: 60, max_uses: 1 },
          { seconds: 60, max_uses: 2 },
        ],
      },
      'limits.rates[1]',
    ],
    ['nine rates', { rates: Array.from({ length: 9 }, (_, n) => ({ seconds: n + 1, max_uses: 1 })) }, 'limits.rates'],
    ['a sum without a member', { sums: [{ max: '1' }] }, 'limits.sums[0].member'],
    ['a sum without a maximum', { sums: [{ member: AMOUNT, per: CURRENCY }] }, 'limits.sums[0].max'],
    ['a negative maximum', { sums: [{ member: AMOUNT, per: CURRENCY, max: '-0.01' }] }, 'limits.sums[0].max'],
    ['a maximum that is a number', { sums: [{ member: AMOUNT, per: CURRENCY, max: 10 }] }, 'limits.sums[0].max'],
    ['a maximum with an exponent', { sums: [{ member: AMOUNT, per: CURRENCY, max: '1e3' }] }, 'limits.sums[0].max'],
    ['a maximum of two words', { sums: [{ member: AMOUNT, per: CURRENCY, max: '10 EUR' }] }, 'limits.sums[0].max'],
    ['a member of an array', { sums: [{ member: 'to[0].price', max: '1' }] }, 'limits.sums[0].member'],
    ['an empty name', { sums: [{ member: 'a..b', max: '1' }] }, 'limits.sums[0].member'],
    ['an operator as a member', { sums: [{ member: '$any', max: '1' }] }, 'limits.sums[0].member'],
    ['a per that is no member', { sums: [{ member: AMOUNT, per: ' ', max: '1' }] }, 'limits.sums[0].per'],
    [
      'one sum twice, with another maximum',
      {
        sums: [
          { member: AMOUNT, per: CURRENCY, max: '1' },
          { member: AMOUNT, per: CURRENCY, max: '2' },
        ],
      },
      'limits.sums[1]',
    ],
  ]
  test.each(cases)('%s -> 422 that names the member, at all three', async (_name, limits, member) => {
    for (const refused of [await grant({ limits }), await agent(limits), await resource(limits)]) {
      expect(refused.status, refused.text).toBe(422)
      expect(refused.body.errors.map((error: { member: string }) => error.member)).toContain(member)
      expect(refused.body.detail).toContain(member)
    }
    for (const path of ['/admin/agents/planner', '/admin/resources/bank']) {
      const refused = await patch(path, { limits })
      expect([refused.status, refused.body.errors[0].member], path).toEqual([422, member])
      expect((await server.call(path)).body).not.toHaveProperty('limits')
    }
  })

  const total = { sums: [{ member: AMOUNT, max: '10.00' }] }
  test.each<[string, readonly object[], boolean]>([
    ['one currency', [bound('EUR')], true],
    ['the same one twice', [bound('EUR'), bound('EUR', '5.00')], true],
    ['two currencies', [bound('EUR'), bound('USD')], false],
    ['one of several', [bound({ $in: ['EUR', 'USD'] })], false],
    ['a choice of one, which is no literal', [bound({ $in: ['EUR'] })], false],
    ['any', [bound({ $any: true })], false],
    ['the whole amount as anything', [{ ...bound('EUR'), instructedAmount: { $any: true } }], false],
  ])('a sum without "per" over bounds with %s: %#', async (_name, authorization_details, isGood) => {
    const answer = await grant({ limits: total, authorization_details })
    expect(answer.status, answer.text).toBe(isGood ? 201 : 422)
    if (!isGood) {
      expect(answer.body.errors).toEqual([{ member: 'limits.sums[0]', detail: expect.stringContaining('"per"') }])
      const mended = { sums: [{ ...total.sums[0], per: CURRENCY }] }
      expect((await grant({ limits: mended, authorization_details })).status).toBe(201)
    }
  })
})

describe('limits that were written', () => {
  test('are shown as they were, with the whole of it left', async () => {
    const left = { max_uses: 100, rates: GOOD.rates, sums: [] }
    for (const made of [await grant({ limits: GOOD }), await agent(GOOD), await resource(GOOD)]) {
      expect(made.status, made.text).toBe(201)
      expect(made.body.limits).toEqual({ ...GOOD, remaining: left })
      const path = String(made.headers.location)
      expect((await server.call(path)).body.limits).toEqual(made.body.limits)
      const { items } = (await server.call(`${path.slice(0, path.lastIndexOf('/'))}?limit=200`)).body
      expect(items.find(({ id }: { id: string }) => id === made.body.id).limits).toEqual(made.body.limits)
    }
  })

  test('a member without limits has none, and neither has one whose limits have no rule', async () => {
    for (const made of [await grant(), await grant({ limits: {} }), await agent({}), await resource({})]) {
      expect(made.status).toBe(201)
      expect(made.body).not.toHaveProperty('limits')
    }
  })

  test('a delegation shows what is left: exact, each value apart, without what has left by itself', async () => {
    const { id } = (await grant({ limits: GOOD, authorization_details: [bound({ $in: ['EUR', 'USD'] })] })).body
    const owner = `delegation:${id}`
    await count(owner, { uses: true }, '2')
    await count(owner, { uses: true, seconds: 60 }, '3', '1')
    await count(owner, { member: AMOUNT, per: CURRENCY, value: 'EUR' }, '2.5')
    await count(owner, { member: AMOUNT, per: CURRENCY, value: 'USD' }, '0.01')
    await count(owner, { member: AMOUNT, per: CURRENCY, value: 'EUR', seconds: 86_400 }, '2.5', '2.5')
    // Of a rule that the limits do not have.
    await count(owner, { uses: true, seconds: 7 }, '1')
    const remaining = {
      max_uses: 98,
      rates: [
        { seconds: 60, max_uses: 1 },
        { seconds: 3_600, max_uses: 10 },
      ],
      sums: [
        { member: AMOUNT, per: CURRENCY, value: 'EUR', max: '7.50' },
        { member: AMOUNT, per: CURRENCY, value: 'USD', max: '9.99' },
        { member: AMOUNT, per: CURRENCY, value: 'EUR', seconds: 86_400, max: '5.00' },
      ],
    }
    expect((await server.call(`/admin/delegations/${id}`)).body.limits).toEqual({ ...GOOD, remaining })
    const { items } = (await server.call('/admin/delegations?agent=planner&limit=200')).body
    expect(items.find((item: { id: string }) => item.id === id).limits.remaining).toEqual(remaining)
  })

  test('never shows less than nothing, of a limit that was lowered', async () => {
    const made = await agent({ max_uses: 5, sums: [{ member: 'n', max: '5.0' }] })
    const path = `/admin/agents/${made.body.id}`
    await count(`agent:${made.body.id}`, { uses: true }, '4')
    await count(`agent:${made.body.id}`, { member: 'n' }, '4.55')
    const lowered = await patch(path, { limits: { max_uses: 3, sums: [{ member: 'n', max: '1' }] } })
    expect(lowered.body.limits.remaining).toEqual({ max_uses: 0, sums: [{ member: 'n', max: '0.00' }] })
  })
})

describe.each([
  ['an agent', () => agent(GOOD), 'agent'],
  ['a resource', () => resource(GOOD), 'resource'],
] as const)('the limits of %s', (_name, make, kind) => {
  test('are patched member by member, arrays whole, and removed by null', async () => {
    const made = await make()
    const path = `/admin/${kind}s/${made.body.id}`
    const written = async (body: unknown) => {
      const answer = await patch(path, body)
      expect(answer.status, answer.text).toBe(200)
      const { remaining: _, ...limits } = answer.body.limits ?? {}
      expect((await server.call(path)).body.limits).toEqual(answer.body.limits)
      return answer.body.limits === undefined ? undefined : limits
    }
    expect(await written({ limits: { max_uses: 7 } })).toEqual({ ...GOOD, max_uses: 7 })
    const rates = [{ seconds: 1, max_uses: 1 }]
    expect(await written({ limits: { rates } })).toEqual({ ...GOOD, max_uses: 7, rates })
    expect(await written({ name: 'Other' })).toEqual({ ...GOOD, max_uses: 7, rates })
    expect(await written({ limits: { max_uses: null, sums: null } })).toEqual({ rates })
    expect(await written({ limits: { rates: null } })).toBeUndefined()
    expect(await written({ limits: GOOD })).toEqual(GOOD)
    expect(await written({ limits: null })).toBeUndefined()
    const [row] = await server.database.query<{ isNull: boolean }>(
      `SELECT limits IS NULL AS "isNull" FROM "${kind}" WHERE id = $1`,
      [made.body.id],
    )
    expect(row?.isNull).toBe(true)
  })

  test('keep the count of a rule that stays, and begin anew with one that is new', async () => {
    const made = await make()
    const owner = `${kind}:${made.body.id}`
    await count(owner, { uses: true }, '40')
    await count(owner, { uses: true, seconds: 60 }, '2')
    const rates = [
      { seconds: 60, max_uses: 9 },
      { seconds: 61, max_uses: 9 },
    ]
    const changed = await patch(`/admin/${kind}s/${made.body.id}`, { limits: { max_uses: 50, rates } })
    expect(changed.body.limits.remaining).toMatchObject({
      max_uses: 10,
      rates: [
        { seconds: 60, max_uses: 7 },
        { seconds: 61, max_uses: 9 },
      ],
    })
  })

  test('make a new version when they are written, and none when something is counted', async () => {
    const made = await make()
    const path = `/admin/${kind}s/${made.body.id}`
    const tag = String(made.headers.etag)
    await count(`${kind}:${made.body.id}`, { uses: true }, '1')
    const shown = await server.call(path)
    expect([shown.headers.etag, shown.body.limits.remaining.max_uses]).toEqual([tag, 99])
    const changed = await patch(path, { limits: { max_uses: 9 } }, tag)
    expect(changed.status).toBe(200)
    expect(changed.headers.etag).not.toBe(tag)
    expect((await patch(path, { limits: { max_uses: 8 } }, tag)).status).toBe(412)
  })

  test('survive a suspension and a patch of something else', async () => {
    const made = await make()
    const path = `/admin/${kind}s/${made.body.id}`
    expect((await server.call(`${path}/suspend`, { method: 'POST' })).body.limits).toEqual(made.body.limits)
    expect((await server.call(`${path}/resume`, { method: 'POST' })).body.limits).toEqual(made.body.limits)
    expect((await patch(path, { name: 'Other' })).body.limits).toEqual(made.body.limits)
  })
})

test('a sum with a thousand values is not shown without end', async () => {
  const { id } = (await grant({ limits: GOOD, authorization_details: [bound({ $any: true })] })).body
  await server.database.query(
    `INSERT INTO limit_counter (owner, rule, used)
     SELECT $1, json_build_object('member', $2::text, 'per', $3::text, 'value', 'X' || n)::text, 1
     FROM generate_series(1, 1000) AS n`,
    [`delegation:${id}`, AMOUNT, CURRENCY],
  )
  await count(`delegation:${id}`, { uses: true }, '1')
  const { remaining } = (await server.call(`/admin/delegations/${id}`)).body.limits
  expect(remaining.max_uses).toBe(99)
  expect(remaining.sums).toHaveLength(200)
})

describe('delegable', () => {
  test('is not at all unless it is said, and is shown', async () => {
    expect((await grant()).body.delegable).toEqual({ max_depth: 0 })
    for (const delegable of [{ max_depth: 0 }, { max_depth: 7 }, { max_depth: 2, agents: ['helper', 'planner'] }]) {
      const made = await grant({ delegable })
      expect(made.status, made.text).toBe(201)
      expect(made.body.delegable).toEqual(delegable)
      expect((await server.call(`/admin/delegations/${made.body.id}`)).body.delegable).toEqual(delegable)
    }
  })
  test.each<[string, unknown, string]>([
    ['a number alone', 1, 'delegable'],
    ['no depth', { agents: ['helper'] }, 'delegable.max_depth'],
    ['a negative depth', { max_depth: -1 }, 'delegable.max_depth'],
    ['half a hop', { max_depth: 0.5 }, 'delegable.max_depth'],
    ['a chain too long', { max_depth: 8 }, 'delegable.max_depth'],
    ['nobody', { max_depth: 1, agents: [] }, 'delegable.agents'],
    ['somebody twice', { max_depth: 1, agents: ['helper', 'helper'] }, 'delegable.agents'],
    ['what is no id', { max_depth: 1, agents: ['Helper'] }, 'delegable.agents[0]'],
    ['an unknown agent', { max_depth: 1, agents: ['helper', 'nobody'] }, 'delegable.agents[1]'],
    ['a retired agent', { max_depth: 1, agents: ['gone'] }, 'delegable.agents[0]'],
    ['a principal', { max_depth: 1, agents: ['alice'] }, 'delegable.agents[0]'],
    ['an unknown member', { max_depth: 1, depth: 1 }, 'delegable.depth'],
  ])('%s -> 422 that names the member', async (_name, delegable, member) => {
    const refused = await grant({ delegable })
    expect(refused.status, refused.text).toBe(422)
    expect(refused.body.errors.map((error: { member: string }) => error.member)).toContain(member)
  })
})
