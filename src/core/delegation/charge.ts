import type { Action } from '../action/parse-action.ts'
import type { JsonValue } from '../json.ts'
import { isRefusal, type Refusal, refuse } from '../refusal.ts'
import { parseDecimal } from './decimal.ts'
import { MAX_USES, rateName, reachedLabel, sumName } from './limit-label.ts'
import { currencyBeside, type Limits, type Sum, valueAt } from './limits.ts'

/** The longest value of a `per` member. Unit: UTF-16 units. */
const MAX_PER_LENGTH = 100

/** Whose limit it is. */
export interface LimitOwner {
  readonly kind: 'delegation' | 'agent' | 'resource' | 'token'
  readonly id: string
  /** When nothing can be counted at it any more; absent: never. */
  readonly until?: Date
}

/** How an owner is told apart from all others where its counters are kept. */
export const ownerKey = ({ kind, id }: Pick<LimitOwner, 'kind' | 'id'>): string => `${kind}:${id}`

/** What one issuance counts at one rule of one limit; the commit adds it up, or refuses. */
export interface Charge {
  readonly owner: LimitOwner
  /** The rule, told apart from all others of the owner: JSON text. */
  readonly rule: string
  /** Decimal strings. */
  readonly max: string
  readonly amount: string
  /** The window; absent: for ever. */
  readonly seconds?: number
  /** What to say when the limit is reached. */
  readonly label: string
  /** The summed member. */
  readonly member?: string
}

/** The rule by which uses are counted, of a window or for ever. Tells nothing of how many are allowed. */
export const usesRule = (seconds?: number): string => JSON.stringify({ uses: true, ...(seconds && { seconds }) })

/** The rule by which a member is added up, for one value of `per`. */
export const sumRule = ({ member, per, seconds }: Omit<Sum, 'max'>, value?: string): string =>
  JSON.stringify({ member, ...(per && { per, value }), ...(seconds && { seconds }) })

/** What a rule counts: uses, or a member, for one value of `per` where it has one. */
export type Rule =
  | { readonly uses: true; readonly seconds?: number }
  | { readonly member: string; readonly per?: string; readonly value?: string; readonly seconds?: number }

/** Reads back what `usesRule` and `sumRule` wrote; undefined for a rule of another kind. */
export function readRule(text: string): Rule | undefined {
  const rule = JSON.parse(text) as Partial<Record<'uses' | 'member', unknown>>
  return rule.uses === true || typeof rule.member === 'string' ? (rule as Rule) : undefined
}

/** What one token of a downstream rule counts at the token that it is asked for with. */
export const downstreamCharge = (owner: LimitOwner, rule: string, maxPerToken: number): Charge => ({
  ...{ owner, rule: JSON.stringify({ downstream: rule }), max: String(maxPerToken), amount: '1' },
  label: reachedLabel('max_per_token', 'downstream rule'),
})

/**
 * What an action counts at the limits of one owner, in the order in which they were written.
 *
 * `isWithinBounds` says that the action is within the bounds of the delegations; one of a downstream rule need not be.
 *
 * @returns a refusal when the action cannot be counted: a summed member that is missing, negative, hidden behind a digest
 * or no number. What cannot be counted is not allowed.
 */
export function chargesOf(
  owner: LimitOwner,
  limits: Limits,
  action: Action,
  isWithinBounds = true,
): readonly Charge[] | Refusal<'limit_not_countable'> {
  const charges: Charge[] = []
  const label = (rule: string) => reachedLabel(rule, owner.kind)
  if (limits.max_uses !== undefined) {
    charges.push({ owner, rule: usesRule(), max: String(limits.max_uses), amount: '1', label: label(MAX_USES) })
  }
  for (const { seconds, max_uses } of limits.rates ?? []) {
    const window = label(rateName(max_uses, seconds))
    charges.push({ owner, rule: usesRule(seconds), max: String(max_uses), amount: '1', seconds, label: window })
  }
  for (const sum of limits.sums ?? []) {
    const counted = readSum(sum, action, isWithinBounds && owner.kind === 'delegation')
    if (isRefusal(counted)) return counted
    const { member, max, seconds } = sum
    charges.push({
      ...{ owner, rule: sumRule(sum, counted.per), max, amount: counted.amount, member },
      ...{ label: label(sumName(member)), ...(seconds !== undefined && { seconds }) },
    })
  }
  return charges
}

function readSum(
  { member, per }: Sum,
  { details }: Action,
  isOneCurrency: boolean,
): { readonly amount: string; readonly per?: string } | Refusal<'limit_not_countable'> {
  const amount = decimalText(valueAt(details, member))
  if (amount === undefined) return refuse('limit_not_countable', 'a limit adds up a member that is missing', member)
  // A negative amount would refill the sum.
  if (amount.startsWith('-')) return refuse('limit_not_countable', 'a limit adds up a member that is negative', member)
  if (per === undefined) {
    // The bounds of a delegation name one currency (checkLimits); for an agent or a resource nothing does.
    const isOfManyCurrencies = !isOneCurrency && valueAt(details, currencyBeside(member)) !== undefined
    return isOfManyCurrencies
      ? refuse('limit_not_countable', 'a limit would add up different currencies: it needs "per"', member)
      : { amount }
  }
  const value = valueAt(details, per)
  if (typeof value !== 'string' || value.length > MAX_PER_LENGTH) {
    return refuse('limit_not_countable', 'a limit counts by a member that is missing or no short text', per)
  }
  return { amount, per: value }
}

/** A decimal string, or a number whose decimal form is exact. A digest is neither. */
function decimalText(value: JsonValue | undefined): string | undefined {
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' && parseDecimal(text) !== undefined ? text : undefined
}
