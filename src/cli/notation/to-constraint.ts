import { elementPositions, type MemberPositions } from '../../core/action/schema-members.ts'
import { ConstraintError, readConstraint } from '../../core/delegation/constraint.ts'
import { parseDecimal } from '../../core/delegation/decimal.ts'
import { type JsonObject, type JsonValue, parseJson } from '../../core/json.ts'
import { isRefusal } from '../../core/refusal.ts'
import { kindText, type MemberKind, memberKind } from './member-kind.ts'
import { NotationError } from './notation-error.ts'
import type { Clause } from './read-clauses.ts'
import { readValue, type Value, type Word } from './read-value.ts'

/** Turns the value of one clause into the constraint that the member's schema lets it mean. Throws NotationError. */
export function toConstraint(clause: Clause, root: JsonObject, positions: MemberPositions): JsonValue {
  const constraint = withMaxItems(clause, root, positions)
  try {
    readConstraint(constraint)
  } catch (error) {
    if (error instanceof ConstraintError) throw new NotationError(error.message, clause.valueAt)
    throw error
  }
  // What may be anything may be absent already.
  return clause.isOptional && !isAny(constraint) ? { $optional: constraint } : constraint
}

const ANY: JsonObject = { $any: true }
const isAny = (constraint: JsonValue) => constraint === ANY

function withMaxItems({ value, valueAt, maxItems }: Clause, root: JsonObject, positions: MemberPositions): JsonValue {
  if ('json' in value) {
    if (maxItems === undefined) return value.json
    throw new NotationError('beside JSON, write "$max_items" into it', maxItems.at)
  }
  const kind = memberKind(root, positions)
  const read = readValue(value.glyphs, valueAt)
  const isList = kind.types.has('array') && (kind.types.size === 1 || maxItems !== undefined)
  if (maxItems !== undefined && !isList) {
    throw new NotationError(`max-items limits a list, and this member is ${kindText(kind)}`, maxItems.at)
  }
  if (!isList) return constraintOf(read, kind, valueAt)
  if (read.says === 'any') return maxItems === undefined ? ANY : { $each: ANY, $max_items: maxItems.count }
  const $each = constraintOf(read, memberKind(root, elementPositions(root, positions.positions)), valueAt)
  return maxItems === undefined ? { $each } : { $each, $max_items: maxItems.count }
}

function constraintOf(value: Value, kind: MemberKind, at: number): JsonValue {
  switch (value.says) {
    case 'any':
      return ANY
    case 'one_of': {
      const [only, ...more] = value.words.map((word) => literalOf(word, kind))
      return more.length === 0 ? (only ?? null) : { $in: [only ?? null, ...more] }
    }
    case 'range':
      return rangeOf(value, kind)
    case 'domains':
      needText(kind, at)
      if (kind.isStructured && !kind.isEmail)
        throw new NotationError('*@domain bounds an address, and this is a URL', at)
      return { $email_domain: value.domains }
    case 'path_within':
      needText(kind, at)
      return { $path_within: value.base }
    case 'url_within':
      needText(kind, at)
      return { $url_within: value.base, ...(value.isQueryAllowed && { $query: true }) }
    default:
      needText(kind, at)
      if (kind.isStructured) {
        const instead = kind.isEmail ? '*@company.com' : 'url:https://api.example/v1/'
        throw new NotationError(`a prefix or suffix bounds neither an address nor a URL: write ${instead}`, at)
      }
      return value.says === 'prefix' ? { $prefix: value.text } : { $suffix: value.text }
  }
}

function needText(kind: MemberKind, at: number): void {
  if (!kind.types.has('string')) throw new NotationError(`the member is ${kindText(kind)}, not a text`, at)
}

function literalOf({ text, at, isQuoted }: Word, kind: MemberKind): JsonValue {
  const { types } = kind
  if (!isQuoted && kind.isEmail && text.includes(',')) {
    throw new NotationError('several addresses are joined by |', at + text.indexOf(','))
  }
  const json = isQuoted ? undefined : parseJson(text)
  const isScalar = json === null || typeof json === 'number' || typeof json === 'boolean'
  if (isScalar && types.has(json === null ? 'null' : typeof json)) return json
  if (types.has('string')) return text
  const hint = types.has('object') ? ': name its members, as in amount.currency=EUR' : ''
  const found = isQuoted ? 'a text in quotes' : isRefusal(json) ? `"${text}"` : text
  throw new NotationError(`expected ${kindText(kind)}, found ${found}${hint}`, at)
}

function rangeOf({ min, max, at }: Extract<Value, { says: 'range' }>, kind: MemberKind): JsonValue {
  const isNumber = kind.types.has('number')
  if (!isNumber && !kind.types.has('string'))
    throw new NotationError(`the member is ${kindText(kind)}, not a number`, at)
  const limit = (word: Word | undefined): JsonValue | undefined => {
    if (word === undefined) return undefined
    const value = isNumber ? parseJson(word.text) : parseDecimal(word.text) && word.text
    if (value === undefined || isRefusal(value)) throw new NotationError('the number cannot be held exactly', word.at)
    return value
  }
  const [$min, $max] = [limit(min), limit(max)]
  return { ...($min !== undefined && { $min }), ...($max !== undefined && { $max }) }
}
