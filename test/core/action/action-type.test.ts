import { describe, expect, test } from 'vitest'
import { type ActionTypeDefinition, compileActionType } from '../../../src/core/action/action-type.ts'
import { accepted, definitionOf, typeOf } from './fixtures.ts'

const text = { type: 'string', maxLength: 100 } as const
const invalid = { code: 'action_type_invalid' }
const withSchema = (schema: object) =>
  compileActionType({ ...definitionOf({}), schema: schema as ActionTypeDefinition['schema'] }, 1)
const closed = { type: 'object', additionalProperties: false } as const

describe('compileActionType refuses a schema', () => {
  test.each<[string, object]>([
    ['whose root is not an object', { type: 'string' }],
    ['whose root says no type', { additionalProperties: false }],
    ['whose root is open', { type: 'object', properties: { a: text } }],
    ['whose root admits members by a schema', { type: 'object', additionalProperties: text }],
    ['with an open object inside', { ...closed, properties: { a: { type: 'object' } } }],
    ['with a member that may be anything', { ...closed, properties: { a: {} } }],
    ['with a member that is just "true"', { ...closed, properties: { a: true } }],
    ['with an array of anything', { ...closed, properties: { a: { type: 'array' } } }],
    ['with an array of open objects', { ...closed, properties: { a: { type: 'array', items: { type: 'object' } } } }],
    ['with an open alternative', { ...closed, properties: { a: { oneOf: [text, { type: 'object' }] } } }],
    [
      'with an open object behind a reference',
      { ...closed, properties: { a: { $ref: '#/$defs/o' } }, $defs: { o: { type: 'object' } } },
    ],
    ['with a remote reference', { ...closed, properties: { a: { $ref: 'https://evil.example/s.json' } } }],
    ['with a relative reference', { ...closed, properties: { a: { $ref: 'other.json#/a' } } }],
    ['with a reference to nothing', { ...closed, properties: { a: { $ref: '#/$defs/none' } } }],
    [
      'with a reference to an inherited name',
      { ...closed, properties: { a: { $ref: '#/$defs/toString' } }, $defs: {} },
    ],
    ['with a reference to the root', { ...closed, properties: { a: { $ref: '#' } } }],
    [
      'with a cycle',
      {
        ...closed,
        properties: { a: { $ref: '#/$defs/a' } },
        $defs: { a: { ...closed, properties: { b: { $ref: '#/$defs/a' } } } },
      },
    ],
    [
      'with a cycle of two',
      {
        ...closed,
        $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } },
        properties: { a: { $ref: '#/$defs/a' } },
      },
    ],
    ['with "$dynamicRef"', { ...closed, properties: { a: { $dynamicRef: '#a' } } }],
    ['with "$recursiveRef"', { ...closed, properties: { a: { $recursiveRef: '#' } } }],
    ['with "$id"', { ...closed, $id: 'https://writ.example/s' }],
    ['with "$anchor"', { ...closed, $anchor: 'a' }],
    ['with "$async"', { ...closed, $async: true }],
    ['with "nullable"', { ...closed, properties: { a: { ...text, nullable: true } } }],
    ['with "default"', { ...closed, properties: { a: { ...text, default: 'x' } } }],
    ['with a misspelt keyword', { ...closed, properties: { a: { type: 'string', maxLenght: 1 } } }],
    ['with an unknown format', { ...closed, properties: { a: { ...text, format: 'ipv4' } } }],
    ['of another dialect', { ...closed, $schema: 'http://json-schema.org/draft-07/schema#' }],
    ['with a keyword of the wrong type', { ...closed, properties: { a: { type: 'string', maxLength: '1' } } }],
    ['with an unknown type', { ...closed, properties: { a: { type: 'text' } } }],
    ['with a look-ahead', { ...closed, properties: { a: { ...text, pattern: '^(?=a)a$' } } }],
    ['with a back-reference', { ...closed, properties: { a: { ...text, pattern: '^(a)\\1$' } } }],
    ['with a pattern that unrolls', { ...closed, properties: { a: { ...text, pattern: '((a{100}){100}){100}' } } }],
    ['with a pattern of members that backtracks', { ...closed, patternProperties: { '(?=a)': text } }],
    ['with a member named with $', { ...closed, properties: { $any: text } }],
    ['with a member named with a dot', { ...closed, properties: { 'a.b': text } }],
    ['that declares "type"', { ...closed, properties: { type: text } }],
    ['that declares "locations"', { ...closed, properties: { locations: { type: 'array', items: text } } }],
    ['that declares "type" in a branch', { ...closed, allOf: [{ properties: { type: text } }] }],
    [
      'with "uniqueItems" over many',
      { ...closed, properties: { a: { type: 'array', items: text, uniqueItems: true } } },
    ],
    ['that is too large', { ...closed, properties: { a: { type: 'string', enum: ['x'.repeat(70_000)] } } }],
    ['whose "properties" is an array', { ...closed, properties: [] }],
    ['whose "allOf" is an object', { ...closed, allOf: {} }],
    ['with a schema that is a string', { ...closed, properties: { a: 'string' } }],
  ])('%s', (_name, schema) => {
    expect(withSchema(schema)).toMatchObject(invalid)
  })

  test('whose references double at each step', () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [
        `d${i}`,
        { allOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
      ]),
    )
    expect(
      withSchema({ ...closed, properties: { a: { $ref: '#/$defs/d0' } }, $defs: { ...$defs, d30: text } }),
    ).toMatchObject(invalid)
  })

  test('that is nested 200 deep', () => {
    let schema: object = text
    for (let i = 0; i < 200; i++) schema = { ...closed, properties: { a: schema } }
    expect(withSchema(schema)).toMatchObject(invalid)
  })
})

