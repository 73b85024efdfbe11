import { describe, expect, test } from 'vitest'
import { parseBound } from '../../../src/core/delegation/bound.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { decide } from '../../../src/core/policy/decide.ts'
import { accepted, actionOf, boundOf, builtin, EXAMPLES, RESOURCE } from '../action/fixtures.ts'

const email = builtin('email_send')
const action = actionOf(email, EXAMPLES.email_send as JsonObject)
const any = { $any: true }
const all = { to: any, cc: any, subject: any, body: any }
const wide = boundOf(email, all)
const otherType = boundOf(builtin('http_request'), {})
const otherPlace = accepted(parseBound({ type: 'email_send', ...all }, email, { resource: 'https://other.example' }))
const failsAtTo = boundOf(email, { ...all, to: { $each: { $in: ['bob@example.com'] } } })
const failsAtSubject = boundOf(email, { ...all, subject: 'x' })
const failsAtBody = boundOf(email, { to: any, cc: any, subject: any })

describe('decide', () => {
  test.each([
    ['no bounds', [], { effect: 'forbid', because: [] }],
    ['a bound that fits', [wide], { effect: 'permit', because: [0] }],
    ['two that fit, one that does not', [wide, failsAtTo, wide], { effect: 'permit', because: [0, 2] }],
    ['another type', [otherType], { effect: 'forbid', because: [], near: { member: 'type' } }],
    ['another place', [otherPlace], { effect: 'forbid', because: [], near: { member: 'locations' } }],
    [
      'another place is nearer than another type',
      [otherType, otherPlace],
      { effect: 'forbid', because: [], near: { member: 'locations' } },
    ],
    [
      'the furthest gap',
      [otherPlace, failsAtTo, failsAtSubject, otherType],
      { effect: 'forbid', because: [], near: { member: 'subject' } },
    ],
    [
      'the furthest gap, last',
      [failsAtSubject, failsAtBody, failsAtTo],
      { effect: 'forbid', because: [], near: { member: 'body' } },
    ],
    ['one gap, to the element', [failsAtTo], { effect: 'forbid', because: [], near: { member: 'to[1]' } }],
  ])('%s', (_name, bounds, decision) => {
    expect(decide(action, bounds, RESOURCE)).toEqual(decision)
    expect(decide(action, bounds.toReversed(), RESOURCE)).toMatchObject({ effect: decision.effect })
  })

  test('a missing member lies after those that are there', () => {
    const plain = actionOf(email, { to: ['bob@example.com'], subject: 's', body: 'b' })
    const wantsCopy = boundOf(email, { ...all, cc: ['a@b.example'] })
    expect(decide(plain, [failsAtSubject, wantsCopy], RESOURCE)).toMatchObject({ near: { member: 'cc' } })
    expect(decide(plain, [wantsCopy, failsAtSubject], RESOURCE)).toMatchObject({ near: { member: 'cc' } })
  })

  test('an action for another resource is forbidden, whatever the bounds', () => {
    expect(decide(action, [wide], 'https://other.example')).toMatchObject({
      effect: 'forbid',
      near: { member: 'locations' },
    })
  })
})
