import type { Risk } from '../../core/action/action-type.ts'
import { type DigestPlace, isDigest } from '../../core/action/digest.ts'
import { parseAction } from '../../core/action/parse-action.ts'
import { renderSentence } from '../../core/action/render.ts'
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../core/json.ts'
import { isRefusal } from '../../core/refusal.ts'
import type { Directory } from '../../ports.ts'

/** An action that is on record, in words. */
export interface DescribedAction {
  /** Every member. */
  readonly members: JsonObject
  /** The name of its type for a person; absent where the type is not known any more. */
  readonly title?: string
  readonly risk?: Risk
  /** The words of the type's template with the action's values; absent where the type has changed since. */
  readonly sentence?: string
  /** Paths of members of which the digest alone is known. */
  readonly digestOnly: readonly string[]
}

export interface RecordedAction {
  /** RFC 8785 form. */
  readonly action: string | null
  readonly actionType: string | null
  readonly actionTypeVersion: number | null
  readonly resource: string | null
}

/** Describes an action that is on record. Undefined: the entry holds none, for it never was one. */
export async function describeAction(
  { directory }: { readonly directory: Pick<Directory, 'actionType'> },
  { action, actionType, actionTypeVersion, resource }: RecordedAction,
): Promise<DescribedAction | undefined> {
  if (action === null || actionType === null) return undefined
  const members = parseJson(action)
  if (isRefusal(members) || !isJsonObject(members)) return undefined
  const type = (await directory.actionType(actionType, 'cached'))?.actionType
  if (type === undefined) return { members, digestOnly: [] }
  const known = { members, title: type.title, risk: type.risk }
  // Today's words may not say what yesterday's action did.
  const parsed =
    type.version === actionTypeVersion && resource !== null ? parseAction(members, type, resource) : undefined
  if (parsed === undefined || isRefusal(parsed)) return { ...known, digestOnly: [] }
  return { ...known, sentence: renderSentence(parsed), digestOnly: digestsIn(parsed.details, type.digestPlaces, '') }
}

/** Where in an action a digest stands for what it is of. */
function digestsIn(value: JsonValue, place: DigestPlace, path: string): readonly string[] {
  if (place.kind !== undefined) return isDigest(value) ? [path] : []
  if (!isJsonObject(value)) return []
  return [...place.members].flatMap(([name, inner]) => {
    const member = Object.hasOwn(value, name) ? value[name] : undefined
    return member === undefined ? [] : digestsIn(member, inner, path === '' ? name : `${path}.${name}`)
  })
}
