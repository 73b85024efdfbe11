import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileActionType } from '../../../src/core/action/action-type.ts'
import { type Bound, parseBound } from '../../../src/core/delegation/bound.ts'
import { type Control, NarrowingError, narrowing } from '../../../src/core/delegation/narrowing.ts'
import { within } from '../../../src/core/delegation/within.ts'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { isRefusal } from '../../../src/core/refusal.ts'

const text = { type: 'string', maxLength: 100 } as const
const compiled = compileActionType(
  {
    ...{ type: 'thing', title: 'A thing', template: 'Do {name}', risk: 'write', digestible: {} },
    schema: {
      type: 'object',
      properties: {
        ...{ name: text, note: text, path: text, url: text, count: { type: 'integer' }, isFast: { type: 'boolean' } },
        ...{ amount: { type: 'string', maxLength: 40 }, list: { type: 'array', items: text, maxItems: 9 } },
        inner: { type: 'object', properties: { a: text, b: text }, required: ['a'], additionalProperties: false },
      },
      required: ['name'],
      additionalProperties: false,
    },
  },
  1,
)
if (isRefusal(compiled)) throw new Error(compiled.detail)
const type = compiled

function bound(members: JsonObject): Bound {
  const parsed = parseBound({ type: 'thing', locations: ['https://a.example'], ...members }, type, {})
  if (isRefusal(parsed)) throw new Error(`${parsed.member}: ${parsed.detail}`)
  return parsed
}

const WHOLE: JsonObject = {
  name: { $in: ['a', 'b', 'c'] },
  note: { $any: true },
  path: { $path_within: '/data' },
  url: { $url_within: 'https://x.example/v1/', $query: true },
  count: { $min: 1, $max: 10 },
  isFast: { $optional: { $any: true } },
  amount: { $max: '10.00' },
  list: { $each: { $prefix: 'x-' }, $max_items: 5 },
  inner: { a: { $email_domain: ['a.example', 'b.example'] }, b: { $all: [{ $prefix: 'p' }, { $suffix: 's' }] } },
}

/** The fields of the form as they are filled in. */
function filledIn(controls: readonly Control[]): Map<string, string> {
  const fields = new Map<string, string>()
  for (const control of controls) {
    if (control.kind === 'choices') for (const n of control.options.keys()) fields.set(`${control.name}.${n}`, 'on')
    if (control.kind === 'min' || control.kind === 'max' || control.kind === 'items')
      fields.set(control.name, control.limit)
    if (control.kind === 'within') fields.set(control.name, control.text)
  }
  return fields
}

const apply = (
  members: JsonObject,
  change: (fields: Map<string, string>, named: (path: string, kind: string) => string) => void,
) => {
  const { controls, apply } = narrowing(bound(members), 'b0')
  const fields = filledIn(controls)
  const named = (path: string, kind: string) => {
    const found = controls.find((control) => control.path === path && control.kind === kind)
    if (found === undefined) throw new Error(`no ${kind} of ${path}`)
    return found.name
  }
  change(fields, named)
  return apply(fields)
}

describe('narrowing a bound', () => {
  test('as it is filled in, it is what was asked for', () => {
    const same = apply(WHOLE, () => {})
    const parsed = parseBound(same, type, {})
    if (isRefusal(parsed)) throw new Error(parsed.detail)
    expect(within(parsed, bound(WHOLE)) && within(bound(WHOLE), parsed)).toBe(true)
  })

  test.each<[string, string, string, string, JsonValue]>([
    ['lines instead of anything', 'note', 'only', 'one\ntwo', { $in: ['one', 'two'] }],
    ['a folder inside', 'path', 'within', '/data/mine', { $path_within: '/data/mine' }],
    ['one file of it', 'path', 'only', '/data/x', { $in: ['/data/x'] }],
    [
      'a URL inside, queries as they were',
      'url',
      'within',
      'https://x.example/v1/a',
      { $url_within: 'https://x.example/v1/a', $query: true },
    ],
    ['a smaller number', 'count', 'max', '3', { $min: 1, $max: 3 }],
    ['a smaller decimal', 'amount', 'max', '9.5', { $max: '9.5' }],
    ['fewer items', 'list', 'items', '2', { $each: { $prefix: 'x-' }, $max_items: 2 }],
    ['items of some values', 'list[]', 'only', 'x-1', { $each: { $in: ['x-1'] }, $max_items: 5 }],
  ])('%s', (_, path, kind, value, expected) => {
    const result = apply(WHOLE, (fields, named) => fields.set(named(path, kind), value))
    expect(result[path.replace('[]', '')]).toEqual(expected)
  })

  test('a member that may be missing can be said to have to be', () => {
    expect(apply(WHOLE, (fields, named) => fields.set(named('note', 'absent'), 'on'))).not.toHaveProperty('note')
    expect(
      apply({ ...WHOLE, isFast: { $optional: true } }, (f, named) => f.set(named('isFast', 'absent'), 'on')),
    ).not.toHaveProperty('isFast')
  })

  test('a boolean, a number and a list are read as what they are', () => {
    const any = { name: 'a', count: { $any: true }, isFast: { $any: true }, list: { $any: true } }
    const result = apply(any, (fields, named) => {
      fields.set(named('count', 'only'), '1\n2')
      fields.set(named('isFast', 'only'), 'true')
      fields.set(named('list[]', 'only'), 'x')
      fields.set(named('list', 'items'), '1')
    })
    expect(result).toMatchObject({
      count: { $in: [1, 2] },
      isFast: { $in: [true] },
      list: { $each: { $in: ['x'] }, $max_items: 1 },
    })
  })

  test.each<[string, string, string, string]>([
    ['no number', 'count', 'max', 'many'],
    ['no whole number', 'list', 'items', '1.5'],
    ['too many lines', 'note', 'only', 'x\n'.repeat(51)],
    ['a line without end', 'note', 'only', 'x'.repeat(1_001)],
  ])('%s is an error that names the member', (_, path, kind, value) => {
    expect(() => apply(WHOLE, (fields, named) => fields.set(named(path, kind), value))).toThrow(NarrowingError)
  })

  test('whatever is answered, what is within is decided by the comparison and not by the form', () => {
    const { controls } = narrowing(bound(WHOLE), 'b0')
    const names = [...filledIn(controls).keys(), ...controls.map(({ name }) => name)]
    const answers = fc.dictionary(
      fc.constantFrom(...names),
      fc.oneof(fc.string(), fc.constantFrom('0', '99', '/', 'a', 'x-')),
    )
    fc.assert(
      fc.property(answers, (answered) => {
        const fields = new Map([...filledIn(controls), ...Object.entries(answered)])
        let result: JsonObject
        try {
          result = narrowing(bound(WHOLE), 'b0').apply(fields)
        } catch (error) {
          expect(error).toBeInstanceOf(NarrowingError)
          return
        }
        // It is a bound of the same type and places, or refused as one: nothing else can come of a form.
        expect(result).toMatchObject({ type: 'thing', locations: ['https://a.example'] })
        expect(Object.keys(result).every((name) => name in { type: 1, locations: 1, ...WHOLE })).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})
