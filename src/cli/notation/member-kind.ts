import { STRUCTURED_FORMATS } from '../../core/action/formats.ts'
import { inPlace, type MemberPositions } from '../../core/action/schema-members.ts'
import { isJsonArray, isJsonObject, type JsonObject } from '../../core/json.ts'

const ALL_TYPES = ['null', 'boolean', 'number', 'string', 'array', 'object']

/** What a schema says of one member, as far as the short notation needs to know. */
export interface MemberKind {
  /** The JSON types that a value may have; `number` stands for `integer` too. */
  readonly types: ReadonlySet<string>
  /** Whether the schema says it is an address or a URL. */
  readonly isStructured: boolean
  readonly isEmail: boolean
}

/** Reads the kind of a member off the subschemas that describe it. */
export function memberKind(root: JsonObject, { positions }: MemberPositions): MemberKind {
  const schemas = positions.flatMap((position) => inPlace(root, position))
  let types = new Set(ALL_TYPES)
  const formats = new Set<string>()
  for (const { schema, isCertain } of schemas) {
    if (!isJsonObject(schema)) continue
    if (typeof schema.format === 'string') formats.add(schema.format)
    if (!isCertain || schema.type === undefined) continue
    const named = (isJsonArray(schema.type) ? schema.type : [schema.type]).map((type) =>
      type === 'integer' ? 'number' : String(type),
    )
    types = new Set([...types].filter((type) => named.includes(type)))
  }
  return {
    types,
    isStructured: [...formats].some((format) => STRUCTURED_FORMATS.has(format)),
    isEmail: formats.has('email'),
  }
}

/** For people: `a number or a text`. */
export const kindText = ({ types }: MemberKind): string =>
  [...types].map((type) => TYPE_WORDS[type] ?? type).join(' or ') || 'nothing'

const TYPE_WORDS: Readonly<Record<string, string>> = {
  null: 'null',
  boolean: 'true or false',
  number: 'a number',
  string: 'a text',
  array: 'a list',
  object: 'an object',
}
