import { z } from 'zod'
import { isJsonObject, type JsonValue, ownMember } from '../json.ts'
import { type Refusal, refuse } from '../refusal.ts'
import type { Bound } from './bound.ts'
import { parseDecimal } from './decimal.ts'

/** The longest window. Unit: seconds. */
const MAX_WINDOW_SECONDS = 366 * 24 * 3_600
const MAX_USES = 1_000_000_000
const MAX_RULES = 8

const Uses = z.number().int().min(1).max(MAX_USES)
const Seconds = z.number().int().min(1).max(MAX_WINDOW_SECONDS).describe('The window. Unit: seconds.')
/** Names of object members joined by dots. */
const MemberName = z
  .string()
  .max(200)
  .regex(/^[^.$[\]\s][^.[\]\s]*(\.[^.$[\]\s][^.[\]\s]*)*$/, 'must be names of object members, joined by dots')
const Amount = z
  .string()
  .refine((text) => (parseDecimal(text)?.units ?? -1n) >= 0n, 'must be a decimal string that is not negative')
  .meta({ description: 'Exact.', maxLength: 40, pattern: '^(0|[1-9][0-9]*)(\\.[0-9]+)?$', examples: ['500.00'] })

/** So many uses in any window of so many seconds. */
const Rate = z.strictObject({ seconds: Seconds, max_uses: Uses })
/** A member of the actions, added up; with `per`, each value of that member has a sum of its own. */
const Sum = z.strictObject({
  member: MemberName.describe('What is added up: names of object members joined by dots.'),
  max: Amount,
  per: MemberName.describe(
    'Each value of this member has a sum of its own; needed where currencies differ.',
  ).optional(),
  seconds: Seconds.describe('The window. Absent: for ever. Unit: seconds.').optional(),
})

/**
 * How often, how fast and how much: what is counted in the transaction of the issuance (wire contract, "Limits").
 *
 * The members are named as they are written; a limit is stored as it was written.
 */
export const Limits = z
  .strictObject({
    max_uses: Uses.describe('How often at all.').optional(),
    rates: z.array(Rate).max(MAX_RULES).describe('How often in any window; each window once.').optional(),
    sums: z.array(Sum).max(MAX_RULES).describe('How much, each member added up exactly.').optional(),
  })
  .superRefine((limits, context) => {
    const twice = (path: 'rates' | 'sums', index: number) =>
      context.addIssue({ code: 'custom', message: 'limits the same a second time', path: [path, index] })
    for (const [i, rate] of (limits.rates ?? []).entries()) {
      if (limits.rates?.findIndex(({ seconds }) => seconds === rate.seconds) !== i) twice('rates', i)
    }
    for (const [i, sum] of (limits.sums ?? []).entries()) {
      if (limits.sums?.findIndex((other) => sumRule(other) === sumRule(sum)) !== i) twice('sums', i)
    }
  })
export type Limits = z.infer<typeof Limits>
export type Sum = z.infer<typeof Sum>

/** What a sum counts, apart from the value of `per`. */
const sumRule = ({ member, per, seconds }: Sum) => JSON.stringify([member, per ?? null, seconds ?? null])

/**
 * Whether limits can be counted for what the bounds allow.
 *
 * A sum without `per` would add up currencies, so every bound must name the one it allows: `currency` beside the summed
 * member is a literal, and the same in all of them.
 */
export function checkLimits(limits: Limits, bounds: readonly Bound[]): Refusal<'limit_invalid'> | undefined {
  for (const [i, sum] of (limits.sums ?? []).entries()) {
    if (sum.per !== undefined) continue
    const currencies = new Set<string>()
    for (const { json } of bounds) {
      const currency = boundAt(json, currencyBeside(sum.member))
      if (currency === undefined) continue
      if (typeof currency !== 'string') {
        return refuse('limit_invalid', 'needs "per", or bounds that name one "currency"', `limits.sums[${i}]`)
      }
      currencies.add(currency)
    }
    if (currencies.size > 1) {
      return refuse('limit_invalid', 'would add up different currencies: it needs "per"', `limits.sums[${i}]`)
    }
  }
  return undefined
}

/** What a bound says of a member; the constraint of an object that it stands in when that is not written out. */
function boundAt(bound: JsonValue, path: string): JsonValue | undefined {
  let at: JsonValue | undefined = bound
  for (const name of path.split('.')) {
    if (!isJsonObject(at)) return undefined
    // An operator: whatever it lets through has a currency that nobody named.
    if (Object.keys(at).some((member) => member.startsWith('$'))) return at
    at = ownMember(at, name)
  }
  return at
}

/** The member named `currency` that stands beside another one. */
export const currencyBeside = (member: string): string => [...member.split('.').slice(0, -1), 'currency'].join('.')

/** What stands at a path of object members; undefined when something of it is missing or no object. */
export function valueAt(value: JsonValue, path: string): JsonValue | undefined {
  let at: JsonValue | undefined = value
  for (const name of path.split('.')) at = isJsonObject(at) ? ownMember(at, name) : undefined
  return at
}
