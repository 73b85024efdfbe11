import type { ApprovalRule } from '../../core/delegation/approval-rule.ts'
import type { Bound } from '../../core/delegation/bound.ts'
import { currencyBeside, Limits } from '../../core/delegation/limits.ts'
import { type Answers, type Narrowing, NarrowingError, narrowing } from '../../core/delegation/narrowing.ts'
import { isJsonObject, type JsonValue } from '../../core/json.ts'

/** What of it cannot be taken, in words for a person. */
export interface ConsentProblem {
  readonly problem: string
}

/** What a principal agrees to, as the form says it. */
export interface Narrowed {
  readonly authorizationDetails: readonly JsonValue[]
  readonly limits: Limits | undefined
  readonly approval: ApprovalRule | undefined
  readonly expiresAt: Date
}

/** For how long, in seconds; the longest is what the server allows at most. */
const PERIODS: readonly (readonly [seconds: number, name: string])[] = [
  [3_600, 'one hour'],
  [86_400, 'one day'],
  [7 * 86_400, 'one week'],
  [30 * 86_400, '30 days'],
  [90 * 86_400, '90 days'],
]
/** What is chosen before anybody chooses. */
const USUAL_SECONDS = 30 * 86_400

export const WINDOWS: readonly (readonly [seconds: number, name: string])[] = [
  [60, 'minute'],
  [3_600, 'hour'],
  [86_400, 'day'],
  [7 * 86_400, 'week'],
]

/** Fields of one form that its reader takes, with room for those that every form has. */
const MAX_FIELDS = 48

/** How each bound can be narrowed; with fewer fields where there are many of them, and none where even that is too many. */
export function narrowings(bounds: readonly Bound[]): readonly Narrowing[] {
  const fields = (all: readonly Narrowing[]) =>
    all
      .flatMap(({ controls }) => controls)
      .reduce((sum, one) => sum + (one.kind === 'choices' ? one.options.length : 1), 0)
  const full = bounds.map((bound, n) => narrowing(bound, `b${n}`))
  if (fields(full) + bounds.length <= MAX_FIELDS) return full
  const compact = bounds.map((bound, n) => narrowing(bound, `b${n}`, true))
  if (fields(compact) + bounds.length <= MAX_FIELDS) return compact
  return bounds.map(({ json }) => ({ controls: [], apply: () => json }))
}

/** The periods to choose from. */
export function periods(maxSeconds: number): readonly (readonly [seconds: number, name: string])[] {
  const shorter = PERIODS.filter(([seconds]) => seconds <= maxSeconds)
  if (shorter.some(([seconds]) => seconds === maxSeconds)) return shorter
  return [...shorter, [maxSeconds, 'as long as this server allows']]
}

/** The one that is chosen before anybody chooses. */
export const usualPeriod = (maxSeconds: number): number =>
  periods(maxSeconds).findLast(([seconds]) => seconds <= USUAL_SECONDS)?.[0] ?? maxSeconds

/** An option of a list shows text alone: what would not be seen in it could not be named. */
const PLAIN = /^[\x21-\x7e]+$/

/** Members of the bounds that can be added up: those with a minimum or a maximum, and amounts. */
export function summable(bounds: readonly Bound[]): readonly string[] {
  const paths = bounds.flatMap(({ json }) => amounts(json, ''))
  return [...new Set(paths)].filter((path) => PLAIN.test(path)).slice(0, 8)
}

function amounts(value: JsonValue, path: string): string[] {
  if (!isJsonObject(value)) return []
  return Object.entries(value).flatMap(([name, inner]) => {
    const at = path === '' ? name : `${path}.${name}`
    if (name.startsWith('$')) return name === '$optional' ? amounts(inner, path) : []
    if (!isJsonObject(inner)) return name === 'amount' ? [at] : []
    return '$min' in inner || '$max' in inner || name === 'amount' ? [at] : amounts(inner, at)
  })
}

/** Reads the form. That it is within what was asked for is judged by the command, whatever stands here. */
export function readConsentForm(
  form: Answers,
  { bounds, maxSeconds, now }: { readonly bounds: readonly Bound[]; readonly maxSeconds: number; readonly now: Date },
): Narrowed | ConsentProblem {
  try {
    const each = narrowings(bounds)
    const authorizationDetails = each.flatMap(({ apply }, n) =>
      form.get(`bound.${n}`) === undefined ? [] : [apply(form)],
    )
    if (authorizationDetails.length === 0) return { problem: 'Nothing is left of it: to allow nothing, refuse it.' }
    const seconds = Number(form.get('period') ?? usualPeriod(maxSeconds))
    if (!periods(maxSeconds).some(([one]) => one === seconds)) return { problem: 'Choose for how long it is to hold.' }
    const mode = form.get('approval') ?? 'none'
    if (mode !== 'none' && mode !== 'each') return { problem: 'Choose whether you are to be asked each time.' }
    const limits = readLimits(form, bounds)
    if (limits !== undefined && 'problem' in limits) return limits
    return {
      authorizationDetails,
      limits,
      approval: mode === 'each' ? { mode } : undefined,
      expiresAt: new Date(now.getTime() + seconds * 1_000),
    }
  } catch (error) {
    if (error instanceof NarrowingError) return { problem: `${error.path}: ${error.message}.` }
    throw error
  }
}

function readLimits(form: Answers, bounds: readonly Bound[]): Limits | ConsentProblem | undefined {
  const whole = (name: string) => {
    const text = form.get(name)?.trim()
    return text === undefined || text === '' ? undefined : Number(text)
  }
  const uses = whole('max_uses')
  const rate = whole('rate_uses')
  const sum = form.get('sum_max')?.trim()
  const member = form.get('sum_member')
  if (sum !== undefined && sum !== '' && (member === undefined || !summable(bounds).includes(member))) {
    return { problem: 'Choose what is to be added up.' }
  }
  if (uses === undefined && rate === undefined && (sum === undefined || sum === '')) return undefined
  const currency = member === undefined ? undefined : currencyBeside(member)
  const hasCurrency = currency !== undefined && bounds.some(({ json }) => isMember(json, currency))
  const parsed = Limits.safeParse({
    ...(uses !== undefined && { max_uses: uses }),
    ...(rate !== undefined && { rates: [{ seconds: whole('rate_window') ?? 0, max_uses: rate }] }),
    ...(sum !== undefined && sum !== '' && { sums: [{ member, max: sum, ...(hasCurrency && { per: currency }) }] }),
  })
  return parsed.success
    ? parsed.data
    : { problem: 'A limit is a whole number from 1 on; a sum an amount such as 100.00.' }
}

function isMember(value: JsonValue, path: string): boolean {
  let at: JsonValue | undefined = value
  for (const name of path.split('.')) at = isJsonObject(at) ? at[name] : undefined
  return at !== undefined
}
