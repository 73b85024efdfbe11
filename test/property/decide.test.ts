import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Action, parseAction } from '../../src/core/action/parse-action.ts'
import { type Bound, parseBound } from '../../src/core/delegation/bound.ts'
import { boundGap } from '../../src/core/delegation/fits.ts'
import { within } from '../../src/core/delegation/within.ts'
import { type JsonObject, type JsonValue, jsonEquals } from '../../src/core/json.ts'
import { decide } from '../../src/core/policy/decide.ts'
import { isRefusal } from '../../src/core/refusal.ts'
import { RESOURCE, typeOf } from '../core/action/fixtures.ts'
import { anyConstraint, anyValue, childOf, type Draw, drawFrom, shuffle, shuffled, valueFor } from './constraints.ts'

const free = { type: ['object', 'array', 'string', 'number', 'boolean', 'null'], 'x-free-form': true } as const
const type = typeOf(
  {
    a: free,
    b: free,
    c: free,
    d: { type: 'string', maxLength: 1_000 },
    e: { type: ['object', 'number'], 'x-free-form': true },
  },
  { digestible: { d: 'utf8', e: 'jcs' } },
)

const parsedBound = (members: JsonValue): Bound | undefined => {
  const bound = parseBound({ ...(members as JsonObject), type: type.type }, type, { resource: RESOURCE })
  return isRefusal(bound) ? undefined : bound
}
const parsedAction = (members: JsonValue): Action | undefined => {
  const action = parseAction({ ...(members as JsonObject), type: type.type }, type, RESOURCE)
  return isRefusal(action) ? undefined : action
}

/** Members of a bound, with constraints that have a chance at the member's schema. */
function anyMembers(draw: Draw): JsonObject {
  const names = ['a', 'b', 'c', 'd', 'e'].filter(() => draw() < 0.5)
  return Object.fromEntries(names.map((name) => [name, anyConstraint(draw, 1)]))
}
const each = (members: JsonObject, make: (value: JsonValue) => JsonValue): JsonObject =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [name, make(value)]))

describe('laws of the decision', () => {
  test('soundness over whole bounds: within(c, p) and an action in c imply the action in p', () => {
    let runs = 0
    let held = 0
    let heldStrictly = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const parentMembers = anyMembers(draw)
        const childMembers = each(parentMembers, (value) => (draw() < 0.5 ? value : childOf(draw, value)))
        const [parent, child] = [parsedBound(parentMembers), parsedBound(childMembers)]
        const action = parsedAction(each(childMembers, (value) => valueFor(draw, value)))
        if (!parent || !child || !action) return
        runs++
        expect(within(parent, parent)).toBe(true)
        if (!within(child, parent) || boundGap(action, child) !== undefined) return
        held++
        if (!jsonEquals(child.json, parent.json)) heldStrictly++
        expect(boundGap(action, parent), JSON.stringify([parentMembers, childMembers, action.details])).toBeUndefined()
      }),
      { numRuns: 20_000 },
    )
    expect(runs).toBeGreaterThan(5_000)
    expect(held / runs).toBeGreaterThan(0.2)
    expect(heldStrictly).toBeGreaterThan(300)
  })

  test('the order of bounds, and of what is in them, changes neither the effect nor what is near', () => {
    let permits = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        const base = anyMembers(draw)
        const written = [
          base,
          each(base, (v) => childOf(draw, v)),
          anyMembers(draw),
          each(base, (v) => childOf(draw, v)),
        ]
        const action = parsedAction(each(base, (value) => valueFor(draw, value)))
        const bounds = written.map(parsedBound).filter((bound) => bound !== undefined)
        if (!action) return
        const decision = decide(action, bounds, RESOURCE)
        if (decision.effect === 'permit') permits++
        const others = shuffle(draw, bounds).map((bound) => parsedBound(shuffled(draw, bound.json)))
        const other = decide(
          action,
          others.filter((bound) => bound !== undefined),
          RESOURCE,
        )
        expect(other.effect).toBe(decision.effect)
        if (decision.effect === 'forbid') expect(other).toEqual(decision)
        expect(other.because.length).toBe(decision.because.length)
      }),
      { numRuns: 5_000 },
    )
    expect(permits).toBeGreaterThan(500)
  })

  test('asking for more never gets a milder answer', () => {
    const strictness = { permit: 0, require_approval: 1, forbid: 2 }
    let permitted = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed)
        // Without $any every bound says what may be asked, so more is never "whatever".
        const members = each(anyMembers(draw), (c) => ({ list: { $each: c, $max_items: 2 } }))
        const { d: _d, e: _e, ...free } = members
        const bounds = [parsedBound(free)].filter((bound) => bound !== undefined)
        const less = each(free, (c) => ({
          list: [valueFor(draw, ((c as JsonObject).list as JsonObject).$each as JsonValue)],
        }))
        const [name] = Object.keys(less)
        const before = parsedAction(less)
        if (name === undefined || bounds.length === 0 || !before) return
        const list = (less[name] as JsonObject).list as readonly JsonValue[]
        const more: JsonObject[] = [
          { ...less, d: 'more' },
          { ...less, [name]: { list, more: anyValue(draw) } },
          { ...less, [name]: { list: [...list, ...list, ...list] } },
          { ...less, [name]: { list: [...list, anyValue(draw)] } },
        ]
        const decision = decide(before, bounds, RESOURCE)
        if (decision.effect === 'permit') permitted++
        for (const [i, asked] of more.entries()) {
          const after = parsedAction(asked)
          if (!after) continue
          const { effect } = decide(after, bounds, RESOURCE)
          expect(strictness[effect], JSON.stringify({ free, less, asked })).toBeGreaterThanOrEqual(
            strictness[decision.effect],
          )
          // The first three ask for what no bound of this kind names.
          if (i < 3) expect(effect).toBe('forbid')
        }
      }),
      { numRuns: 5_000 },
    )
    expect(permitted).toBeGreaterThan(1_000)
  })
})
