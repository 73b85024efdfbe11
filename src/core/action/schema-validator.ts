import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { isJsonArray, type JsonObject, type JsonValue } from '../json.ts'
import { FORMATS } from './formats.ts'
import { linearRegExp } from './linear-pattern.ts'
import { elementPath, memberPath } from './member-path.ts'

/** The first thing that is wrong with a value. */
export interface SchemaError {
  /** Path of the member, as a refusal names it. Empty: the value as a whole. */
  readonly member: string
  readonly problem: string
}

export interface SchemaValidator {
  /** Checks a value against the subschema at a JSON Pointer. An error inside a check counts as "not valid". */
  check(value: JsonValue, pointer?: string): SchemaError | undefined
}

/** Checks that a schema is one (JSON Schema 2020-12 §8.1.1). Returns the first problem. */
export function schemaProblem(schema: JsonObject): string | undefined {
  metaValidator ??= new Ajv2020({ strict: false, validateFormats: false, logger: false })
  if (metaValidator.validateSchema(schema) === true) return undefined
  const error = metaValidator.errors?.[0]
  return `the schema at ${error?.instancePath || '/'}: ${error?.message ?? 'is not a JSON Schema'}`
}

let metaValidator: Ajv2020 | undefined

/**
 * Compiles a schema whose rules were checked. Values are only looked at: no defaults, no coercion, no removal.
 *
 * @throws what the validator finds wrong with the schema: an unknown format, a pattern that is not linear.
 */
export function compileSchema(schema: JsonObject): SchemaValidator {
  const ajv = new Ajv2020({
    strict: true,
    allowUnionTypes: true,
    // "Exactly one of" is written as branches that only require, without naming the members again.
    strictRequired: false,
    // The schema was checked against the meta-schema once, apart, for compiling that one takes long.
    meta: false,
    validateSchema: false,
    // A member is one that the object has itself: `toString` is not there because every object inherits it.
    ownProperties: true,
    formats: Object.fromEntries(Object.entries(FORMATS)),
    code: { regExp: linearRegExp },
    logger: false,
  })
  ajv.addKeyword({ keyword: 'x-free-form', schemaType: 'boolean' })
  ajv.addKeyword({
    keyword: 'x-sorted',
    type: 'array',
    schemaType: 'boolean',
    validate: (isOn: boolean, value: readonly JsonValue[]) => !isOn || isSorted(value),
  })
  ajv.addSchema(schema, ROOT)
  const compiled = new Map<string, ValidateFunction>()
  const validatorAt = (pointer: string): ValidateFunction => {
    const known = compiled.get(pointer)
    if (known !== undefined) return known
    const validate = ajv.getSchema(`${ROOT}#${pointer.split('/').map(encodeURIComponent).join('/')}`)
    if (validate === undefined) throw new Error('no schema at that pointer')
    compiled.set(pointer, validate)
    return validate
  }
  validatorAt('')
  return {
    check(value, pointer = '') {
      try {
        const validate = validatorAt(pointer)
        if (validate(value) === true) return undefined
        return describe(value, validate.errors?.[0])
      } catch {
        return { member: '', problem: 'could not be checked' }
      }
    },
  }
}

const ROOT = 'action'

/** Whether strings stand in order of their UTF-16 code units (the order of RFC 8785 §3.2.3). */
function isSorted(values: readonly JsonValue[]): boolean {
  return values.every((value, i) => i === 0 || String(values[i - 1]) <= String(value))
}

function describe(value: JsonValue, error: ErrorObject | undefined): SchemaError {
  if (error === undefined) return { member: '', problem: 'is not valid' }
  const steps = error.instancePath.split('/').slice(1)
  const names = steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  const { additionalProperty, unevaluatedProperty, missingProperty, propertyName } = error.params
  const extra = additionalProperty ?? unevaluatedProperty
  if (typeof extra === 'string')
    return { member: pathOf(value, [...names, extra]), problem: 'is not a member of this type' }
  if (typeof missingProperty === 'string') {
    return { member: pathOf(value, [...names, missingProperty]), problem: 'is missing' }
  }
  if (typeof propertyName === 'string')
    return { member: pathOf(value, [...names, propertyName]), problem: 'is misnamed' }
  return { member: pathOf(value, names), problem: PROBLEMS[error.keyword] ?? error.message ?? 'is not valid' }
}

/** The validator's own words, where they would print a pattern, or say nothing. */
const PROBLEMS: Readonly<Record<string, string>> = {
  pattern: 'does not match its pattern',
  oneOf: 'must match exactly one alternative',
  not: 'is not allowed',
  'x-sorted': 'must be sorted',
  'false schema': 'is not allowed',
}

/** Whether a step is an index depends on the value: an object may have a member named `0`. */
function pathOf(value: JsonValue, names: readonly string[]): string {
  const [name, ...rest] = names
  if (name === undefined) return ''
  if (isJsonArray(value)) return elementPath(Number(name), pathOf(value[Number(name)] ?? null, rest))
  const next = typeof value === 'object' && value !== null && !isJsonArray(value) ? value[name] : undefined
  return memberPath(name, pathOf(next ?? null, rest))
}
