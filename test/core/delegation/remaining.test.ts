import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Charge, chargesOf, readRule, sumRule, usesRule } from '../../../src/core/delegation/charge.ts'
import { compareDecimals, readDecimal, subtractDecimals } from '../../../src/core/delegation/decimal.ts'
import { reachedLabel, readReachedLabel, saysLimitReached } from '../../../src/core/delegation/limit-label.ts'
import { Limits } from '../../../src/core/delegation/limits.ts'
import { fitsUnder, limitLeft, remainingOf } from '../../../src/core/delegation/remaining.ts'
import { accepted, actionOf, builtin, EXAMPLES } from '../action/fixtures.ts'

const LIMITS = Limits.parse({
  max_uses: 7,
  rates: [{ seconds: 60, max_uses: 2 }],
  sums: [
    { member: 'a.b', max: '10.00', per: 'a.c', seconds: 86_400 },
    { member: 'a.b', max: '3', seconds: 60 },
  ],
})

describe('what is left', () => {
  test('where nothing was counted is all of it; a sum by value has none to show', () => {
    expect(remainingOf(LIMITS, [])).toEqual({
      max_uses: 7,
      rates: [{ seconds: 60, max_uses: 2 }],
      sums: [{ member: 'a.b', seconds: 60, max: '3' }],
    })
    expect(remainingOf({}, [{ rule: usesRule(), used: '3' }])).toEqual({})
  })

  test('is told of each rule by its own counter, and by no other', () => {
    const [byValue, total] = LIMITS.sums ?? []
    if (byValue === undefined || total === undefined) throw new Error('no sums')
    const counted = [
      { rule: usesRule(), used: '1' },
      { rule: usesRule(60), used: '2' },
      { rule: usesRule(61), used: '2' },
      { rule: sumRule(byValue, 'EUR'), used: '9.995' },
      { rule: sumRule(byValue, 'USD'), used: '11' },
      { rule: sumRule({ member: 'a.b', per: 'a.c' }, 'EUR'), used: '1' },
      { rule: sumRule(total), used: '0.5' },
      { rule: JSON.stringify({ downstream: 'rule' }), used: '1' },
    ]
    const byDay = { member: 'a.b', per: 'a.c', seconds: 86_400 }
    expect(remainingOf(LIMITS, counted)).toEqual({
      max_uses: 6,
      rates: [{ seconds: 60, max_uses: 0 }],
      sums: [
        { ...byDay, value: 'EUR', max: '0.005' },
        { ...byDay, value: 'USD', max: '0.00' },
        { member: 'a.b', seconds: 60, max: '2.5' },
      ],
    })
  })

  test('of a counter that holds no number is a fault', () => {
    expect(() => remainingOf({ max_uses: 1 }, [{ rule: usesRule(), used: 'NaN' }])).toThrow('not a decimal')
  })

  test('of the limit of a charge: before it, and after it', () => {
    const action = actionOf(builtin('payment_initiation'), EXAMPLES.payment_initiation ?? {})
    const member = 'instructedAmount.amount'
    const limits = Limits.parse({ max_uses: 1, sums: [{ member, per: 'instructedAmount.currency', max: '200.00' }] })
    const [uses, sum] = accepted(chargesOf({ kind: 'agent', id: 'planner' }, limits, action)) as [Charge, Charge]
    const whose = { of: 'agent', id: 'planner' }
    expect([fitsUnder(uses, '0'), fitsUnder(uses, '1')]).toEqual([true, false])
    expect(limitLeft(uses, '0', true)).toEqual({ ...whose, max_uses: 0 })
    expect([fitsUnder(sum, '76.50'), fitsUnder(sum, '76.51')]).toEqual([true, false])
    const left = { ...whose, member, per: 'instructedAmount.currency', value: 'EUR' }
    expect(limitLeft(sum, '76.51', false)).toEqual({ ...left, max: '123.49' })
    expect(limitLeft(sum, '76.50', true)).toEqual({ ...left, max: '0.00' })
  })
})

describe('a rule', () => {
  const name = fc.string({ minLength: 1, maxLength: 20 })
  const window = fc.option(fc.integer({ min: 1, max: 1e7 }), { nil: undefined })
  test('is read back as it was written, whatever the member and the value are called', () => {
    fc.assert(
      fc.property(name, fc.option(name, { nil: undefined }), name, window, (member, per, value, seconds) => {
        const sum = { member, ...(per !== undefined && { per }), ...(seconds !== undefined && { seconds }) }
        expect(readRule(sumRule(sum, value))).toEqual({ ...sum, ...(per !== undefined && { value }) })
        expect(readRule(usesRule(seconds))).toEqual({ uses: true, ...(seconds !== undefined && { seconds }) })
      }),
    )
  })
  test('of another kind is none', () => expect(readRule('{"downstream":"x"}')).toBeUndefined())
})

test('a difference is exact, never below zero, and has the places of the longer one', () => {
  const cents = fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 30n }), fc.integer({ min: 0, max: 30 }))
  const text = ([units, scale]: readonly [bigint, number]) => {
    const digits = String(units).padStart(scale + 1, '0')
    return scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  }
  fc.assert(
    fc.property(cents, cents, (a, b) => {
      const [max, used] = [readDecimal(text(a)), readDecimal(text(b))]
      if (max === undefined || used === undefined) throw new Error('not a decimal')
      const left = readDecimal(subtractDecimals(max, used))
      if (left === undefined) throw new Error('not a decimal')
      expect(left.scale).toBe(Math.max(a[1], b[1]))
      const scale = 10n ** BigInt(left.scale)
      const [x, y] = [a[0] * (scale / 10n ** BigInt(a[1])), b[0] * (scale / 10n ** BigInt(b[1]))]
      expect(left.units).toBe(x > y ? x - y : 0n)
      if (compareDecimals(max, used) <= 0) expect(left.units).toBe(0n)
    }),
  )
})

describe('what is said of a limit that is reached', () => {
  test.each([
    ['max_uses', 'delegation', { of: 'delegation', rule: 'max_uses' }],
    ['10 in 60 s', 'agent', { of: 'agent', rule: 'rate', maxUses: 10, seconds: 60 }],
    ['the sum of a.b', 'resource', { of: 'resource', rule: 'sum', member: 'a.b' }],
    ['max_per_token', 'downstream rule', undefined],
  ])('%s of the %s is read back', (rule, of, reached) => {
    const label = reachedLabel(rule, of)
    expect(saysLimitReached(label)).toBe(true)
    expect(readReachedLabel(label)).toEqual(reached)
    expect(readReachedLabel(`${label}: a.b`)).toEqual(reached)
  })
  test('anything else says no such thing', () => {
    expect(saysLimitReached('the action is outside the bounds: to[0]')).toBe(false)
    expect(readReachedLabel('no limit reached: max_uses of the delegation')).toBeUndefined()
  })
})
