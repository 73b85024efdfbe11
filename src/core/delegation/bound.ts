import type { ActionType } from '../action/action-type.ts'
import { type DigestPlace, isDigest } from '../action/digest.ts'
import { STRUCTURED_FORMATS } from '../action/formats.ts'
import { elementPath, memberPath } from '../action/member-path.ts'
import {
  elementPositions,
  inPlace,
  type MemberPositions,
  memberPositions,
  rootPosition,
} from '../action/schema-members.ts'
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import { type Refusal, refuse } from '../refusal.ts'
import { type Constraint, ConstraintError, readConstraint } from './constraint.ts'

const KiB = 1024
/** Unit: UTF-16 units of the canonical form. */
const MAX_BOUND_LENGTH = 16 * KiB
const MAX_LOCATIONS = 100
const MAX_LOCATION_LENGTH = 2_048

/** What a delegation allows of one action type: a constraint for each member that an action may have. */
export interface Bound {
  readonly type: ActionType
  /** The resource identifiers where it counts; never empty. */
  readonly locations: readonly string[]
  readonly members: ReadonlyMap<string, Constraint>
  /** As it was written. */
  readonly json: JsonObject
}

/**
 * Parses one bound of a delegation, by the action type that its `type` names.
 *
 * `place.resource` is the delegation's resource, when it has one: the bound's `locations` are then absent or it; without
 * it the bound names them. Whatever could not be evaluated as it was meant is refused here, not later: operators that do
 * not exist or go together, members that the type does not have, values that its schema would refuse.
 */
export function parseBound(
  value: JsonValue,
  type: ActionType,
  place: { readonly resource?: string | undefined },
): Bound | Refusal<'bound_invalid'> {
  if (!isJsonObject(value)) return refuse('bound_invalid', 'a bound is a JSON object')
  const { type: typeName, locations: written, ...rest } = value
  if (typeName !== type.type) return refuse('bound_invalid', 'the bound is of another type', 'type')
  const locations = readLocations(written, place.resource)
  if (locations === undefined) {
    const rule = place.resource === undefined ? 'must name resources' : `must be absent or exactly the "resource"`
    return refuse('bound_invalid', `"locations" ${rule}`, 'locations')
  }
  try {
    const members = new Map<string, Constraint>()
    for (const [name, json] of Object.entries(rest)) {
      if (name.startsWith('$')) return refuse('bound_invalid', 'a bound has no operator of its own', name)
      members.set(name, readMember(name, json))
    }
    const found = checkMembers(members, { type, described: described(type) }, type.digestPlaces)
    if (found !== undefined) return refuse('bound_invalid', found.rule, found.member)
    if (canonicalJson(value).length > MAX_BOUND_LENGTH) return refuse('bound_invalid', 'the bound is too large')
    return { type, locations, members, json: value }
  } catch (error) {
    if (error instanceof MemberError) return refuse('bound_invalid', error.message, error.member)
    return refuse('bound_invalid', 'the bound could not be checked')
  }
}

class MemberError extends Error {
  readonly member: string
  constructor(member: string, message: string) {
    super(message)
    this.member = member
  }
}

function readMember(name: string, json: JsonValue): Constraint {
  try {
    return readConstraint(json, 1)
  } catch (error) {
    throw error instanceof ConstraintError ? new MemberError(name, error.message) : error
  }
}

function readLocations(written: JsonValue | undefined, resource: string | undefined): readonly string[] | undefined {
  if (written === undefined) return resource === undefined ? undefined : [resource]
  if (!isJsonArray(written) || written.length === 0 || written.length > MAX_LOCATIONS) return undefined
  const isNamed = (l: JsonValue): l is string => typeof l === 'string' && l !== '' && l.length <= MAX_LOCATION_LENGTH
  if (!written.every(isNamed) || new Set(written).size !== written.length) return undefined
  if (resource !== undefined && (written.length !== 1 || written[0] !== resource)) return undefined
  return written
}

/** Where in the schema a constraint stands. */
interface Place {
  readonly type: ActionType
  readonly described: MemberPositions
}

interface Finding {
  readonly member: string
  readonly rule: string
}

const described = (type: ActionType): MemberPositions => ({ positions: [rootPosition(type.schema)], isFreeForm: false })

