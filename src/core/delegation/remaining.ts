import { type Charge, type LimitOwner, readRule } from './charge.ts'
import { addDecimals, compareDecimals, type Decimal, readDecimal, subtractDecimals } from './decimal.ts'
import type { Limits } from './limits.ts'

/** What was counted at one rule, less what has left by itself. */
export interface Counted {
  /** JSON text (charge.ts). */
  readonly rule: string
  /** Decimal string. */
  readonly used: string
}

/** What is left of limits at one moment. The members are named as those of the limits are. */
export interface Remaining {
  readonly max_uses?: number
  readonly rates?: readonly { readonly seconds: number; readonly max_uses: number }[]
  readonly sums?: readonly RemainingSum[]
}

/** With `per`, one for each value that was counted so far: every other value has the whole `max`. */
export interface RemainingSum {
  readonly member: string
  readonly per?: string
  readonly value?: string
  readonly seconds?: number
  readonly max: string
}

/**
 * What is left of limits, given what was counted. Counters of rules that the limits do not have any more say nothing.
 *
 * @throws when a counter is not one of ours: a fault.
 */
export function remainingOf(limits: Limits, counted: readonly Counted[]): Remaining {
  const counters = counted.map(({ rule, used }) => ({ rule: readRule(rule), used: amountOf(used) }))
  const usesIn = (seconds: number | undefined) =>
    counters.find(({ rule }) => rule !== undefined && 'uses' in rule && rule.seconds === seconds)?.used
  const usesLeft = (max: number, seconds?: number) =>
    Number(subtractDecimals(amountOf(String(max)), usesIn(seconds) ?? NOTHING))
  const { max_uses, rates, sums } = limits
  return {
    ...(max_uses !== undefined && { max_uses: usesLeft(max_uses) }),
    ...(rates !== undefined && {
      rates: rates.map(({ seconds, max_uses: max }) => ({ seconds, max_uses: usesLeft(max, seconds) })),
    }),
    ...(sums !== undefined && {
      sums: sums.flatMap(({ member, max, per, seconds }): RemainingSum[] => {
        const window = seconds === undefined ? {} : { seconds }
        const ofSum = counters.flatMap(({ rule, used }) => {
          const isOfSum = rule !== undefined && 'member' in rule && rule.member === member
          return isOfSum && rule.per === per && rule.seconds === seconds ? [{ value: rule.value, used }] : []
        })
        const left = (used: Decimal) => subtractDecimals(amountOf(max), used)
        if (per === undefined) return [{ member, ...window, max: left(ofSum[0]?.used ?? NOTHING) }]
        return ofSum.map(({ value = '', used }) => ({ member, per, value, ...window, max: left(used) }))
      }),
    }),
  }
}

const NOTHING: Decimal = { units: 0n, scale: 0 }

function amountOf(text: string): Decimal {
  const amount = readDecimal(text)
  if (amount === undefined) throw new Error(`not a decimal: ${text}`)
  return amount
}

/** One limit that an action counts at: whose it is, and what is left of it. */
export type LimitLeft = { readonly of: LimitOwner['kind']; readonly id: string } & (
  | { readonly seconds?: number; readonly max_uses: number }
  | RemainingSum
)

/** Whether a charge fits under its limit when so much was counted before. */
export const fitsUnder = ({ max, amount }: Charge, used: string): boolean =>
  compareDecimals(addDecimals(amountOf(used), amountOf(amount)), amountOf(max)) <= 0

/**
 * What is left of the limit of a charge when so much was counted before.
 *
 * @param isCounted whether what the charge itself counts is taken off too.
 */
export function limitLeft(charge: Charge, used: string, isCounted: boolean): LimitLeft {
  const { owner, max, amount } = charge
  const before = amountOf(used)
  const left = subtractDecimals(amountOf(max), isCounted ? addDecimals(before, amountOf(amount)) : before)
  const whose = { of: owner.kind, id: owner.id }
  const rule = readRule(charge.rule)
  if (rule === undefined) throw new Error(`not a rule of limits: ${charge.rule}`)
  if ('member' in rule) return { ...whose, ...rule, max: left }
  return { ...whose, ...(rule.seconds !== undefined && { seconds: rule.seconds }), max_uses: Number(left) }
}
