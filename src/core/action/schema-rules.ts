import { isForbiddenName, isJsonArray, isJsonObject, type JsonObject, type JsonValue } from '../json.ts'
import { resolvePointer } from './schema-members.ts'

/** How the value of a keyword is to be read. */
type Kind = 'data' | 'schema' | 'schemas' | 'members' | 'definitions' | 'ref'

/**
 * The keywords of JSON Schema 2020-12 that an action type may use, and ours. Everything else is refused, among them what
 * would load, rename, rewrite or run something: `$id`, `$anchor`, `$dynamicRef`, `$recursiveRef`, `$async`, `content…`.
 */
const KEYWORDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ...['$comment', 'title', 'description', 'examples', 'deprecated', 'type', 'enum', 'const', 'format', 'pattern']
    .concat(['minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'])
    .concat(['minItems', 'maxItems', 'uniqueItems', 'minContains', 'maxContains'])
    .concat(['minProperties', 'maxProperties', 'required', 'dependentRequired'])
    .concat(['x-free-form', 'x-sorted'])
    .map((keyword) => [keyword, 'data'] as const),
  ...['items', 'contains', 'unevaluatedItems', 'propertyNames', 'additionalProperties', 'unevaluatedProperties']
    .concat(['not', 'if', 'then', 'else'])
    .map((keyword) => [keyword, 'schema'] as const),
  ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map((keyword) => [keyword, 'schemas'] as const),
  ['properties', 'members'],
  ['patternProperties', 'definitions'],
  ['dependentSchemas', 'definitions'],
  ['$defs', 'definitions'],
  ['$ref', 'ref'],
])

const MAX_SCHEMA_DEPTH = 32
/** Subschemas, each counted as often as references lead to it: what bounds the time of one validation. */
const MAX_EXPANDED_SCHEMAS = 5_000
/** Finding two equal elements compares each with each. */
const MAX_UNIQUE_ITEMS = 256
const MEMBER_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/
/** `type` and `locations` are common to all types (RFC 9396 §2) and compared apart. */
const RESERVED_MEMBERS: ReadonlySet<string> = new Set(['type', 'locations'])

/** Thrown by the rules, and turned into a refusal where a definition is compiled. */
export class SchemaRuleError extends Error {}

/**
 * Checks the rules for schemas of action types that JSON Schema itself does not have: known keywords only, local and
 * acyclic references, a root object, every object closed or marked `"x-free-form": true`, no reserved member.
 *
 * @throws SchemaRuleError naming the rule and the place (a JSON Pointer).
 */
export function checkSchemaRules(root: JsonObject): void {
  checkSchema(root, root, '', 0)
  // Before anything that follows references: from here on they end, soon.
  expandedSize(root, root, [])
  if (root.type !== 'object') fail('', 'the root must say "type": "object"')
  if (root['x-free-form'] === true || isOpen(root, root)) fail('', 'the root must be closed')
  checkClosed(root, root, '')
  checkReserved(root, root, '')
}

function checkSchema(root: JsonObject, schema: JsonValue | undefined, at: string, depth: number): void {
  if (typeof schema === 'boolean') return
  if (!isJsonObject(schema)) fail(at, 'a schema is an object or a boolean')
  if (depth > MAX_SCHEMA_DEPTH) fail(at, 'nested too deeply')
  for (const [keyword, value] of Object.entries(schema)) {
    const place = `${at}/${keyword}`
    const kind = KEYWORDS.get(keyword)
    if (kind === undefined) fail(place, 'the keyword is not supported')
    if (kind === 'ref') checkRef(root, value, place)
    if (kind === 'schema') checkSchema(root, value, place, depth + 1)
    if (kind === 'schemas') {
      if (!isJsonArray(value)) fail(place, 'must be an array of schemas')
      for (const [i, part] of value.entries()) checkSchema(root, part, `${place}/${i}`, depth + 1)
    }
    if (kind === 'members' || kind === 'definitions') {
      if (!isJsonObject(value)) fail(place, 'must be an object of schemas')
      for (const [name, part] of Object.entries(value)) {
        if (isForbiddenName(name)) fail(place, 'a name is not allowed')
        // A member whose name begins with $ could be taken for an operator of a bound, and one with a dot for a path.
        if (kind === 'members' && !MEMBER_NAME.test(name))
          fail(place, 'a member name must match [A-Za-z_][A-Za-z0-9_-]*')
        checkSchema(root, part, `${place}/${name}`, depth + 1)
      }
    }
  }
  if (schema.uniqueItems === true && !(Number(schema.maxItems) <= MAX_UNIQUE_ITEMS)) {
    fail(at, `"uniqueItems" needs "maxItems" of at most ${MAX_UNIQUE_ITEMS}`)
  }
}

function checkRef(root: JsonObject, ref: JsonValue, at: string): void {
  if (typeof ref !== 'string' || !ref.startsWith('#/$defs/')) fail(at, 'a reference must begin with #/$defs/')
  if (!/^#\/\$defs\/[A-Za-z0-9_-]+$/.test(ref) || resolvePointer(root, ref.slice(1)) === undefined) {
    fail(at, 'the reference leads nowhere')
  }
}