function checkMembers(
  members: ReadonlyMap<string, Constraint>,
  { type, described }: Place,
  digests: DigestPlace | undefined,
): Finding | undefined {
  for (const [name, constraint] of members) {
    const inner = memberPositions(type.schema, described.positions, name)
    const isFreeForm = described.isFreeForm || inner.isFreeForm
    if (inner.positions.length === 0 && !isFreeForm) return { member: name, rule: 'the type has no such member' }
    const found = check(constraint, { type, described: { ...inner, isFreeForm } }, digests?.members.get(name))
    if (found !== undefined) return { ...found, member: memberPath(name, found.member) }
  }
  return undefined
}

function check(constraint: Constraint, place: Place, digests: DigestPlace | undefined): Finding | undefined {
  switch (constraint.op) {
    case 'any':
      return undefined
    case 'optional':
      return check(constraint.inner, place, digests)
    case 'all':
      return firstFinding(constraint.parts, (part) => check(part, place, digests))
    case 'literal':
      return checkValue(constraint.value, place, digests)
    case 'in':
      return firstFinding(constraint.values, (value) => checkValue(value, place, digests))
    case 'object':
      if (!mayBe('object', place)) return NEVER_FITS
      return checkMembers(constraint.members, place, digests)
    case 'array':
    case 'each':
      return checkElements(constraint, place)
    case 'min':
    case 'max':
      return mayBe(typeof constraint.limit, place) ? undefined : NEVER_FITS
    default: {
      if (!mayBe('string', place)) return NEVER_FITS
      const isOpaque = (constraint.op === 'prefix' || constraint.op === 'suffix') && isStructured(place)
      return isOpaque ? { member: '', rule: 'a prefix or suffix bounds neither a URI nor an address' } : undefined
    }
  }
}

const NEVER_FITS: Finding = { member: '', rule: 'no value of the member could ever fit' }

function checkElements(
  constraint: Extract<Constraint, { op: 'array' | 'each' }>,
  { type, described }: Place,
): Finding | undefined {
  if (!mayBe('array', { type, described })) return NEVER_FITS
  const inner = elementPositions(type.schema, described.positions)
  const place = { type, described: { ...inner, isFreeForm: described.isFreeForm || inner.isFreeForm } }
  if (constraint.op === 'each') {
    const found = check(constraint.inner, place, undefined)
    return found && { ...found, member: elementPath(0, found.member).replace('[0]', '[]') }
  }
  for (const [i, item] of constraint.items.entries()) {
    const found = check(item, place, undefined)
    if (found !== undefined) return { ...found, member: elementPath(i, found.member) }
  }
  return undefined
}

/** A value that the schema would refuse in an action can never be asked for: most likely it was meant differently. */
function checkValue(
  value: JsonValue,
  { type, described }: Place,
  digests: DigestPlace | undefined,
): Finding | undefined {
  if (digests?.kind !== undefined && isDigest(value)) return undefined
  // Further down a digest may stand as well; the schema of the member alone does not say so.
  if (digests !== undefined && digests.kind === undefined && digests.members.size > 0) {
    if (!isJsonObject(value)) return { member: '', rule: 'the value is not valid for the member' }
    const members = Object.entries(value).map(([name, v]) => [name, { op: 'literal', value: v }] as const)
    return checkMembers(new Map<string, Constraint>(members), { type, described }, digests)
  }
  const isRefused = described.positions.some((p) => p.isCertain && !type.accepts(value, p.pointer))
  return isRefused ? { member: '', rule: 'the value is not valid for the member' } : undefined
}

/** Whether the schema lets a value be of this JSON type, as far as its own `type` keywords say. */
function mayBe(jsonType: string, { type, described }: Place): boolean {
  return described.positions
    .flatMap((position) => inPlace(type.schema, position))
    .every(({ schema, isCertain }) => {
      if (!isCertain || !isJsonObject(schema) || schema.type === undefined) return true
      const types = isJsonArray(schema.type) ? schema.type : [schema.type]
      return types.includes(jsonType) || (jsonType === 'number' && types.includes('integer'))
    })
}

/** Whether any schema of the member says that it is a URI or an address. */
function isStructured({ type, described }: Place): boolean {
  return described.positions
    .flatMap((position) => inPlace(type.schema, position))
    .some(({ schema }) => isJsonObject(schema) && STRUCTURED_FORMATS.has(String(schema.format)))
}

function firstFinding<T>(items: readonly T[], findingOf: (item: T) => Finding | undefined): Finding | undefined {
  for (const item of items) {
    const found = findingOf(item)
    if (found !== undefined) return found
  }
  return undefined
}
