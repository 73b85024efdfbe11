import { ShownLimits } from '../../core/delegation/explain/explain-limits.ts'
import { visible } from '../../core/visible.ts'
import { windowText } from '../notation/read-limits.ts'

/** Limits in one line, for a table: `98 left, 3/60s, 7.50 EUR`. Empty without limits. */
export function limitsLeft(limits: unknown): string {
  const parsed = ShownLimits.safeParse(limits)
  if (!parsed.success) return ''
  const { max_uses, rates = [], sums = [] } = parsed.data.remaining ?? {}
  return [
    ...(max_uses === undefined ? [] : [String(max_uses)]),
    ...rates.map(({ seconds, max_uses: left }) => `${left}/${windowText(seconds)}`),
    ...sums.map(
      ({ max, value, seconds }) =>
        `${max}${value === undefined ? '' : ` ${visible(value)}`}${seconds === undefined ? '' : `/${windowText(seconds)}`}`,
    ),
  ].join(', ')
}
