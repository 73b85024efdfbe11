import { sha256Base64url } from '../hash.ts'
import { canonicalJson, isJsonObject, type JsonValue } from '../json.ts'

/** What is hashed: the string's UTF-8 bytes, or the RFC 8785 form of the value. */
export type DigestKind = 'utf8' | 'jcs'

/** The members of an action type that may be replaced by their digest; keys are member names joined by dots. */
export interface Digestible {
  readonly [path: string]: DigestKind
}

/** What stands in for a large or sensitive member. */
export interface Digest {
  readonly s256: string
}

/**
 * A place in an action: whether a digest may stand there, and the members under which other digestible members lie.
 * A tree and not a list of paths, so that a member that is *named* `a.b` is never taken for the member b of a.
 */
export interface DigestPlace {
  readonly kind: DigestKind | undefined
  readonly members: ReadonlyMap<string, DigestPlace>
}

/** Whether the value is exactly `{"s256": "<43 base64url characters>"}`. Only means a digest where the type allows one. */
export function isDigest(value: JsonValue | undefined): value is JsonValue & Digest {
  return hasOnlyS256(value) && typeof value.s256 === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value.s256)
}

/** Whether the value has the shape of a digest, well-formed or not. */
export function hasOnlyS256(value: JsonValue | undefined): value is { readonly s256: JsonValue } {
  return isJsonObject(value) && Object.hasOwn(value, 's256') && Object.keys(value).length === 1
}

/**
 * The digest of a value, 43 characters; undefined when the value is not of the kind (a `utf8` digest is of a string).
 *
 * A string with a lone surrogate has no UTF-8 bytes: encoders write U+FFFD instead, and two strings would share a digest.
 */
export function digestOf(value: JsonValue, kind: DigestKind): string | undefined {
  if (kind === 'jcs') return typeof value === 'string' ? undefined : sha256Base64url(canonicalJson(value))
  return typeof value === 'string' && !LONE_SURROGATE.test(value) ? sha256Base64url(value) : undefined
}

const LONE_SURROGATE = /\p{Surrogate}/u

const places = new WeakMap<Digestible, DigestPlace>()

/** The tree of digestible places. Computed once for each `digestible` object. */
export function digestPlaces(digestible: Digestible): DigestPlace {
  const known = places.get(digestible)
  if (known !== undefined) return known
  const root: MutablePlace = { kind: undefined, members: new Map() }
  for (const [path, kind] of Object.entries(digestible)) {
    let place = root
    for (const name of path.split('.')) {
      const next: MutablePlace = place.members.get(name) ?? { kind: undefined, members: new Map() }
      place.members.set(name, next)
      place = next
    }
    place.kind = kind
  }
  places.set(digestible, root)
  return root
}

interface MutablePlace {
  kind: DigestKind | undefined
  members: Map<string, MutablePlace>
}
