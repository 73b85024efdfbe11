import { z } from 'zod'
import { visible } from '../../visible.ts'

const Rate = z.object({ seconds: z.number(), max_uses: z.number() })
const Sum = z.object({
  member: z.string(),
  max: z.string(),
  per: z.string().optional(),
  value: z.string().optional(),
  seconds: z.number().optional(),
})
type Sum = z.infer<typeof Sum>
const Rules = z.object({
  max_uses: z.number().optional(),
  rates: z.array(Rate).optional(),
  sums: z.array(Sum).optional(),
})

/** Limits as the API shows them: as they were written, and what is left. */
export const ShownLimits = Rules.extend({ remaining: Rules.optional() })
export type ShownLimits = z.infer<typeof ShownLimits>

/** One limit in words. */
interface LimitLine {
  /** What is allowed. */
  readonly rule: string
  /** What of it is left. */
  readonly left: string
}

/** Every limit in a sentence, in the order in which they were written. */
export function explainLimits({ max_uses, rates = [], sums = [], remaining = {} }: ShownLimits): readonly LimitLine[] {
  return [
    ...(max_uses === undefined
      ? []
      : [{ rule: `at most ${uses(max_uses)} altogether`, left: `${remaining.max_uses ?? '?'} left` }]),
    ...rates.map(({ seconds, max_uses: max }) => ({
      rule: `at most ${uses(max)} in any ${windowWords(seconds)}`,
      left: `${remaining.rates?.find((rate) => rate.seconds === seconds)?.max_uses ?? '?'} left now`,
    })),
    ...sums.map((sum) => ({
      rule: `${visible(sum.member)} adds up to at most ${sum.max}${sum.per === undefined ? '' : ` for each ${visible(sum.per)}`}${sum.seconds === undefined ? '' : ` in any ${windowWords(sum.seconds)}`}`,
      left: sumLeft(
        sum,
        (remaining.sums ?? []).filter((left) => isOf(left, sum)),
      ),
    })),
  ]
}

function sumLeft({ per, max }: Sum, left: readonly Sum[]): string {
  if (per === undefined) return `${left[0]?.max ?? '?'} left`
  const counted = left.map(({ value = '', max: rest }) => `${rest} ${visible(value)}`)
  return counted.length === 0 ? `${max} of each left` : `${counted.join(', ')} left, of any other all of it`
}

/** Of a dry run: one limit, and what is left of it. */
export const LimitLeft = z.object({
  ...{ of: z.string(), id: z.string(), seconds: z.number().optional(), max_uses: z.number().optional() },
  ...{ member: z.string().optional(), per: z.string().optional(), value: z.string().optional() },
  max: z.string().optional(),
})

/** `3 uses in any minute, agent planner`. */
export function explainLimitLeft(limit: z.infer<typeof LimitLeft>): string {
  const { of, id, seconds, max_uses, member, value, max } = limit
  const window = seconds === undefined ? '' : ` in any ${windowWords(seconds)}`
  const what =
    max_uses === undefined
      ? `${max ?? '?'}${value === undefined ? '' : ` ${visible(value)}`} of ${visible(member ?? '')}`
      : uses(max_uses)
  return `${what}${window}, ${visible(of)} ${visible(id)}`
}

/** How far a delegation may be given on, in a sentence. */
export function explainDelegable({ max_depth, agents }: { max_depth: number; agents?: readonly string[] | undefined }) {
  if (max_depth === 0) return 'It may not be given on to another agent.'
  const whom = agents === undefined ? 'to any active agent' : `to ${agents.map(visible).join(' or ')}`
  return `It may be given on ${whom}, ${max_depth === 1 ? 'who may not give it on' : `${max_depth} deep`}.`
}

const isOf = (left: Sum, sum: Sum) => left.member === sum.member && left.per === sum.per && left.seconds === sum.seconds

const uses = (count: number) => `${count} use${count === 1 ? '' : 's'}`

const WORDS: readonly (readonly [seconds: number, word: string])[] = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
]

/** A window in the largest unit that it is a whole number of: `any minute`, `any 30 days`. */
function windowWords(seconds: number): string {
  const [size, word] = WORDS.find(([each]) => seconds % each === 0) ?? [1, 'second']
  const count = seconds / size
  return count === 1 ? word : `${count} ${word}s`
}
