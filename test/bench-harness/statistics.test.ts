import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { median, poissonArrivals, quantile, seededRandom, span } from '../bench/harness/statistics.ts'

describe('median and quantile', () => {
  test.each([
    [[3], 3],
    [[1, 2], 1.5],
    [[9, 1, 5], 5],
    [[4, 1, 3, 2], 2.5],
  ])('the median of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected)
  })

  test('of nothing there is none', () => {
    expect(median([])).toBeNaN()
    expect(quantile([], 0.5)).toBeNaN()
  })

  test('a quantile is the smallest value that so many do not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect([0, 0.01, 0.5, 0.99, 0.991, 1].map((q) => quantile(hundred, q))).toEqual([1, 1, 50, 99, 100, 100])
  })

  test('both stay inside of the span, whatever the values', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const [least, most] = span(values)
          for (const value of [median(values), quantile(values, q)]) {
            expect(value).toBeGreaterThanOrEqual(least)
            expect(value).toBeLessThanOrEqual(most)
          }
        },
      ),
    )
  })
})

describe('Poisson arrivals', () => {
  const arrivals = poissonArrivals(100_000, 2_000, seededRandom(1))
  const gaps = Array.from(arrivals, (at, i) => at - (i === 0 ? 0 : (arrivals[i - 1] as number)))

  test('come in order, at the rate that was asked for', () => {
    expect(gaps.every((gap) => gap >= 0)).toBe(true)
    expect(arrivals.at(-1)).toBeGreaterThan(49_000)
    expect(arrivals.at(-1)).toBeLessThan(51_000)
  })

  test('have exponential gaps: as many over the mean, and over three times it, as there should be', () => {
    const over = (mean: number) => gaps.filter((gap) => gap > mean).length / gaps.length
    expect(over(0.5)).toBeCloseTo(Math.exp(-1), 1.5)
    expect(over(1.5)).toBeCloseTo(Math.exp(-3), 1.5)
  })

  test('are the same for the same seed and others for another', () => {
    const three = (seed: number) => [...poissonArrivals(3, 1, seededRandom(seed))]
    expect(three(7)).toEqual(three(7))
    expect(three(7)).not.toEqual(three(8))
  })
})

test('seeded numbers are uniform in [0, 1)', () => {
  const random = seededRandom(42)
  const tenths = new Array(10).fill(0)
  for (let i = 0; i < 100_000; i++) tenths[Math.floor(random() * 10)]++
  for (const tenth of tenths) expect(Math.abs(tenth - 10_000)).toBeLessThan(500)
})
