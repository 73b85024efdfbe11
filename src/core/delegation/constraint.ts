import { isDomain } from '../action/email-address.ts'
import { isForbiddenName, isJsonArray, isJsonObject, type JsonObject, type JsonValue, ownMember } from '../json.ts'
import { isCanonicalPath, parseUrlBase } from './confined.ts'
import { compareDecimals, parseDecimal } from './decimal.ts'

/** What a bound says about one value, read and checked. Holds nothing but what was written. */
export type Constraint =
  | { readonly op: 'literal'; readonly value: JsonValue }
  | { readonly op: 'object'; readonly members: ReadonlyMap<string, Constraint> }
  | { readonly op: 'array'; readonly items: readonly Constraint[] }
  | { readonly op: 'any' }
  | { readonly op: 'optional'; readonly inner: Constraint }
  | {
      readonly op: 'in'
      readonly values: readonly JsonValue[]
      /** Those of the values that are no objects and no arrays. */
      readonly scalars: ReadonlySet<JsonValue>
    }
  | { readonly op: 'min' | 'max'; readonly limit: number | string }
  | { readonly op: 'prefix' | 'suffix'; readonly text: string }
  | { readonly op: 'email_domain'; readonly domains: readonly string[] }
  | { readonly op: 'path_within'; readonly base: string }
  | { readonly op: 'url_within'; readonly base: string; readonly isQueryAllowed: boolean }
  | { readonly op: 'each'; readonly inner: Constraint; readonly maxItems: number | undefined }
  | { readonly op: 'all'; readonly parts: readonly Constraint[] }

/** Why a constraint cannot be read. */
export class ConstraintError extends Error {}

const MAX_DEPTH = 32
const MAX_IN_VALUES = 1_000
const MAX_DOMAINS = 100
const MAX_PARTS = 16
const MAX_TEXT_LENGTH = 8_192

/**
 * Reads a constraint. Nothing is guessed: an unknown operator, two operators at once, an operator beside a plain member
 * or an operand that means nothing is an error.
 *
 * @throws ConstraintError saying what is wrong; the caller refuses.
 */
export function readConstraint(json: JsonValue, depth = 0): Constraint {
  if (depth > MAX_DEPTH) throw new ConstraintError('the bound is nested too deeply')
  if (isJsonArray(json)) {
    const items = json.map((item) => readConstraint(item, depth + 1))
    return items.every((item) => item.op === 'literal') ? { op: 'literal', value: json } : { op: 'array', items }
  }
  if (!isJsonObject(json)) return { op: 'literal', value: json }
  const names = Object.keys(json)
  const operators = names.filter((name) => name.startsWith('$'))
  if (operators.length === 0) return readObject(json, names, depth)
  if (operators.length < names.length) throw new ConstraintError('operators and plain members cannot be mixed')
  const read = READERS.get(operators.toSorted().join(' '))
  if (read === undefined) throw new ConstraintError('an unknown operator, or operators that do not go together')
  return read(json, depth)
}

function readObject(json: JsonObject, names: readonly string[], depth: number): Constraint {
  const members = new Map<string, Constraint>()
  for (const name of names) {
    if (isForbiddenName(name)) throw new ConstraintError('a member name is not allowed')
    members.set(name, readConstraint(ownMember(json, name) ?? null, depth + 1))
  }
  const isLiteral = [...members.values()].every((member) => member.op === 'literal')
  return isLiteral ? { op: 'literal', value: json } : { op: 'object', members }
}

/** One reader for each set of operators that may stand together; keys are the sorted names. */
const READERS: ReadonlyMap<string, (json: JsonObject, depth: number) => Constraint> = new Map([
  ['$any', ({ $any }) => need($any === true, '"$any" must be true', { op: 'any' })],
  ['$optional', ({ $optional }, depth) => ({ op: 'optional', inner: readConstraint($optional ?? null, depth + 1) })],
  ['$in', ({ $in }) => readIn($in)],
  ['$min', ({ $min }) => ({ op: 'min', limit: readLimit($min) })],
  ['$max', ({ $max }) => ({ op: 'max', limit: readLimit($max) })],
  ['$max $min', ({ $min, $max }) => readRange(readLimit($min), readLimit($max))],
  ['$prefix', ({ $prefix }) => ({ op: 'prefix', text: readText($prefix) })],
  ['$suffix', ({ $suffix }) => ({ op: 'suffix', text: readText($suffix) })],
  ['$email_domain', ({ $email_domain }) => readDomains($email_domain)],
  ['$path_within', ({ $path_within }) => readPath(readText($path_within))],
  ['$url_within', ({ $url_within }) => readUrl(readText($url_within), false)],
  [
    '$query $url_within',
    ({ $url_within, $query }) =>
      need($query === true, '"$query" must be true or absent', readUrl(readText($url_within), true)),
  ],
  ['$each', ({ $each }, depth) => readEach($each, undefined, depth)],
  ['$each $max_items', ({ $each, $max_items }, depth) => readEach($each, $max_items, depth)],
  ['$all', ({ $all }, depth) => readAll($all, depth)],
])

