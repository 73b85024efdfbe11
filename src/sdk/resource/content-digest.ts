import { type Digestible, type DigestPlace, digestPlaces, isDigest } from '../../core/action/digest.ts'
import { memberPath } from '../../core/action/member-path.ts'
import { sha256Base64url } from '../../core/hash.ts'
import { isJsonObject, type JsonObject } from '../../core/json.ts'

const made = new WeakSet<object>()

/** A digest that the resource server made itself, `{"s256": …}`, to stand for a large member of the actual action. */
export interface ContentDigest extends JsonObject {
  readonly s256: string
}

/** Digests content that is about to be used: a string's UTF-8 bytes, or bytes, for a `jcs` member its RFC 8785 form. */
export function contentDigest(content: string | Uint8Array): ContentDigest {
  const digest = Object.freeze({ s256: sha256Base64url(content) })
  made.add(digest)
  return digest
}

/**
 * The first digestible member of an actual action that holds a digest which `contentDigest` did not make.
 *
 * A caller who sends `{"body": {"s256": …}}` for a body of text names the authorized content without it being there.
 */
export function foreignDigest(actual: JsonObject, digestible: Digestible): string | undefined {
  const places = digestPlaces(digestible)
  return places.members.size === 0 ? undefined : foreignIn(actual, places)
}

function foreignIn(object: JsonObject, place: DigestPlace): string | undefined {
  for (const [name, { kind, members }] of place.members) {
    const value = Object.hasOwn(object, name) ? object[name] : undefined
    if (kind !== undefined) {
      if (isDigest(value) && !made.has(value)) return name
    } else if (isJsonObject(value)) {
      const inner = foreignIn(value, { kind, members })
      if (inner !== undefined) return memberPath(name, inner)
    }
  }
  return undefined
}
