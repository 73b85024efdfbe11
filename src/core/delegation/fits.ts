import { difference } from '../action/difference.ts'
import type { DigestKind, DigestPlace } from '../action/digest.ts'
import { isDigest } from '../action/digest.ts'
import { parseEmailAddress } from '../action/email-address.ts'
import { memberOrder } from '../action/member-order.ts'
import { elementPath, memberPath } from '../action/member-path.ts'
import type { Action } from '../action/parse-action.ts'
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import type { Bound } from './bound.ts'
import { isPathWithin, isUrlWithin } from './confined.ts'
import { allowsAbsence, type Constraint, compareLimits, readConstraint } from './constraint.ts'

/** Why an action is outside a bound: the first member that does not fit. */
export interface Gap {
  /** Path of the member, for example `to[0]`. Empty: the value as a whole. */
  readonly member: string
}

/**
 * Whether a value fits a constraint as it is written. `digestKind` says that the value stands at a digestible member.
 * A constraint that cannot be read fits nothing.
 */
export function fits(value: JsonValue, constraint: JsonValue, digestKind?: DigestKind): boolean {
  try {
    const place = digestKind === undefined ? undefined : { kind: digestKind, members: new Map() }
    return constraintGap(value, readConstraint(constraint), place) === undefined
  } catch {
    return false
  }
}

/**
 * Finds the first way in which an action is outside a bound: its type, its location, its members in their own order, then
 * a member that the bound requires.
 *
 * INVARIANT: asking for more never helps. A member, element or value that the bound does not name is a gap, whatever
 * else fits (test/property/delegation.test.ts).
 *
 * @returns undefined when the action fits. An error inside the comparison is a gap.
 */
export function boundGap(action: Action, bound: Bound): Gap | undefined {
  try {
    // A bound is only as good as the version of the type that it was checked under.
    if (action.type.type !== bound.type.type || action.type.version !== bound.type.version) return { member: 'type' }
    const { locations } = action.details
    const isHere =
      isJsonArray(locations) && locations.length > 0 && locations.every((l) => bound.locations.includes(String(l)))
    if (!isHere) return { member: 'locations' }
    const member = membersGap(action.details, bound.members, action.type.digestPlaces, isAboutMembers)
    return member === undefined ? undefined : { member }
  } catch {
    return { member: '' }
  }
}

/** Path of the first place where a value does not fit; undefined when it fits. */
export function constraintGap(
  value: JsonValue,
  constraint: Constraint,
  place: DigestPlace | undefined,
): string | undefined {
  switch (constraint.op) {
    case 'any':
      return undefined
    case 'optional':
      return constraintGap(value, constraint.inner, place)
    case 'all':
      return earliestGap(
        value,
        constraint.parts.map((part) => constraintGap(value, part, place)),
      )
    case 'literal':
      return literalGap(value, constraint.value, place)
    case 'in':
      // Most values are scalars, and most lists are asked for many elements: one look into a set.
      if (place?.kind === undefined && (typeof value !== 'object' || value === null)) {
        return constraint.scalars.has(value) ? undefined : ''
      }
      return constraint.values.some((v) => difference(value, v, place, STRICT) === undefined) ? undefined : ''
  }
  // What a digest hides is unknown, so no other constraint can say that it fits.
  if (place?.kind !== undefined && isDigest(value)) return ''
  switch (constraint.op) {
    case 'object':
      return isJsonObject(value) ? membersGap(value, constraint.members, place) : ''
    case 'array':
      if (!isJsonArray(value) || value.length !== constraint.items.length) return ''
      return elementsGap(value, (i) => constraint.items[i])
    case 'each':
      if (!isJsonArray(value) || value.length > (constraint.maxItems ?? value.length)) return ''
      return elementsGap(value, () => constraint.inner)
    default:
      return fitsScalar(value, constraint) ? undefined : ''
  }
}

/** In a bound a digest expects a digest: what the value behind it is, the one who wrote the bound did not say. */
const STRICT = { isDigestExpectable: false }

type ScalarConstraint = Extract<
  Constraint,
  { op: 'min' | 'max' | 'prefix' | 'suffix' | 'email_domain' | 'path_within' | 'url_within' }
>

function fitsScalar(value: JsonValue, constraint: ScalarConstraint): boolean {
  if (constraint.op === 'min') return (compareLimits(value, constraint.limit) ?? -1) >= 0
  if (constraint.op === 'max') return (compareLimits(value, constraint.limit) ?? 1) <= 0
  if (typeof value !== 'string') return false
  switch (constraint.op) {
    case 'prefix':
      return value.startsWith(constraint.text)
    case 'suffix':
      return value.endsWith(constraint.text)
    case 'email_domain': {
      const address = parseEmailAddress(value)
      return address !== undefined && constraint.domains.includes(address.domain)
    }
    case 'path_within':
      return isPathWithin(value, constraint.base)
    case 'url_within':
      return isUrlWithin(value, constraint.base, constraint.isQueryAllowed)
  }
}

function membersGap(
  value: JsonObject,
  members: ReadonlyMap<string, Constraint>,
  place: DigestPlace | undefined,
  isCompared: (name: string) => boolean = everyName,
): string | undefined {
  for (const name of Object.keys(value)) {
    if (!isCompared(name)) continue
    const constraint = members.get(name)
    if (constraint === undefined) return name
    const gap = constraintGap(value[name] as JsonValue, constraint, place?.members.get(name))
    if (gap !== undefined) return memberPath(name, gap)
  }
  let missing: string | undefined
  for (const [name, constraint] of members) {
    if (Object.hasOwn(value, name) || allowsAbsence(constraint)) continue
    // The first by name, so that the order in which a bound was written never shows.
    if (missing === undefined || name < missing) missing = name
  }
  return missing
}

const everyName = () => true
/** Of an action, what is neither its type nor its place: those are compared before. */
const isAboutMembers = (name: string) => name !== 'type' && name !== 'locations'

function elementsGap(
  value: readonly JsonValue[],
  constraintOf: (index: number) => Constraint | undefined,
): string | undefined {
  for (let i = 0; i < value.length; i++) {
    const constraint = constraintOf(i)
    const gap = constraint === undefined ? '' : constraintGap(value[i] as JsonValue, constraint, undefined)
    if (gap !== undefined) return elementPath(i, gap)
  }
  return undefined
}

/** Of the gaps that parts of `$all` leave, the first in the order of the value, not of the parts. */
function earliestGap(value: JsonValue, gaps: readonly (string | undefined)[]): string | undefined {
  const found = [...new Set(gaps.filter((gap) => gap !== undefined))]
  return found.length > 1 ? found.toSorted(memberOrder(value))[0] : found[0]
}

/** Where a value differs from a literal; the common case, no difference, does not look further. */
function literalGap(value: JsonValue, literal: JsonValue, place: DigestPlace | undefined): string | undefined {
  const differs = difference(value, literal, place, STRICT)
  if (differs === undefined || differs === '') return differs
  if (isJsonArray(value) && isJsonArray(literal)) {
    return elementsGap(value, (i) => ({ op: 'literal', value: literal[i] ?? null })) ?? differs
  }
  if (!isJsonObject(value) || !isJsonObject(literal)) return differs
  // `difference` goes by the order of the literal; a refusal names the first member in the order of the action.
  const members = Object.entries(literal).map(([name, v]) => [name, { op: 'literal', value: v }] as const)
  return membersGap(value, new Map<string, Constraint>(members), place) ?? differs
}
