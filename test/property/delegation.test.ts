import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DigestPlace } from '../../src/core/action/digest.ts'
import { type Constraint, readConstraint } from '../../src/core/delegation/constraint.ts'
import { constraintGap, fits } from '../../src/core/delegation/fits.ts'
import { constraintWithin } from '../../src/core/delegation/within.ts'
import { type JsonValue, jsonEquals } from '../../src/core/json.ts'
import {
  anyConstraint,
  anyValue,
  childOf,
  type Draw,
  digestFor,
  drawFrom,
  pick,
  shuffled,
  valueFor,
} from './constraints.ts'

const none: ReadonlyMap<string, DigestPlace> = new Map()
const PLACES: Readonly<Record<string, DigestPlace | undefined>> = {
  'an ordinary member': undefined,
  'a member that may be a digest of its text': { kind: 'utf8', members: none },
  'a member that may be a digest of its JSON': { kind: 'jcs', members: none },
  'an object with such members': {
    kind: undefined,
    members: new Map([
      ['a', { kind: 'utf8', members: none }],
      ['b', { kind: 'jcs', members: none }],
    ]),
  },
}

/** Reads what was generated; undefined when it is no constraint (a child may mix what cannot be mixed). */
function read(json: JsonValue): Constraint | undefined {
  try {
    return readConstraint(json)
  } catch {
    return undefined
  }
}

const fitsAt = (value: JsonValue, constraint: Constraint, place: DigestPlace | undefined) =>
  constraintGap(value, constraint, place) === undefined

function triple(draw: Draw) {
  const parent = anyConstraint(draw)
  const child = childOf(draw, parent)
  const value = valueFor(draw, pick(draw, child, child, child, parent))
  return { parent, child, value }
}

describe('laws of fits and within', () => {
  test.each(Object.entries(PLACES))('soundness at %s: within(c, p) and fits(v, c) imply fits(v, p)', (_name, place) => {
    let runs = 0
    let held = 0
    let heldStrictly = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const { parent, child, value } = triple(draw)
        const [p, c] = [read(parent), read(child)]
        if (p === undefined || c === undefined) return
        runs++
        if (!constraintWithin(c, p, place) || !fitsAt(value, c, place)) return
        held++
        if (!jsonEquals(child, parent)) heldStrictly++
        expect(fitsAt(value, p, place), JSON.stringify({ parent, child, value })).toBe(true)
      }),
      { numRuns: 20_000 },
    )
    // A law whose premise never holds proves nothing.
    expect(held / runs).toBeGreaterThan(0.2)
    expect(heldStrictly / runs).toBeGreaterThan(0.07)
  })

  test.each(Object.entries(PLACES))('reflexivity at %s: within(c, c) for all that can be read', (_name, place) => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const json = anyConstraint(draw)
        const constraint = read(json)
        expect(constraint, JSON.stringify(json)).toBeDefined()
        if (constraint !== undefined)
          expect(constraintWithin(constraint, constraint, place), JSON.stringify(json)).toBe(true)
      }),
      { numRuns: 5_000 },
    )
  })

  test.each(Object.entries(PLACES))(
    'order at %s: of members, $in values, $all parts does not matter',
    (_name, place) => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const draw = drawFrom(seed)
          const { parent, child, value } = triple(draw)
          const [p, c, p2, c2] = [read(parent), read(child), read(shuffled(draw, parent)), read(shuffled(draw, child))]
          expect([p === undefined, c === undefined]).toEqual([p2 === undefined, c2 === undefined])
          if (!p || !c || !p2 || !c2) return
          expect(constraintWithin(c2, p2, place)).toBe(constraintWithin(c, p, place))
          expect(fitsAt(value, c2, place)).toBe(fitsAt(value, c, place))
        }),
        { numRuns: 5_000 },
      )
    },
  )

  test('a digest fits only what says $any, or names its content', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const json = anyConstraint(draw)
        const content = valueFor(draw, json)
        if (typeof content !== 'string' || !fits(digestFor(content), json, 'utf8')) return
        // Then the content itself fits, or only the digest was named.
        expect(
          fits(content, json, 'utf8') || JSON.stringify(json).includes('s256'),
          JSON.stringify({ json, content }),
        ).toBe(true)
      }),
      { numRuns: 5_000 },
    )
  })

  test('nothing throws, whatever the JSON; what cannot be read fits nothing', () => {
    const operators = [
      '$any',
      '$optional',
      '$in',
      '$min',
      '$max',
      '$prefix',
      '$suffix',
      '$email_domain',
      '$path_within',
    ].concat(['$url_within', '$query', '$each', '$max_items', '$all', '$', '$x', '__proto__', 'toString', 'a'])
    const wild = fc.letrec<{ value: JsonValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom<JsonValue[]>(
          null,
          true,
          0,
          -1,
          1.5,
          '',
          '/',
          'a@b.example',
          '\ud800',
          '-0',
          'https://a.example/',
        ),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...operators), tie('value'), { maxKeys: 3 }) as fc.Arbitrary<JsonValue>,
      ),
    })).value
    fc.assert(
      fc.property(
        wild,
        wild,
        fc.constantFrom(undefined, 'utf8' as const, 'jcs' as const),
        (value, constraint, kind) => {
          const isFitting = fits(value, constraint, kind)
          if (read(constraint) === undefined) expect(isFitting).toBe(false)
        },
      ),
      { numRuns: 20_000 },
    )
  })

  test('a value with one more member, or a longer array, never fits a bound that lacks it', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const parts = { x: anyConstraint(draw, 2), y: anyConstraint(draw, 2) }
        const value = { x: valueFor(draw, parts.x), y: valueFor(draw, parts.y) }
        expect(fits({ ...value, z: anyValue(draw) }, parts)).toBe(false)
        expect(fits([value.x, value.y, anyValue(draw)], [parts.x, parts.y])).toBe(false)
        expect(fits([value.x, value.y], { $each: { $any: true }, $max_items: 1 })).toBe(false)
      }),
      { numRuns: 5_000 },
    )
  })
})
