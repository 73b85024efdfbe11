import type { DigestPlace } from '../action/digest.ts'
import { digestOf, isDigest } from '../action/digest.ts'
import { isJsonArray, isJsonObject, type JsonValue, jsonEquals } from '../json.ts'
import type { Bound } from './bound.ts'
import { isPathWithin, isUrlWithin } from './confined.ts'
import { allowsAbsence, type Constraint, compareLimits } from './constraint.ts'
import { constraintGap, type Gap } from './fits.ts'

/**
 * Whether everything that the child allows, the parent allows.
 *
 * May say no to what would be safe, never yes to what is not; an error says no.
 *
 * INVARIANT: if `within(c, p)` and an action fits c, it fits p; `within(b, b)` for every parsed bound; the order of
 * members, of `$in` values and of `$all` parts does not matter (test/property/delegation.test.ts).
 */
export function within(child: Bound, parent: Bound): boolean {
  try {
    if (child.type.type !== parent.type.type || child.type.version !== parent.type.version) return false
    if (!child.locations.every((location) => parent.locations.includes(location))) return false
    return membersWithin(child.members, parent.members, child.type.digestPlaces)
  } catch {
    return false
  }
}

/**
 * Finds the first child bound that is not within one parent bound. Two parents together do not count: what each allows a
 * part of, neither allows.
 *
 * @returns `authorization_details[i]` as the member; undefined when all are within.
 */
export function boundsWithin(children: readonly Bound[], parents: readonly Bound[]): Gap | undefined {
  const index = children.findIndex((child) => !parents.some((parent) => within(child, parent)))
  return index === -1 ? undefined : { member: `authorization_details[${index}]` }
}

function membersWithin(
  child: ReadonlyMap<string, Constraint>,
  parent: ReadonlyMap<string, Constraint>,
  place: DigestPlace | undefined,
): boolean {
  for (const [name, c] of child) {
    const p = parent.get(name)
    if (p === undefined) return false
    if (allowsAbsence(c) && !allowsAbsence(p)) return false
    if (!constraintWithin(c, p, place?.members.get(name))) return false
  }
  return [...parent].every(([name, p]) => child.has(name) || allowsAbsence(p))
}

/** Whether every value that is present and fits the child fits the parent. */
export function constraintWithin(child: Constraint, parent: Constraint, place: DigestPlace | undefined): boolean {
  const childAtoms = atoms(child)
  const isWithin = atoms(parent).every((p) => childAtoms.some((c) => atomWithin(c, p, place)))
  return isWithin && digestsWithin(child, parent, place)
}

/** `$all` flattened and `$optional` opened; `$any` asks for nothing, so it has no atom. */
function atoms(constraint: Constraint): readonly Constraint[] {
  if (constraint.op === 'any') return []
  if (constraint.op === 'optional') return atoms(constraint.inner)
  if (constraint.op === 'all') return constraint.parts.flatMap(atoms)
  return [constraint]
}

function atomWithin(child: Constraint, parent: Constraint, place: DigestPlace | undefined): boolean {
  if (child.op === 'literal') return valueWithin(child.value, parent, place)
  if (child.op === 'in') return child.values.every((value) => valueWithin(value, parent, place))
  switch (parent.op) {
    case 'object':
      return child.op === 'object' && membersWithin(child.members, parent.members, place)
    case 'array':
      return (
        child.op === 'array' &&
        child.items.length === parent.items.length &&
        child.items.every((item, i) => {
          const other = parent.items[i]
          return other !== undefined && constraintWithin(item, other, undefined)
        })
      )
    case 'each':
      if (child.op === 'array') {
        if (child.items.length > (parent.maxItems ?? child.items.length)) return false
        return child.items.every((item) => constraintWithin(item, parent.inner, undefined))
      }
      if (child.op !== 'each' || !constraintWithin(child.inner, parent.inner, undefined)) return false
      return parent.maxItems === undefined || (child.maxItems !== undefined && child.maxItems <= parent.maxItems)
    case 'min':
      return child.op === 'min' && (compareLimits(child.limit, parent.limit) ?? -1) >= 0
    case 'max':
      return child.op === 'max' && (compareLimits(child.limit, parent.limit) ?? 1) <= 0
    case 'prefix':
      return child.op === 'prefix' && child.text.startsWith(parent.text)
    case 'suffix':
      return child.op === 'suffix' && child.text.endsWith(parent.text)
    case 'email_domain':
      return child.op === 'email_domain' && child.domains.every((domain) => parent.domains.includes(domain))
    case 'path_within':
      return child.op === 'path_within' && isPathWithin(child.base, parent.base)
    case 'url_within':
      if (child.op !== 'url_within' || (child.isQueryAllowed && !parent.isQueryAllowed)) return false
      return isUrlWithin(child.base, parent.base, false)
    default:
      // `$in` and a literal are finite; only values, handled above, are within them.
      return false
  }
}

/** Whether a value, and everything that counts as that value, fits the parent. */
function valueWithin(value: JsonValue, parent: Constraint, place: DigestPlace | undefined): boolean {
  if (constraintGap(value, parent, place) !== undefined) return false
  // A digest further down stands for a part of the value, and would fit the child: then the parent must name the same.
  if (place === undefined || place.members.size === 0) return true
  const isNamed = (parent.op === 'literal' ? [parent.value] : parent.op === 'in' ? parent.values : []).some((other) =>
    jsonEquals(value, other),
  )
  if (isNamed) return true
  if (parent.op !== 'object' || !isJsonObject(value) || isJsonArray(value)) return false
  const members = Object.entries(value).map(([name, v]) => [name, { op: 'literal', value: v }] as const)
  return membersWithin(new Map<string, Constraint>(members), parent.members, place)
}

/** Whether every digest that fits the child fits the parent. */
function digestsWithin(child: Constraint, parent: Constraint, place: DigestPlace | undefined): boolean {
  if (place?.kind === undefined) return true
  const allowed = digestsOf(child, place)
  if (allowed === 'all') return digestsOf(parent, place) === 'all'
  return allowed.every((s256) => constraintGap({ s256 }, parent, place) === undefined)
}

/** The digests that fit a constraint at a digestible member. */
function digestsOf(constraint: Constraint, place: DigestPlace): 'all' | readonly string[] {
  const kind = place.kind
  const one = (value: JsonValue): readonly string[] => {
    const s256 = isDigest(value) ? value.s256 : kind && digestOf(value, kind)
    return s256 === undefined ? [] : [s256]
  }
  switch (constraint.op) {
    case 'any':
      return 'all'
    case 'optional':
      return digestsOf(constraint.inner, place)
    case 'literal':
      return one(constraint.value)
    case 'in':
      return constraint.values.flatMap(one)
    case 'all': {
      const finite = constraint.parts.map((part) => digestsOf(part, place)).filter((digests) => digests !== 'all')
      const [first, ...rest] = finite
      return first === undefined ? 'all' : first.filter((digest) => rest.every((others) => others.includes(digest)))
    }
    default:
      return []
  }
}
