import { describe, expect, test } from 'vitest'
import { actionMismatch } from '../../../src/core/action/match.ts'
import { digestMembers } from '../../../src/core/action/parse-action.ts'
import { sha256Base64url } from '../../../src/core/hash.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { actionOf, builtin, EXAMPLES } from './fixtures.ts'

/** Every way to change one thing in a value. */
function* mutations(value: JsonValue): Generator<JsonValue> {
  if (typeof value === 'string')
    yield* [`${value}x`, value.slice(1), `x${value.slice(1)}`, value.toUpperCase() + value, [value], null]
  else if (typeof value === 'number') yield* [value + 1, -value - 1, String(value)]
  else if (Array.isArray(value)) {
    yield* [[...value, 'x'], value.slice(1).concat('x', 'y'), [value], {}]
    if (value.length > 0) yield value.slice(1)
    if (value.length > 1) yield value.toReversed()
    for (const [i, item] of value.entries()) for (const changed of mutations(item)) yield value.with(i, changed)
  } else if (typeof value === 'object' && value !== null) {
    const object = value as JsonObject
    yield { ...object, extra: 1 }
    yield { value }
    for (const name of Object.keys(object)) {
      const { [name]: member, ...rest } = object
      yield rest
      yield { ...rest, [`${name}x`]: member as JsonValue }
      for (const changed of mutations(member as JsonValue)) yield { ...object, [name]: changed }
    }
  }
}

describe('actionMismatch', () => {
  test.each(Object.keys(EXAMPLES))('%s: the action itself matches, each of its mutations does not', (name) => {
    const type = builtin(name)
    const { details } = actionOf(type, EXAMPLES[name] as JsonObject)
    expect(actionMismatch(details, structuredClone(details), type.digestible)).toBeUndefined()
    let count = 0
    for (const mutation of mutations(details)) {
      expect(actionMismatch(mutation as JsonObject, details, type.digestible), JSON.stringify(mutation)).toBeDefined()
      count++
    }
    expect(count).toBeGreaterThan(25)
  })

  const { digestible } = builtin('email_send')
  const action = actionOf(builtin('email_send'), EXAMPLES.email_send as JsonObject)
  const plain = action.details
  const digested = digestMembers(action)
  const other = { ...plain, body: 'Hello!' }

  test.each([
    ['plain, plain', plain, plain, undefined],
    ['plain, digest', plain, digested, undefined],
    ['digest, plain', digested, plain, undefined],
    ['digest, digest', digested, digested, undefined],
    ['another plain, digest', other, digested, 'body'],
    ['digest, another plain', digested, other, 'body'],
    [
      'the digest as a plain string',
      { ...plain, body: (digested.body as JsonObject).s256 as string },
      digested,
      'body',
    ],
    ['a digest where none may stand', { ...plain, subject: { s256: sha256Base64url('Minutes') } }, plain, 'subject'],
    ['missing body', { ...plain, body: null }, digested, 'body'],
  ] as const)('%s -> %s', (_name, actual, authorized, member) => {
    expect(actionMismatch(actual, authorized, digestible)).toBe(member)
  })

  test('a lone surrogate has no digest, and so not the one of U+FFFD', () => {
    const replaced = { ...plain, body: { s256: sha256Base64url('\ufffd') } }
    expect(actionMismatch({ ...plain, body: '\ufffd' }, replaced, digestible)).toBeUndefined()
    expect(actionMismatch({ ...plain, body: '\ud800' }, replaced, digestible)).toBe('body')
  })

  test('names the first difference in the order of the token, then the first member it lacks', () => {
    expect(actionMismatch({ ...plain, to: ['x@y.example', 'eve@example.com'], subject: 'x' }, plain, digestible)).toBe(
      'to[0]',
    )
    expect(actionMismatch({ bcc: [], ...plain }, plain, digestible)).toBe('bcc')
  })

  test('a member named like a path is not that member', () => {
    const authorized = { 'a.b': { s256: sha256Base64url('x') } }
    expect(actionMismatch({ 'a.b': 'x' }, authorized, { 'a.b': 'utf8' })).toBe('a.b')
    expect(actionMismatch({ a: { b: 'x' } }, { a: { b: authorized['a.b'] } }, { 'a.b': 'utf8' })).toBeUndefined()
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['an instance', Object.create({ inherited: 1 })],
    [
      'a value that throws',
      Object.defineProperty({}, 'a', {
        enumerable: true,
        get: () => {
          throw new Error('x')
        },
      }),
    ],
    [
      'a cycle',
      (() => {
        const cycle: Record<string, unknown> = {}
        cycle.a = cycle
        return cycle
      })(),
    ],
  ])('%s is a mismatch, never an exception', (_name, actual) => {
    expect(actionMismatch({ a: actual } as JsonObject, { a: {} }, {})).toBeDefined()
    expect(actionMismatch({ a: actual } as JsonObject, { a: { a: 1 } }, { a: 'jcs' })).toBeDefined()
    expect(
      actionMismatch({ a: actual } as JsonObject, { a: { s256: sha256Base64url('x') } }, { a: 'jcs' }),
    ).toBeDefined()
  })

  test('what inherits a member does not have it', () => {
    expect(actionMismatch({}, { toString: 'x' }, {})).toBe('toString')
    expect(actionMismatch(Object.create({ a: 1 }) as JsonObject, { a: 1 }, {})).toBeDefined()
  })
})
