import { expect, test } from 'vitest'
import { pooledRandomText } from '../../src/wire/random.ts'

test('no bytes are handed out twice, across many pools and whatever sizes are asked for', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 20_000; i++) {
    const text = pooledRandomText(12 + (i % 21), 'hex')
    expect(text).toMatch(/^[0-9a-f]+$/)
    expect(text).toHaveLength(2 * (12 + (i % 21)))
    seen.add(text.slice(0, 24))
  }
  expect(seen.size).toBe(20_000)
})

test('as base64url: 22 characters for 16 bytes', () => {
  expect(pooledRandomText(16, 'base64url')).toMatch(/^[A-Za-z0-9_-]{22}$/)
})

test.each([0, -1, 65, Number.NaN])('%s bytes are refused', (count) => {
  expect(() => pooledRandomText(count, 'hex')).toThrow(RangeError)
})