function need<T>(isGiven: boolean, otherwise: string, value: T): T {
  if (!isGiven) throw new ConstraintError(otherwise)
  return value
}

function readText(value: JsonValue | undefined): string {
  if (typeof value !== 'string' || value.length > MAX_TEXT_LENGTH) {
    throw new ConstraintError('the operand must be a string of at most 8192 characters')
  }
  return value
}

function readIn(values: JsonValue | undefined): Constraint {
  if (!isJsonArray(values) || values.length === 0 || values.length > MAX_IN_VALUES) {
    throw new ConstraintError(`"$in" must be an array of 1 to ${MAX_IN_VALUES} values`)
  }
  for (const value of values) {
    if (readConstraint(value, 1).op !== 'literal') throw new ConstraintError('a constraint cannot stand inside "$in"')
  }
  const scalars = new Set(values.filter((value) => typeof value !== 'object' || value === null))
  return { op: 'in', values, scalars }
}

function readLimit(value: JsonValue | undefined): number | string {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'string' && parseDecimal(value) !== undefined) return value
  throw new ConstraintError('"$min" and "$max" must be a number or a decimal string')
}

function readRange(min: number | string, max: number | string): Constraint {
  const order = compareLimits(min, max)
  if (order === undefined) throw new ConstraintError('"$min" and "$max" must both be numbers or both decimal strings')
  if (order > 0) throw new ConstraintError('"$min" must not be greater than "$max"')
  return {
    op: 'all',
    parts: [
      { op: 'min', limit: min },
      { op: 'max', limit: max },
    ],
  }
}

/** Compares a number with a number or a decimal string with a decimal string; undefined for anything else. */
export function compareLimits(a: JsonValue, b: JsonValue): number | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a < b ? -1 : a > b ? 1 : a === b ? 0 : undefined
  if (typeof a !== 'string' || typeof b !== 'string') return undefined
  const [left, right] = [parseDecimal(a), parseDecimal(b)]
  return left === undefined || right === undefined ? undefined : compareDecimals(left, right)
}

function readDomains(domains: JsonValue | undefined): Constraint {
  const isList = isJsonArray(domains) && domains.length > 0 && domains.length <= MAX_DOMAINS
  if (!isList || !domains.every((domain): domain is string => typeof domain === 'string' && isDomain(domain))) {
    throw new ConstraintError(`"$email_domain" must be an array of 1 to ${MAX_DOMAINS} lower-case domain names`)
  }
  return { op: 'email_domain', domains }
}

function readPath(base: string): Constraint {
  return need(isCanonicalPath(base), '"$path_within" must be an absolute path without empty or dot segments', {
    op: 'path_within',
    base,
  })
}

function readUrl(base: string, isQueryAllowed: boolean): Constraint {
  return need(parseUrlBase(base) !== undefined, '"$url_within" must be a canonical http(s) URL without a query', {
    op: 'url_within',
    base,
    isQueryAllowed,
  })
}

function readEach(each: JsonValue | undefined, maxItems: JsonValue | undefined, depth: number): Constraint {
  if (maxItems !== undefined && !(Number.isSafeInteger(maxItems) && Number(maxItems) >= 0)) {
    throw new ConstraintError('"$max_items" must be a whole number')
  }
  return {
    op: 'each',
    inner: readConstraint(each ?? null, depth + 1),
    maxItems: typeof maxItems === 'number' ? maxItems : undefined,
  }
}

function readAll(parts: JsonValue | undefined, depth: number): Constraint {
  if (!isJsonArray(parts) || parts.length === 0 || parts.length > MAX_PARTS) {
    throw new ConstraintError(`"$all" must be an array of 1 to ${MAX_PARTS} constraints`)
  }
  return { op: 'all', parts: parts.map((part) => readConstraint(part, depth + 1)) }
}

/** Whether a member with this constraint may be missing. Only when it says so itself: inside `$all` it does not count. */
export function allowsAbsence(constraint: Constraint): boolean {
  return constraint.op === 'any' || constraint.op === 'optional'
}
