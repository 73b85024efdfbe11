import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Action, parseAction } from '../../src/core/action/parse-action.ts'
import { type Bound, parseBound } from '../../src/core/delegation/bound.ts'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { type ApprovalNeed, type Asking, covers, mergeNeeds } from '../../src/core/policy/approval-need.ts'
import { decide } from '../../src/core/policy/decide.ts'
import { isRefusal } from '../../src/core/refusal.ts'
import { RESOURCE, typeOf } from '../core/action/fixtures.ts'
import { anyConstraint, anyValue, childOf, type Draw, drawFrom, shuffle, valueFor } from './constraints.ts'

const free = { type: ['object', 'array', 'string', 'number', 'boolean', 'null'], 'x-free-form': true } as const
const type = typeOf({ a: free, b: free, c: free })
const nextVersion = { ...type, version: type.version + 1 }
const STRICTNESS = { permit: 0, require_approval: 1, forbid: 2 }

const parsedBound = (members: JsonValue, under = type): Bound | undefined => {
  const bound = parseBound({ ...(members as JsonObject), type: type.type }, under, { resource: RESOURCE })
  return isRefusal(bound) ? undefined : bound
}
const parsedAction = (members: JsonValue): Action | undefined => {
  const action = parseAction({ ...(members as JsonObject), type: type.type }, type, RESOURCE)
  return isRefusal(action) ? undefined : action
}
const anyMembers = (draw: Draw): JsonObject =>
  Object.fromEntries(['a', 'b', 'c'].filter(() => draw() < 0.6).map((name) => [name, anyConstraint(draw, 1)]))
const each = (members: JsonObject, make: (value: JsonValue) => JsonValue): JsonObject =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [name, make(value)]))
const bounded = (members: readonly JsonObject[]) => members.map((m) => parsedBound(m)).filter((b) => b !== undefined)

describe('laws of who is asked', () => {
  test('asking for more never gets a milder answer', () => {
    const seen = { permit: 0, require_approval: 0, forbid: 0 }
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        // Every bound says how much may be asked, so more is never "whatever".
        const members = each(anyMembers(draw), (c) => ({ list: { $each: c, $max_items: 3 } }))
        const fewer = each(members, (m) => {
          const { $each } = (m as JsonObject).list as JsonObject
          return {
            list: { $each: draw() < 0.5 ? ($each as JsonValue) : childOf(draw, $each as JsonValue), $max_items: 2 },
          }
        })
        const bounds = bounded([members])
        const asking: Asking = { mode: draw() < 0.2 ? 'each' : 'outside', free: bounded([fewer]) }
        const elements = each(members, (m) => valueFor(draw, ((m as JsonObject).list as JsonObject).$each as JsonValue))
        const less = each(elements, (value) => ({ list: [value] }))
        const before = parsedAction(less)
        const [name] = Object.keys(less)
        if (name === undefined || bounds.length === 0 || !before) return
        const more: JsonObject[] = [
          ...['a', 'b', 'c'].filter((n) => !(n in less)).map((n) => ({ ...less, [n]: anyValue(draw) })),
          { ...less, [name]: { list: [elements[name] as JsonValue, elements[name] as JsonValue] } },
          {
            ...less,
            [name]: { list: [elements[name] as JsonValue, elements[name] as JsonValue, elements[name] as JsonValue] },
          },
          { ...less, [name]: { list: [elements[name] as JsonValue, anyValue(draw)] } },
          { ...less, [name]: { list: [elements[name] as JsonValue], more: anyValue(draw) } },
        ]
        const { effect: milder } = decide(before, bounds, RESOURCE, asking)
        seen[milder]++
        for (const asked of more) {
          const after = parsedAction(asked)
          if (!after) continue
          const { effect } = decide(after, bounds, RESOURCE, asking)
          expect(STRICTNESS[effect], JSON.stringify({ members, fewer, less, asked })).toBeGreaterThanOrEqual(
            STRICTNESS[milder],
          )
        }
      }),
      { numRuns: 5_000 },
    )
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100)
  })

  test('a rule only slows down what the bounds allow, one more bound in it frees more, and their order does not matter', () => {
    let differed = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const base = anyMembers(draw)
        const [bounds, freed] = [bounded([base]), bounded([each(base, (c) => childOf(draw, c)), anyMembers(draw)])]
        const action = parsedAction(each(base, (c) => valueFor(draw, c)))
        if (!action) return
        const plain = decide(action, bounds, RESOURCE)
        const by = (list: readonly Bound[], mode: Asking['mode'] = 'outside') =>
          decide(action, bounds, RESOURCE, { mode, free: list })
        const asked = by(freed)
        expect(asked.effect === 'forbid').toBe(plain.effect === 'forbid')
        expect(asked.because).toEqual(plain.because)
        expect(by(shuffle(draw, freed))).toEqual(asked)
        expect(STRICTNESS[by(freed.slice(0, 1)).effect]).toBeGreaterThanOrEqual(STRICTNESS[asked.effect])
        expect(STRICTNESS[by(freed, 'each').effect]).toBeGreaterThanOrEqual(STRICTNESS[asked.effect])
        expect(by([]).effect).toBe(by(freed, 'each').effect)
        if (by(freed).effect !== by([]).effect) differed++
      }),
      { numRuns: 5_000 },
    )
    expect(differed).toBeGreaterThan(100)
  })

  test('a bound that was written for another version of the type frees nothing', () => {
    const any = { a: { $any: true }, b: { $any: true }, c: { $any: true } }
    const [now, then] = [parsedBound(any), parsedBound(any, nextVersion)]
    const action = parsedAction({ a: 1 })
    if (!now || !then || !action) throw new Error('not parsed')
    expect(decide(action, [now], RESOURCE, { mode: 'outside', free: [now] }).effect).toBe('permit')
    expect(decide(action, [now], RESOURCE, { mode: 'outside', free: [then] }).effect).toBe('require_approval')
  })

  test('needs put together ask for all of each, and nothing is covered by less', () => {
    const anyNeed: fc.Arbitrary<ApprovalNeed> = fc
      .tuple(fc.subarray(['ann', 'bob', 'cat'], { minLength: 1 }), fc.integer({ min: 1, max: 3 }))
      .map(([approvers, threshold]) => ({ approvers, threshold: Math.min(threshold, approvers.length) }))
    fc.assert(
      fc.property(fc.array(anyNeed, { minLength: 1, maxLength: 5 }), (needs) => {
        const merged = mergeNeeds(needs)
        expect(covers(merged, needs)).toBe(true)
        expect(covers(merged.slice(1), merged)).toBe(false)
        const less = merged.map((need) => ({ ...need, threshold: need.threshold - 1 }))
        expect(covers(less, merged)).toBe(false)
      }),
      { numRuns: 5_000 },
    )
  })
})
