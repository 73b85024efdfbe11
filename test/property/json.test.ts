import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { actionMismatch } from '../../src/core/action/match.ts'
import { parseAction } from '../../src/core/action/parse-action.ts'
import { parseBound } from '../../src/core/delegation/bound.ts'
import { canonicalJson, type JsonObject, type JsonValue, jsonEquals, parseJson } from '../../src/core/json.ts'
import { isRefusal } from '../../src/core/refusal.ts'
import { builtin, EXAMPLES, RESOURCE } from '../core/action/fixtures.ts'

const NUM_RUNS = 5_000

/** JSON that the scanner lets in: well-formed strings, safe numbers, no name that reaches a prototype. */
const text = fc.string({ unit: 'binary', maxLength: 8 }).map((s) => s.replaceAll('\0', ''))
const clean = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<JsonValue[]>(null, true, false),
    text,
    fc.maxSafeInteger(),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((n) => (!Number.isInteger(n) || Number.isSafeInteger(n)) && !Object.is(n, -0)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      text.filter((n) => !['__proto__', 'constructor', 'prototype'].includes(n)),
      tie('value'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value

/** Names and values that have a meaning somewhere, in places where they have none. */
const wild = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom<JsonValue[]>(null, true, 0, 1.5, '', 'bob@example.com', RESOURCE, '\ud800', '/data', '123.50'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        '$any',
        '$in',
        '$all',
        '$each',
        's256',
        'to',
        'body',
        'arguments',
        'tool',
        'toString',
        'type',
        'locations',
        '0',
        '',
      ),
      tie('value'),
      { maxKeys: 4 },
    ),
  ),
})).value

const anyType = fc.constantFrom(...Object.keys(EXAMPLES))

describe('laws of JSON', () => {
  test('parse, canonical form, parse: the same value; canonical form twice: the same text', () => {
    fc.assert(
      fc.property(clean, (value) => {
        const parsed = parseJson(JSON.stringify(value))
        expect(isRefusal(parsed)).toBe(false)
        if (isRefusal(parsed)) return
        expect(jsonEquals(parsed, value)).toBe(true)
        const canonical = canonicalJson(parsed)
        const again = parseJson(canonical)
        expect(isRefusal(again)).toBe(false)
        if (!isRefusal(again)) expect(canonicalJson(again)).toBe(canonical)
        expect(parseJson(new TextEncoder().encode(canonical))).toEqual(again)
      }),
      { numRuns: NUM_RUNS },
    )
  })

  test('what is accepted, JSON.parse reads the same; nothing throws on any text or bytes', () => {
    const broken = fc
      .tuple(
        clean.map((v) => JSON.stringify(v)),
        fc.nat(),
        fc.constantFrom('', '"', '\\', '{', ']', ',', '0', 'e9', '-', '\0', '\ud800', '\\u'),
      )
      .map(([json, at, insert]) => json.slice(0, at % (json.length + 1)) + insert + json.slice(at % (json.length + 1)))
    fc.assert(
      fc.property(fc.oneof(broken, fc.string({ unit: 'binary' }), fc.json()), (json) => {
        const parsed = parseJson(json)
        if (!isRefusal(parsed)) expect(JSON.parse(json)).toEqual(parsed)
      }),
      { numRuns: NUM_RUNS },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void parseJson(bytes)),
      { numRuns: NUM_RUNS },
    )
  })
})

describe('nothing throws on arbitrary JSON', () => {
  test('parseAction, parseBound, actionMismatch', () => {
    fc.assert(
      fc.property(wild, anyType, fc.boolean(), (value, name, isMerged) => {
        const type = builtin(name)
        const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
        const input = isMerged && isObject ? { type: name, ...EXAMPLES[name], ...(value as JsonObject) } : value
        const action = parseAction(input, type, RESOURCE)
        parseBound(input, type, { resource: RESOURCE })
        parseBound(input, type, {})
        if (!isRefusal(action)) {
          expect(actionMismatch(action.details, action.details, type.digestible)).toBeUndefined()
          expect(actionMismatch(value as JsonObject, action.details, type.digestible)).toBeDefined()
        }
      }),
      { numRuns: NUM_RUNS },
    )
  })
})
