import { isJsonArray, isJsonObject, type JsonObject, type JsonValue, ownMember } from '../json.ts'

/** A subschema that describes a member or element of an action. */
export interface SchemaPosition {
  /** JSON Pointer (RFC 6901) from the root of the schema. */
  readonly pointer: string
  readonly schema: JsonValue
  /** Whether every valid value must satisfy it; not so inside `anyOf`, `oneOf`, `then`, `else`, `dependentSchemas`. */
  readonly isCertain: boolean
}

/** What a schema says about one member. */
export interface MemberPositions {
  readonly positions: readonly SchemaPosition[]
  /** Whether anything may stand there: inside free-form JSON, or behind keywords that are not followed. */
  readonly isFreeForm: boolean
}

/** The value that a JSON Pointer leads to, without its escapes but for `~0` and `~1`. */
export function resolvePointer(root: JsonValue, pointer: string): JsonValue | undefined {
  let value: JsonValue | undefined = root
  for (const step of pointer.split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (isJsonArray(value)) value = value[Number(name)]
    else if (isJsonObject(value)) value = ownMember(value, name)
    else return undefined
  }
  return value
}

export function rootPosition(schema: JsonObject): SchemaPosition {
  return { pointer: '', schema, isCertain: true }
}

/** What the schemas say about the member of this name; no positions and not free-form: there is no such member. */
export function memberPositions(root: JsonObject, of: readonly SchemaPosition[], name: string): MemberPositions {
  const positions: SchemaPosition[] = []
  let isFreeForm = false
  for (const place of of.flatMap((position) => inPlace(root, position))) {
    if (!isJsonObject(place.schema)) continue
    if (place.schema['x-free-form'] === true) isFreeForm = true
    const declared = childPosition(place, 'properties', name)
    if (declared !== undefined) positions.push(declared)
    // Which pattern matches is for the validator to say; here it is enough that one may.
    else if (isJsonObject(place.schema.patternProperties)) isFreeForm = true
  }
  return { positions, isFreeForm }
}

/** What the schemas say about the elements of an array. */
export function elementPositions(root: JsonObject, of: readonly SchemaPosition[]): MemberPositions {
  const positions: SchemaPosition[] = []
  let isFreeForm = false
  for (const place of of.flatMap((position) => inPlace(root, position))) {
    if (!isJsonObject(place.schema)) continue
    if (place.schema['x-free-form'] === true || place.schema.prefixItems !== undefined) isFreeForm = true
    else if (place.schema.items !== undefined) {
      positions.push({ ...place, pointer: `${place.pointer}/items`, schema: place.schema.items })
    }
  }
  return { positions, isFreeForm }
}

/** The position itself and every subschema that applies to the same value. */
export function inPlace(root: JsonObject, position: SchemaPosition): readonly SchemaPosition[] {
  const { schema, pointer, isCertain } = position
  if (!isJsonObject(schema)) return [position]
  const found: SchemaPosition[] = [position]
  const follow = (part: JsonValue | undefined, at: string, certain: boolean) => {
    if (part !== undefined) found.push(...inPlace(root, { schema: part, pointer: at, isCertain: certain }))
  }
  if (typeof schema.$ref === 'string') {
    const target = schema.$ref.slice(1)
    follow(resolvePointer(root, target), target, isCertain)
  }
  for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
    const parts = schema[keyword]
    if (!isJsonArray(parts)) continue
    for (const [i, part] of parts.entries())
      follow(part, `${pointer}/${keyword}/${i}`, isCertain && keyword === 'allOf')
  }
  for (const keyword of ['then', 'else']) follow(schema[keyword], `${pointer}/${keyword}`, false)
  if (isJsonObject(schema.dependentSchemas)) {
    for (const [name, part] of Object.entries(schema.dependentSchemas)) {
      follow(part, `${pointer}/dependentSchemas/${escapePointer(name)}`, false)
    }
  }
  return found
}

function childPosition(place: SchemaPosition, keyword: string, name: string): SchemaPosition | undefined {
  if (!isJsonObject(place.schema)) return undefined
  const members = place.schema[keyword]
  const schema = isJsonObject(members) ? ownMember(members, name) : undefined
  if (schema === undefined) return undefined
  return { pointer: `${place.pointer}/${keyword}/${escapePointer(name)}`, schema, isCertain: place.isCertain }
}

const escapePointer = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')

/** The subschemas that every value must satisfy. */
export const certainSchemas = (schema: JsonObject, { positions }: MemberPositions): JsonObject[] =>
  positions
    .flatMap((position) => inPlace(schema, position))
    .flatMap(({ schema: part, isCertain }) => (isCertain && isJsonObject(part) ? [part] : []))

/** Members that every value has. */
export function requiredOf(schema: JsonObject, described: MemberPositions): readonly string[] {
  const names = certainSchemas(schema, described).flatMap(({ required }) => textsOf(required))
  return [...new Set(names)]
}

/** Members that the schema describes by name. */
export function memberNames(schema: JsonObject, { positions }: MemberPositions): readonly string[] {
  const names = positions
    .flatMap((position) => inPlace(schema, position))
    .flatMap(({ schema: part }) =>
      isJsonObject(part) && isJsonObject(part.properties) ? Object.keys(part.properties) : [],
    )
  return [...new Set(names)]
}

const textsOf = (value: JsonValue | undefined): string[] =>
  isJsonArray(value) ? value.filter((item) => typeof item === 'string') : []