describe('compileActionType accepts a schema', () => {
  test.each<[string, object]>([
    ['without members', closed],
    ['that names its dialect', { ...closed, $schema: 'https://json-schema.org/draft/2020-12/schema' }],
    ['with free-form JSON', { ...closed, properties: { a: { type: 'object', 'x-free-form': true } } }],
    ['with a reference', { ...closed, properties: { a: { $ref: '#/$defs/t' } }, $defs: { t: text } }],
    ['with alternatives', { ...closed, properties: { a: { oneOf: [text, { type: 'number' }] } } }],
    [
      'with a condition',
      { ...closed, properties: { a: text, b: text }, if: { required: ['a'] }, else: { required: ['b'] } },
    ],
    [
      'closed by "unevaluatedProperties"',
      { type: 'object', allOf: [{ properties: { a: text } }], unevaluatedProperties: false },
    ],
  ])('%s', (_name, schema) => {
    expect(accepted(withSchema(schema))).toMatchObject({ type: 'test_type' })
  })
})

describe('compileActionType', () => {
  test.each<[string, Partial<ActionTypeDefinition>]>([
    ['a digestible member that does not exist', { digestible: { nope: 'utf8' } }],
    ['a digestible member that is inherited', { digestible: Object.fromEntries([['toString', 'utf8']]) }],
    ['"utf8" on what is no string', { digestible: { n: 'utf8' } }],
    ['"utf8" on what may be null', { digestible: { maybe: 'utf8' } }],
    ['"jcs" on a string', { digestible: { a: 'jcs' } }],
    ['"jcs" on what may be a string', { digestible: { maybe: 'jcs' } }],
    ['"jcs" on what says no type', { digestible: { e: 'jcs' } }],
    ['a digestible member inside another', { digestible: { o: 'jcs', 'o.a': 'utf8' } }],
    ['a digestible member behind a reference', { digestible: { 'r.a': 'utf8' } }],
    ['a digestible member of free-form JSON', { digestible: { 'f.a': 'utf8' } }],
    ['a template with an unknown member', { template: 'Do {nope}' }],
    ['a template with an unknown inner member', { template: 'Do {o.nope}' }],
    ['a template with a brace alone', { template: 'Do {a' }],
    ['a template with an expression', { template: 'Do {a + 1}' }],
    ['a template with empty braces', { template: 'Do {}' }],
    ['a template of two lines', { template: 'Do\n{a}' }],
    ['a type with a space', { type: 'a b' }],
    ['an unknown risk', { risk: 'none' as 'read' }],
  ])('refuses %s', (_name, rest) => {
    const definition = definitionOf(
      {
        a: text,
        n: { type: 'number' },
        maybe: { type: ['string', 'null'], maxLength: 5 },
        e: { enum: [1, 'x'] },
        o: { ...closed, properties: { a: text } },
        r: { $ref: '#/$defs/o' },
        f: { type: 'object', 'x-free-form': true, properties: { a: text } },
      },
      {},
    )
    const schema = {
      ...definition.schema,
      $defs: { o: { ...closed, properties: { a: text } } },
    } as ActionTypeDefinition['schema']
    expect(compileActionType({ ...definition, schema }, 1)).not.toMatchObject(invalid)
    expect(compileActionType({ ...definition, schema, ...rest }, 1)).toMatchObject(invalid)
  })

  test.each([
    ['read', undefined, false],
    ['read', true, true],
    ['write', undefined, true],
    ['destructive', undefined, true],
    ['write', false, false],
  ] as const)('risk %s, single_use %s -> single use %s', (risk, single_use, isSingleUse) => {
    expect(typeOf({}, { risk, ...(single_use !== undefined && { single_use }) })).toMatchObject({ isSingleUse })
  })

  test('refuses an unknown member of the definition', () => {
    expect(compileActionType({ ...definitionOf({}), singleUse: true } as ActionTypeDefinition, 1)).toMatchObject(
      invalid,
    )
  })

  test('a pattern that backtracks elsewhere is matched in linear time', () => {
    const type = typeOf({ a: { type: 'string', maxLength: 65_536, pattern: '^(a+)+$' } })
    expect(type.validate({ a: 'a'.repeat(28) })).toBeUndefined()
    expect(type.validate({ a: `${'a'.repeat(60_000)}!` })).toMatchObject({ code: 'action_member_invalid', member: 'a' })
  })

  test('two patterns are two patterns', () => {
    const type = typeOf({ a: { type: 'string', pattern: '^a$' }, b: { type: 'string', pattern: '^b$' } })
    expect(type.validate({ a: 'a', b: 'b' })).toBeUndefined()
    expect(type.validate({ a: 'a', b: 'a' })).toMatchObject({ member: 'b' })
  })

  test('a text too long for a large pattern is refused, under "not" as well', () => {
    const type = typeOf({ a: { type: 'string', maxLength: 65_536, not: { pattern: '(a?){100}b' } } })
    expect(type.validate({ a: 'c' })).toBeUndefined()
    expect(type.validate({ a: 'c'.repeat(60_000) })).toMatchObject({ code: 'action_member_invalid' })
  })

  test('what every object inherits is not a member', () => {
    const type = accepted(withSchema({ ...closed, properties: { toString: text }, required: ['toString'] }))
    expect(type.validate({})).toMatchObject({ member: 'toString', detail: 'the member is missing' })
    expect(typeOf(Object.fromEntries([['toString', text]])).validate({})).toBeUndefined()
  })

  test('the validator changes nothing', () => {
    const value = Object.freeze({ a: 'x' })
    expect(typeOf({ a: text }).validate(value)).toBeUndefined()
    expect(typeOf({ a: { type: 'number' } }).validate({ a: '1' })).toMatchObject({ member: 'a' })
  })
})
