import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chargesOf, downstreamCharge, type LimitOwner, usesRule } from '../../../src/core/delegation/charge.ts'
import { parseDecimal } from '../../../src/core/delegation/decimal.ts'
import { Limits } from '../../../src/core/delegation/limits.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { isRefusal } from '../../../src/core/refusal.ts'
import { accepted, actionOf, builtin, EXAMPLES, typeOf } from '../action/fixtures.ts'

const delegation: LimitOwner = { kind: 'delegation', id: 'dlg', until: new Date(0) }
const agent: LimitOwner = { kind: 'agent', id: 'planner' }
const resource: LimitOwner = { kind: 'resource', id: 'bank' }
const payment = actionOf(builtin('payment_initiation'), EXAMPLES.payment_initiation ?? {})
const money = (member = 'instructedAmount.amount', per?: string) =>
  Limits.parse({ sums: [{ member, max: '500.00', ...(per !== undefined && { per }) }] })
const anything = typeOf({ v: { type: 'object', 'x-free-form': true } }, { digestible: {} })
const withValue = (v: JsonObject) => actionOf(anything, { v })

describe('an action counts', () => {
  test('one use, one of each window, and its amount, in the order they were written', () => {
    const limits = Limits.parse({
      max_uses: 7,
      rates: [{ seconds: 60, max_uses: 2 }],
      sums: [{ member: 'instructedAmount.amount', max: '500.00', per: 'instructedAmount.currency', seconds: 86_400 }],
    })
    expect(accepted(chargesOf(delegation, limits, payment))).toEqual([
      { owner: delegation, rule: '{"uses":true}', max: '7', amount: '1', label: expect.stringContaining('max_uses') },
      {
        ...{ owner: delegation, rule: '{"uses":true,"seconds":60}', max: '2', amount: '1', seconds: 60 },
        label: 'limit reached: 2 in 60 s of the delegation',
      },
      {
        owner: delegation,
        rule: '{"member":"instructedAmount.amount","per":"instructedAmount.currency","value":"EUR","seconds":86400}',
        ...{ max: '500.00', amount: '123.50', seconds: 86_400, member: 'instructedAmount.amount' },
        label: 'limit reached: the sum of instructedAmount.amount of the delegation',
      },
    ])
  })

  test('nothing where nothing is limited', () => {
    expect(chargesOf(agent, Limits.parse({}), payment)).toEqual([])
  })

  test('a number as exactly as it is written', () => {
    const charges = accepted(chargesOf(delegation, money('v.n'), withValue({ n: 0.1 })))
    expect(charges[0]?.amount).toBe('0.1')
  })

  test('the windows of a rule apart, and apart from all time', () => {
    expect(new Set([usesRule(), usesRule(60), usesRule(61)]).size).toBe(3)
  })
})

describe('an action that cannot be counted is refused', () => {
  test.each<[string, JsonObject, string]>([
    ['the member is missing', {}, 'v.n'],
    ['the member is negative', { n: -1 }, 'v.n'],
    ['the member is negative, as text', { n: '-0.01' }, 'v.n'],
    ['the member is no decimal', { n: '1,5' }, 'v.n'],
    ['the member is an exponent', { n: 1e21 }, 'v.n'],
    ['the member is a digest', { n: { s256: 'A'.repeat(43) } }, 'v.n'],
    ['the member is an array', { n: ['1'] }, 'v.n'],
    ['the member is null', { n: null }, 'v.n'],
    ['the member is longer than a decimal', { n: '1'.repeat(41) }, 'v.n'],
  ])('%s', (_name, value, member) => {
    expect(chargesOf(delegation, money('v.n'), withValue(value))).toMatchObject({ code: 'limit_not_countable', member })
  })

  test.each<[string, JsonValue]>([
    ['missing', undefined as unknown as JsonValue],
    ['a number', 5],
    ['too long', 'x'.repeat(101)],
  ])('the member it is counted by is %s', (_name, c) => {
    const value: JsonObject = c === undefined ? { n: '1' } : { n: '1', c }
    const refusal = chargesOf(delegation, money('v.n', 'v.c'), withValue(value))
    expect(refusal).toMatchObject({ code: 'limit_not_countable', member: 'v.c' })
  })

  test.each([agent, resource])('it has a currency and the sum of the $kind has no "per"', (owner) => {
    expect(chargesOf(owner, money(), payment)).toMatchObject({ code: 'limit_not_countable' })
    expect(isRefusal(chargesOf(owner, money(undefined, 'instructedAmount.currency'), payment))).toBe(false)
  })
})

test('of an action outside of the bounds nobody has named the currency, whosever limit it is', () => {
  expect(isRefusal(chargesOf(delegation, money(), payment))).toBe(false)
  const outside = chargesOf(delegation, money(), payment, false)
  expect(outside).toMatchObject({ code: 'limit_not_countable', member: 'instructedAmount.amount' })
  expect(isRefusal(chargesOf(delegation, money(undefined, 'instructedAmount.currency'), payment, false))).toBe(false)
})

test('a downstream rule counts once for each token, apart from every other rule', () => {
  const owner = { kind: 'token', id: 'jti-1', until: new Date(0) } as const
  expect(downstreamCharge(owner, 'dsr_1', 2)).toMatchObject({
    owner,
    amount: '1',
    max: '2',
    rule: '{"downstream":"dsr_1"}',
  })
})

test('whatever an action says, what it counts is never negative and never more decimals than it said', () => {
  const value = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(String),
    fc.tuple(fc.integer(), fc.nat(999)).map(([a, b]) => `${a}.${b}`),
    fc.string({ maxLength: 12 }),
  )
  fc.assert(
    fc.property(value, (n) => {
      fc.pre(!(typeof n === 'number' && Object.is(n, -0)))
      const charges = chargesOf(delegation, money('v.n'), withValue({ n }))
      if (isRefusal(charges)) return
      const amount = parseDecimal(charges[0]?.amount ?? '')
      expect(amount?.units).toBeGreaterThanOrEqual(0n)
      expect(Number(charges[0]?.amount)).toBe(Number(n))
    }),
    { numRuns: 5_000 },
  )
})
