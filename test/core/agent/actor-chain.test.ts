import { describe, expect, test } from 'vitest'
import { actorClaim } from '../../../src/core/agent/actor-chain.ts'

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
