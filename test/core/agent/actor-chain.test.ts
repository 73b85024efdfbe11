import { describe, expect, test } from 'vitest'
import { actorClaim, behalfOf, chainLength } from '../../../src/core/agent/actor-chain.ts'

const iss = 'https://as.example'

describe('actorClaim (RFC 8693 §4.1)', () => {
  test('one actor', () =>
    expect(actorClaim(iss, ['planner'])).toEqual({ iss, sub: 'planner', sub_profile: 'ai_agent' }))
  test('the current actor is outermost, the first one innermost', () => {
    expect(actorClaim(iss, ['c', 'b', 'a'])).toEqual({
      iss,
      sub: 'c',
      sub_profile: 'ai_agent',
      act: { iss, sub: 'b', sub_profile: 'ai_agent', act: { iss, sub: 'a', sub_profile: 'ai_agent' } },
    })
  })
  test('no actor is a fault', () => expect(() => actorClaim(iss, [])).toThrow())
})

test('a resource server is no agent, and makes the chain one longer', () => {
  const before = actorClaim('https://as.example', ['b', 'a'])
  const after = behalfOf('https://as.example', 'shop', before)
  expect(after).toStrictEqual({ iss: 'https://as.example', sub: 'shop', act: before })
  expect([chainLength(before), chainLength(after)]).toEqual([2, 3])
})
