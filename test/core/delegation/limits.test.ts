import { describe, expect, test } from 'vitest'
import { checkLimits, Limits } from '../../../src/core/delegation/limits.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { boundOf, builtin, typeOf } from '../action/fixtures.ts'

const sum = (members: JsonObject = {}) => ({ member: 'a.amount', max: '10.00', ...members })

describe('limits', () => {
  test.each<[string, JsonValue]>([
    ['none at all', {}],
    ['uses', { max_uses: 1 }],
    [
      'rates of different windows',
      {
        rates: [
          { seconds: 60, max_uses: 1 },
          { seconds: 3_600, max_uses: 9 },
        ],
      },
    ],
    ['sums of one member over different windows', { sums: [sum(), sum({ seconds: 60 }), sum({ per: 'a.currency' })] }],
    ['a sum of zero', { sums: [sum({ max: '0' })] }],
  ])('are taken: %s', (_name, limits) => {
    expect(Limits.safeParse(limits).success).toBe(true)
  })

  test.each<[string, JsonValue]>([
    ['no object', 5],
    ['an unknown member', { max_use: 5 }],
    ['no use', { max_uses: 0 }],
    ['half a use', { max_uses: 1.5 }],
    ['uses as text', { max_uses: '5' }],
    ['more uses than can be meant', { max_uses: 1_000_000_001 }],
    ['a rate without window', { rates: [{ max_uses: 5 }] }],
    ['a window of nothing', { rates: [{ seconds: 0, max_uses: 5 }] }],
    ['a window of over a year', { rates: [{ seconds: 366 * 86_400 + 1, max_uses: 5 }] }],
    [
      'a window twice',
      {
        rates: [
          { seconds: 60, max_uses: 5 },
          { seconds: 60, max_uses: 9 },
        ],
      },
    ],
    ['a rate with an unknown member', { rates: [{ seconds: 60, max_uses: 5, per: 'x' }] }],
    ['nine rates', { rates: Array.from({ length: 9 }, (_, n) => ({ seconds: n + 1, max_uses: 1 })) }],
    ['a negative sum', { sums: [sum({ max: '-1' })] }],
    ['a sum as a number', { sums: [sum({ max: 10 })] }],
    ['a sum that is no decimal', { sums: [sum({ max: '1e3' })] }],
    ['a sum twice', { sums: [sum(), sum({ max: '5' })] }],
    ['a sum twice for a value', { sums: [sum({ per: 'c' }), sum({ per: 'c', max: '5' })] }],
    ['a member with an empty name', { sums: [sum({ member: 'a..b' })] }],
    ['a member of an array', { sums: [sum({ member: 'a[0].b' })] }],
    ['no member', { sums: [{ max: '5' }] }],
    ['an operator as a member', { sums: [sum({ member: '$any' })] }],
  ])('are refused: %s', (_name, limits) => {
    expect(Limits.safeParse(limits).success).toBe(false)
  })
})

describe('a sum without "per"', () => {
  const type = builtin('payment_initiation')
  const bound = (instructedAmount: JsonValue) =>
    boundOf(type, {
      ...{ instructedAmount, creditorName: { $any: true }, creditorAccount: { $any: true } },
    })
  const limits = Limits.parse({ sums: [{ member: 'instructedAmount.amount', max: '10.00' }] })
  const any = { $any: true }

  test.each<[string, readonly JsonValue[], boolean]>([
    [
      'every bound names one currency',
      [
        { currency: 'EUR', amount: any },
        { currency: 'EUR', amount: '1.00' },
      ],
      true,
    ],
    ['a bound allows two', [{ currency: { $in: ['EUR', 'USD'] }, amount: any }], false],
    ['a bound allows one in a list', [{ currency: { $in: ['EUR'] }, amount: any }], false],
    ['a bound allows any', [{ currency: any, amount: any }], false],
    ['a bound does not write the amount out', [any], false],
    [
      'two bounds name different ones',
      [
        { currency: 'EUR', amount: any },
        { currency: 'USD', amount: any },
      ],
      false,
    ],
    [
      'the second bound allows any',
      [
        { currency: 'EUR', amount: any },
        { currency: any, amount: any },
      ],
      false,
    ],
  ])('%s', (_name, amounts, isTaken) => {
    const refusal = checkLimits(limits, amounts.map(bound))
    if (isTaken) expect(refusal).toBeUndefined()
    else expect(refusal).toMatchObject({ code: 'limit_invalid', member: 'limits.sums[0]' })
  })

  test('of a member that has no currency beside it is taken', () => {
    const counted = typeOf({ machines: { type: 'integer', minimum: 0, maximum: 100 } })
    const machines = Limits.parse({ sums: [{ member: 'machines', max: '100' }] })
    expect(checkLimits(machines, [boundOf(counted, { machines: any })])).toBeUndefined()
  })

  test('with "per" needs none', () => {
    const per = Limits.parse({
      sums: [{ member: 'instructedAmount.amount', max: '10.00', per: 'instructedAmount.currency' }],
    })
    expect(checkLimits(per, [bound({ currency: any, amount: any })])).toBeUndefined()
  })
})
