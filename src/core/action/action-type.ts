import { z } from 'zod'
import { canonicalJson, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import { isRefusal, type Refusal, refuse } from '../refusal.ts'
import { type Digestible, type DigestPlace, digestPlaces } from './digest.ts'
import { memberPositions, rootPosition } from './schema-members.ts'
import { checkSchemaRules, SchemaRuleError } from './schema-rules.ts'
import { compileSchema, type SchemaError, schemaProblem } from './schema-validator.ts'
import { parseTemplate, type TemplatePart } from './template.ts'

const KiB = 1024
/** Unit: UTF-16 units of the canonical form. */
const MAX_SCHEMA_LENGTH = 64 * KiB
const MAX_DIGESTIBLE = 32

/** What an action can do, at worst: nothing, change things, or destroy what cannot be had back. */
export const Risk = z.enum(['read', 'write', 'destructive'])
export type Risk = z.infer<typeof Risk>

const ONE_LINE = /^[^\p{Cc}\u2028\u2029]*$/u

/** An action type as an administrator writes it. Strict: a misspelt member must not become a default. */
export const ActionTypeDefinition = z.strictObject({
  /** What `type` names (RFC 9396 §2): a name, or a URI under one's control. */
  type: z.string().regex(/^[A-Za-z][A-Za-z0-9._:/-]{0,127}$/),
  /** A name a person can read. */
  title: z.string().min(1).max(200).regex(ONE_LINE),
  /** JSON Schema 2020-12 of the members but `type` and `locations`; its further rules: `checkSchemaRules`. */
  schema: z.record(z.string().max(255), z.json()),
  /** Members that may be replaced by their digest: names joined by dots → what is hashed. */
  digestible: z.record(z.string().min(1).max(512), z.enum(['utf8', 'jcs'])).default({}),
  /** The sentence an approver reads: text with `{member.path}`. */
  template: z.string().min(1).max(1_000).regex(ONE_LINE),
  risk: Risk,
  /** Whether a token for it works once. Absent: yes, unless the risk is `read`. */
  single_use: z.boolean().optional(),
})
export type ActionTypeDefinition = z.input<typeof ActionTypeDefinition>

/** An action type, compiled and immutable. A change makes a new version. */
export interface ActionType {
  readonly type: string
  readonly version: number
  readonly title: string
  readonly schema: JsonObject
  readonly digestible: Digestible
  /** `digestible` as a tree. */
  readonly digestPlaces: DigestPlace
  readonly template: string
  readonly templateParts: readonly TemplatePart[]
  readonly risk: Risk
  readonly isSingleUse: boolean
  /** Checks the members but `type` and `locations`; a digest may stand where the type says so. */
  validate(members: JsonObject): Refusal<'action_member_invalid'> | undefined
  /** Whether a value satisfies the subschema at a JSON Pointer of `schema`. */
  accepts(value: JsonValue, pointer: string): boolean
}

/**
 * Compiles a definition. `version` is counted by who stores it.
 *
 * Refuses a schema that could not be trusted to say what an action is: see `checkSchemaRules`.
 */
export function compileActionType(
  definition: ActionTypeDefinition,
  version: number,
): ActionType | Refusal<'action_type_invalid'> {
  const parsed = ActionTypeDefinition.safeParse(definition)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return refuse('action_type_invalid', 'the definition is malformed', issue?.path.map(String).join('.') || undefined)
  }
  const { type, title, digestible, template, risk, single_use } = parsed.data
  const schema = withoutDialect(parsed.data.schema)
  if (isRefusal(schema)) return schema
  try {
    if (canonicalJson(schema).length > MAX_SCHEMA_LENGTH) return invalid('the schema is too large', 'schema')
    checkSchemaRules(schema)
    const problem = schemaProblem(schema)
    if (problem !== undefined) return invalid(problem, 'schema')
    const digestProblem = checkDigestible(schema, digestible)
    if (digestProblem !== undefined) return invalid(digestProblem, 'digestible')
    const templateParts = checkTemplate(schema, template)
    if (templateParts === undefined) return invalid('the template must be text with {member.path} only', 'template')

    const members = compileSchema(schema)
    const details = Object.keys(digestible).length === 0 ? members : compileSchema(withDigests(schema, digestible))
    return Object.freeze({
      type,
      version,
      title,
      schema,
      digestible: Object.freeze(digestible),
      digestPlaces: digestPlaces(digestible),
      template,
      templateParts,
      risk,
      isSingleUse: single_use ?? risk !== 'read',
      validate: (value: JsonObject) => toRefusal(details.check(value)),
      accepts: (value: JsonValue, pointer: string) => members.check(value, pointer) === undefined,
    })
  } catch (error) {
    // What the validator throws about a schema is the administrator's to read; it holds nothing but their own schema.
    return invalid(error instanceof SchemaRuleError ? error.message : `the schema: ${firstLine(error)}`, 'schema')
  }
}

