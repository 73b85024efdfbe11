import type { JsonValue } from '../../core/json.ts'

/** How often, how fast and how much. The members are those of the wire (docs/limits.md). */
export interface Limits {
  readonly max_uses?: number
  readonly rates?: readonly { readonly seconds: number; readonly max_uses: number }[]
  readonly sums?: readonly LimitSum[]
}

export interface LimitSum {
  readonly member: string
  /** A decimal string, exact. */
  readonly max: string
  /** Each value of this member has a sum of its own. */
  readonly per?: string
  /** Of what is left: the value of `per`. A value that is not named has the whole `max`. */
  readonly value?: string
  readonly seconds?: number
}

/** Limits of a delegation, and what was left of them when they were read. Other limits may count too, and others count here. */
export interface DelegationLimits extends Limits {
  readonly remaining: Limits
}

/** Reads the limits of a delegation; undefined when there are none that this version understands. */
export function readLimits(value: JsonValue | undefined): DelegationLimits | undefined {
  if (!isRules(value)) return undefined
  const { remaining = {}, ...written } = value as Limits & { readonly remaining?: JsonValue }
  return isRules(remaining) ? { ...written, remaining } : undefined
}

function isRules(value: JsonValue | undefined): value is JsonValue & Limits {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { max_uses, rates = [], sums = [] } = value as Readonly<Record<string, JsonValue>>
  const isList = (list: JsonValue, isItem: (item: Readonly<Record<string, JsonValue>>) => boolean) =>
    Array.isArray(list) && list.every((item) => typeof item === 'object' && item !== null && isItem(item as never))
  return (
    (max_uses === undefined || typeof max_uses === 'number') &&
    isList(rates, ({ seconds, max_uses: max }) => typeof seconds === 'number' && typeof max === 'number') &&
    isList(sums, ({ member, max }) => typeof member === 'string' && typeof max === 'string')
  )
}
