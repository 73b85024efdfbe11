import { expect, test } from 'vitest'
import { pooledRandomBytes } from '../../src/wire/random.ts'

test('no bytes are handed out twice, across many pools and whatever sizes are asked for', () => {
  const seen = new Set<string>()
  for (let i = 0; i < 20_000; i++) {
    const bytes = pooledRandomBytes(12 + (i % 21))
    expect(bytes).toHaveLength(12 + (i % 21))
    seen.add(bytes.toString('hex').slice(0, 24))
  }
  expect(seen.size).toBe(20_000)
})

test('what was handed out stays as it was when more is asked for', () => {
  const first = pooledRandomBytes(16)
  const before = first.toString('hex')
  for (let i = 0; i < 1_000; i++) pooledRandomBytes(16)
  expect(first.toString('hex')).toBe(before)
})

test.each([0, -1, 65, Number.NaN])('%s bytes are refused', (count) => {
  expect(() => pooledRandomBytes(count)).toThrow(RangeError)
})
