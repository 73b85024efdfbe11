import { z } from 'zod'
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'

/** JSON Schemas of everything that has a name, and of what was asked for, which refer to them. */
export interface DescribedSchemas {
  readonly named: Readonly<Record<string, JsonObject>>
  readonly of: (schema: z.ZodType) => JsonObject
}

/**
 * Describes zod schemas as JSON Schema 2020-12: what they take, not what they make of it.
 *
 * `meta({ id })` names a schema; `meta({ asJson })` stands for one that says less, or other things, than what is accepted.
 */
export function describeSchemas(schemas: ReadonlySet<z.ZodType>): DescribedSchemas {
  // All at once, so that what has a name is described once.
  const list = [...schemas]
  const { $defs = {}, properties = {} } = z.toJSONSchema(
    z.object(Object.fromEntries(list.map((schema, n) => [String(n), schema]))),
    { io: 'input', override: ({ jsonSchema }) => amend(jsonSchema) },
  )
  const described = jsonObject(z.json().parse(properties))
  const named = Object.entries(jsonObject(z.json().parse($defs))).filter(([name]) => !isAnyJson(name))
  return {
    named: {
      [ANY_JSON]: { description: 'Any JSON value.' },
      ...Object.fromEntries(named.map(([name, schema]) => [name, jsonObject(withReferences(schema))])),
    },
    of: (schema) => jsonObject(withReferences(described[String(list.indexOf(schema))])),
  }
}

/**
 * The merge patch of a document (RFC 7396 §2): any of its members, or null for one to be removed, which those that it must
 * have cannot be.
 */
export function mergePatchOf(document: JsonObject): JsonObject {
  const { properties, required, additionalProperties: further, ...rest } = document
  const kept: readonly JsonValue[] = Array.isArray(required) ? required : []
  const patched = Object.entries(jsonObject(properties)).map(([name, value]) => {
    // What is absent from a patch stays as it is, whatever the document makes of its absence.
    const { default: _, ...member } = jsonObject(value)
    const inner = member.type === 'object' ? mergePatchOf(member) : member
    return [name, kept.includes(name) ? inner : nullable(inner)]
  })
  return {
    ...rest,
    ...(properties !== undefined && { properties: Object.fromEntries(patched) }),
    ...(further !== undefined && { additionalProperties: isJsonObject(further) ? nullable(further) : further }),
  }
}

const nullable = ({ description, ...schema }: JsonObject): JsonObject => ({
  ...(description !== undefined && { description }),
  anyOf: [schema, { type: 'null' }],
})

const ANY_JSON = 'JsonValue'
/** zod makes up a name for what refers to itself, which here only `z.json()` does. */
const isAnyJson = (name: string) => name.startsWith('__schema')

const jsonObject = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {})

function amend(schema: Record<string, unknown>): void {
  // Said of every integer by zod, and of none by us.
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  const { asJson, description } = schema
  if (asJson === undefined) return
  for (const name of Object.keys(schema)) delete schema[name]
  Object.assign(schema, { description }, asJson)
}

/** The same, with references as they are in an OpenAPI document. */
function withReferences(value: JsonValue | undefined): JsonValue {
  if (Array.isArray(value)) return value.map(withReferences)
  if (!isJsonObject(value)) return value ?? null
  const members = Object.entries(value).map(([name, member]) => {
    if (name !== '$ref' || typeof member !== 'string') return [name, withReferences(member)]
    const target = member.replace('#/$defs/', '')
    return [name, `#/components/schemas/${isAnyJson(target) ? ANY_JSON : target}`]
  })
  return Object.fromEntries(members)
}