/** Checks that no member or element, wherever it is described, may be an object or array with parts nobody described. */
function checkClosed(root: JsonObject, schema: JsonValue, at: string): void {
  if (!isJsonObject(schema) || schema['x-free-form'] === true) return
  for (const [keyword, value] of Object.entries(schema)) {
    // `not`, `if`, `contains` and the like only narrow what the schema around them admits.
    const holdsValues = keyword === 'properties' || keyword === 'patternProperties' || keyword === 'prefixItems'
    const parts = subschemas(keyword, value).map(([name, part]) => [`${at}/${keyword}${name}`, part] as const)
    for (const [place, part] of parts) {
      if ((holdsValues || keyword === 'items' || keyword === 'unevaluatedItems') && isOpen(root, part))
        fail(place, CLOSED)
      if (keyword !== 'not' && keyword !== 'if' && keyword !== 'contains') checkClosed(root, part, place)
    }
  }
}

const CLOSED =
  'every object must be closed ("additionalProperties": false), every array must have "items", or say "x-free-form": true'

/** The subschemas in the value of a keyword, each with the rest of its pointer. */
function subschemas(keyword: string, value: JsonValue): readonly (readonly [string, JsonValue])[] {
  const kind = KEYWORDS.get(keyword)
  if (kind === 'schema') return [['', value]]
  if (kind === 'schemas' && isJsonArray(value)) return value.map((part, i) => [`/${i}`, part] as const)
  if ((kind === 'members' || kind === 'definitions') && isJsonObject(value)) {
    return Object.entries(value).map(([name, part]) => [`/${name}`, part] as const)
  }
  return []
}

/** Whether the schema may admit an object with members, or an array with elements, that it does not describe. */
function isOpen(root: JsonObject, schema: JsonValue): boolean {
  return isOpenFor('object', root, schema) || isOpenFor('array', root, schema)
}

/** Errs towards yes. */
function isOpenFor(kind: 'object' | 'array', root: JsonObject, schema: JsonValue): boolean {
  if (typeof schema === 'boolean') return schema
  if (!isJsonObject(schema)) return true
  if (schema['x-free-form'] === true || schema.const !== undefined || schema.enum !== undefined) return false
  if (schema.type !== undefined && !(isJsonArray(schema.type) ? schema.type : [schema.type]).includes(kind))
    return false
  if (kind === 'object' && (schema.additionalProperties === false || schema.unevaluatedProperties === false))
    return false
  if (kind === 'array' && (schema.items !== undefined || schema.unevaluatedItems !== undefined)) return false
  if (typeof schema.$ref === 'string') {
    const target = resolvePointer(root, schema.$ref.slice(1))
    if (target !== undefined && !isOpenFor(kind, root, target)) return false
  }
  if (isJsonArray(schema.allOf) && schema.allOf.some((part) => !isOpenFor(kind, root, part))) return false
  return ![schema.anyOf, schema.oneOf].some(
    (branches) =>
      isJsonArray(branches) && branches.length > 0 && branches.every((part) => !isOpenFor(kind, root, part)),
  )
}

/** Counts subschemas with every reference followed. A cycle, or a reference that doubles at each step, ends here. */
function expandedSize(root: JsonObject, schema: JsonValue, trail: readonly string[]): number {
  if (!isJsonObject(schema)) return 1
  let size = 1
  const add = (part: JsonValue, next = trail) => {
    size += expandedSize(root, part, next)
    if (size > MAX_EXPANDED_SCHEMAS) fail('', 'too large once its references are followed')
  }
  for (const [keyword, value] of Object.entries(schema)) {
    for (const [, part] of subschemas(keyword, value)) add(part)
    if (keyword === '$ref' && typeof value === 'string') {
      if (trail.includes(value)) fail('', 'references must not form a cycle')
      add(resolvePointer(root, value.slice(1)) ?? true, [...trail, value])
    }
  }
  return size
}

/** Reserved members must not be declared or required by anything that applies to the action itself. */
function checkReserved(root: JsonObject, schema: JsonValue, at: string): void {
  if (!isJsonObject(schema)) return
  for (const keyword of ['properties', 'dependentSchemas', 'dependentRequired']) {
    const members = schema[keyword]
    if (isJsonObject(members) && Object.keys(members).some((name) => RESERVED_MEMBERS.has(name))) {
      fail(`${at}/${keyword}`, '"type" and "locations" are common to all action types and cannot be declared')
    }
  }
  for (const [keyword, value] of Object.entries(schema)) {
    if (IN_PLACE.has(keyword)) {
      for (const [name, part] of subschemas(keyword, value)) checkReserved(root, part, `${at}/${keyword}${name}`)
    }
    if (keyword === '$ref' && typeof value === 'string') {
      checkReserved(root, resolvePointer(root, value.slice(1)) ?? true, `${at}/$ref`)
    }
  }
}

/** Keywords whose subschemas apply to the same value as the schema around them. */
const IN_PLACE: ReadonlySet<string> = new Set([
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'dependentSchemas',
])

function fail(at: string, rule: string): never {
  throw new SchemaRuleError(at === '' ? `the schema: ${rule}` : `the schema at ${at}: ${rule}`)
}
