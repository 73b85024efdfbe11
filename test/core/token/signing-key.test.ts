import { describe, expect, test } from 'vitest'
import { activeSigningKey, type SigningKeyFacts, signingKeyStatus } from '../../../src/core/token/signing-key.ts'

const at = (seconds: number) => new Date(seconds * 1_000)
const key = (kid: string, activatesAt: number, isCompromised = false): SigningKeyFacts => ({
  kid,
  createdAt: at(0),
  activatesAt: at(activatesAt),
  ...(isCompromised && { compromisedAt: at(0) }),
})

describe('activeSigningKey', () => {
  test.each([
    { name: 'no key', keys: [], now: 5, signs: undefined },
    { name: 'one, activated', keys: [key('a', 0)], now: 5, signs: 'a' },
    { name: 'the next is published only', keys: [key('a', 0), key('b', 10)], now: 9, signs: 'a' },
    { name: 'the next at its very moment', keys: [key('a', 0), key('b', 10)], now: 10, signs: 'b' },
    { name: 'two of one moment: the same one everywhere', keys: [key('b', 0), key('a', 0)], now: 5, signs: 'b' },
    { name: 'the newest is compromised', keys: [key('a', 0), key('b', 10, true)], now: 20, signs: 'a' },
    { name: 'all that were activated are compromised', keys: [key('a', 0, true), key('b', 10)], now: 9, signs: 'b' },
    { name: 'the first is a moment ahead of this clock', keys: [key('a', 6), key('b', 10)], now: 5, signs: 'a' },
    { name: 'every one compromised', keys: [key('a', 0, true)], now: 5, signs: undefined },
  ])('$name -> $signs', ({ keys, now, signs }) => {
    expect(activeSigningKey(keys, at(now))?.kid).toBe(signs)
    expect(activeSigningKey(keys.toReversed(), at(now))?.kid).toBe(signs)
  })
})

test.each([
  { now: 9, status: ['active', 'published', 'compromised'] },
  { now: 10, status: ['retired', 'active', 'compromised'] },
])('at $now: $status', ({ now, status }) => {
  const keys = [key('a', 0), key('b', 10), key('c', 5, true)]
  expect(keys.map((one) => signingKeyStatus(one, keys, at(now)))).toEqual(status)
})