const invalid = (detail: string, member: string) => refuse('action_type_invalid', detail, member)

const firstLine = (error: unknown) => (error instanceof Error ? error.message : 'invalid').split('\n')[0]?.slice(0, 200)

function toRefusal(error: SchemaError | undefined): Refusal<'action_member_invalid'> | undefined {
  if (error === undefined) return undefined
  return refuse('action_member_invalid', `the member ${error.problem}`, error.member === '' ? undefined : error.member)
}

/** `$schema` may say which JSON Schema this is, if it is this one. */
function withoutDialect({ $schema, ...schema }: JsonObject): JsonObject | Refusal<'action_type_invalid'> {
  if ($schema === undefined || $schema === 'https://json-schema.org/draft/2020-12/schema') return schema
  return invalid('the schema must be JSON Schema 2020-12', 'schema')
}

/** Members that a path leads through must be plain `properties`, or a digest could stand where the schema did not mean it. */
function checkDigestible(schema: JsonObject, digestible: Digestible): string | undefined {
  const paths = Object.keys(digestible)
  if (paths.length > MAX_DIGESTIBLE) return 'too many digestible members'
  if (paths.some((path) => paths.some((other) => other.startsWith(`${path}.`)))) {
    return 'a digestible member lies inside another'
  }
  for (const path of paths) {
    let positions = [rootPosition(schema)]
    let pointer = ''
    for (const name of path.split('.')) {
      pointer += `/properties/${name}`
      const found = memberPositions(schema, positions, name)
      if (found.positions.length !== 1 || found.isFreeForm || found.positions[0]?.pointer !== pointer) {
        return 'a digestible member must be described once, by "properties" all the way'
      }
      positions = [...found.positions]
    }
    const member = positions[0]?.schema ?? true
    if (digestible[path] === 'utf8' && !typesOf(member).every((type) => type === 'string')) {
      return 'a digest of kind "utf8" needs a member whose schema says it is a string'
    }
    if (digestible[path] === 'jcs' && typesOf(member).includes('string')) {
      return 'a digest of kind "jcs" needs a member whose schema excludes strings'
    }
  }
  return undefined
}

const ALL_TYPES = ['null', 'boolean', 'number', 'integer', 'string', 'array', 'object']

/** The types that a member's own schema, without following anything, admits. */
function typesOf(schema: JsonValue): readonly JsonValue[] {
  if (!isJsonObject(schema) || schema.type === undefined) return ALL_TYPES
  return isJsonArray(schema.type) ? schema.type : [schema.type]
}

function checkTemplate(schema: JsonObject, template: string): readonly TemplatePart[] | undefined {
  const parts = parseTemplate(template)
  if (parts === undefined) return undefined
  for (const part of parts) {
    if (!('path' in part)) continue
    let positions = [rootPosition(schema)]
    for (const name of part.path) {
      positions = [...memberPositions(schema, positions, name).positions]
      if (positions.length === 0) return undefined
    }
  }
  return parts
}

const DIGEST_SCHEMA: JsonObject = {
  type: 'object',
  properties: { s256: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' } },
  required: ['s256'],
  additionalProperties: false,
}

/** The schema with "the digest, or what it said" at every digestible member. */
function withDigests(schema: JsonObject, digestible: Digestible): JsonObject {
  const replace = (at: JsonObject, [name, ...rest]: readonly string[]): JsonObject => {
    const properties = at.properties
    if (name === undefined || !isJsonObject(properties)) return at
    const member = properties[name] ?? true
    const replaced: JsonValue =
      rest.length === 0 ? { anyOf: [DIGEST_SCHEMA, member] } : isJsonObject(member) ? replace(member, rest) : member
    return { ...at, properties: { ...properties, [name]: replaced } }
  }
  return Object.keys(digestible).reduce((derived, path) => replace(derived, path.split('.')), schema)
}
