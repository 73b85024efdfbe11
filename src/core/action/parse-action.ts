import { sha256Base64url } from '../hash.ts'
import {
  canonicalJson,
  isForbiddenName,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  MAX_JSON_DEPTH,
} from '../json.ts'
import { type Refusal, refuse } from '../refusal.ts'
import type { ActionType } from './action-type.ts'
import { type DigestPlace, digestOf, hasOnlyS256, isDigest } from './digest.ts'
import { elementPath, memberPath } from './member-path.ts'

/** Server-wide caps, whatever a schema allows. Unit: UTF-16 units, and elements. */
const MAX_STRING_LENGTH = 65_536
const MAX_ARRAY_LENGTH = 1_000

/** One concrete action: what a token authorizes. */
export interface Action {
  readonly type: ActionType
  /** The `authorization_details` element, with `locations: [resource]`. */
  readonly details: JsonObject
  /** Its canonical form (RFC 8785). */
  readonly canonical: string
  /** SHA-256 of the canonical form, base64url. */
  readonly digest: string
}

/**
 * Parses one element of `authorization_details` by the action type that its `type` names.
 *
 * Unknown, missing and invalid members are refused (RFC 9396 §5), and so are members named with `$`: an action is
 * concrete, only a bound has operators. The refusal names the first bad member.
 */
export function parseAction(
  element: JsonValue,
  type: ActionType,
  resource: string,
): Action | Refusal<'action_malformed' | 'action_member_invalid' | 'locations_mismatch'> {
  if (!isJsonObject(element)) return refuse('action_malformed', 'an action is a JSON object')
  const { type: typeName, locations = [resource], ...members } = element
  if (typeName !== type.type) return refuse('action_malformed', 'the action is of another type', 'type')
  if (!isJsonArray(locations) || locations.length !== 1 || locations[0] !== resource) {
    return refuse('locations_mismatch', '"locations" must be absent or exactly the "resource"', 'locations')
  }
  const problem = problemIn(members, 1)
  if (problem !== undefined) return refuse('action_member_invalid', problem.detail, problem.member)
  const invalid = type.validate(members) ?? malformedDigest(members, type.digestPlaces)
  if (invalid !== undefined) return invalid

  const details: JsonObject = { type: typeName, locations: [resource], ...members }
  try {
    const canonical = canonicalJson(details)
    return { type, details, canonical, digest: sha256Base64url(canonical) }
  } catch {
    return refuse('action_malformed', 'the action has no canonical form')
  }
}

/** The action's details with every digestible member replaced by its digest, for a token that should not carry values. */
export function digestMembers(action: Action): JsonObject {
  return withDigests(action.details, action.type.digestPlaces)
}

function withDigests(details: JsonObject, place: DigestPlace): JsonObject {
  const copy: Record<string, JsonValue> = { ...details }
  for (const [name, { kind, members }] of place.members) {
    if (!Object.hasOwn(copy, name)) continue
    const value = copy[name] as JsonValue
    if (kind === undefined) {
      if (isJsonObject(value)) copy[name] = withDigests(value, { kind, members })
    } else if (!isDigest(value)) {
      const s256 = digestOf(value, kind)
      // Not reached for a parsed action: its schema has said that the value is of the kind.
      if (s256 === undefined) throw new TypeError(`member ${name} cannot be digested`)
      copy[name] = { s256 }
    }
  }
  return copy
}

interface Problem {
  readonly detail: string
  readonly member: string
}

/** The first member, in the action's own order, that no action of any type may have. */
function problemIn(value: JsonValue, depth: number): Problem | undefined {
  if (typeof value === 'string' && value.length > MAX_STRING_LENGTH)
    return { detail: 'a string is too long', member: '' }
  if (typeof value !== 'object' || value === null) return undefined
  if (depth > MAX_JSON_DEPTH) return { detail: 'the action is nested too deeply', member: '' }
  if (isJsonArray(value)) {
    if (value.length > MAX_ARRAY_LENGTH) return { detail: 'an array is too long', member: '' }
    for (const [i, item] of value.entries()) {
      const inner = problemIn(item, depth + 1)
      if (inner !== undefined) return { ...inner, member: elementPath(i, inner.member) }
    }
    return undefined
  }
  for (const name of Object.keys(value)) {
    if (name.startsWith('$')) return { detail: 'an action is concrete: it has no member named with "$"', member: name }
    if (isForbiddenName(name)) return { detail: 'a member name is not allowed', member: name }
    const inner = problemIn(value[name] as JsonValue, depth + 1)
    if (inner !== undefined) return { ...inner, member: memberPath(name, inner.member) }
  }
  return undefined
}

/** Where a digest may stand, what looks like one must be one: free-form JSON would admit `{"s256": "short"}` as data. */
function malformedDigest(members: JsonObject, place: DigestPlace): Refusal<'action_member_invalid'> | undefined {
  for (const [name, inner] of place.members) {
    const value = Object.hasOwn(members, name) ? members[name] : undefined
    if (inner.kind !== undefined && hasOnlyS256(value) && !isDigest(value)) {
      return refuse('action_member_invalid', 'the member is not a digest of 43 base64url characters', name)
    }
    if (inner.kind === undefined && isJsonObject(value)) {
      const refusal = malformedDigest(value, inner)
      if (refusal !== undefined) return refuse(refusal.code, refusal.detail, memberPath(name, refusal.member ?? ''))
    }
  }
  return undefined
}
