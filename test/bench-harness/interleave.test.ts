import { describe, expect, test } from 'vitest'
import { Discarded, type Size } from '../bench/harness/bench.ts'
import { costFigure, interleave, shareFigure, type Turn } from '../bench/harness/interleave.ts'
import { fullSize } from '../bench/harness/size.ts'

const size: Size = { ...fullSize({ rounds: 3 }), warmUpRounds: 1 }
const silent = () => {}

/** A side that costs what the list says, turn by turn. */
const side = (name: string, costs: readonly number[], order: string[] = []): Turn => {
  const left = [...costs]
  return async () => {
    order.push(name)
    return { cpuMicroseconds: left.shift() ?? Number.NaN, requestsPerSecond: 1 }
  }
}

describe('interleave', () => {
  test('runs the reference around every turn, and never twice in a row', async () => {
    const order: string[] = []
    const many = new Array(20).fill(100)
    const sides = { a: side('a', many, order), b: side('b', many, order) }
    await interleave({ ...size, rounds: 2, warmUpRounds: 0 }, side('-', many, order), sides, silent)
    expect(order.join('')).toBe('-a-b-a-b-')
  })

  test('compares each turn with the mean of those around it, and leaves the warm-up out', async () => {
    const reference = side('', [900, 100, 100, 110, 90])
    const ours = side('', [9_000, 150, 210, 300])
    const { sides, noise } = await interleave(size, reference, { ours }, silent)
    expect(sides.ours.costs).toEqual([1.5, 2, 3])
    expect(sides.ours.cpuMicroseconds).toBe(210)
    expect(noise).toBeCloseTo(10 / 105)
  })

  test.each([
    ['is warm from the start', [300, 300, 300], 2],
    ['gets cheaper for a while', [900, 500, 300, 299, 299], 4],
    ['gets cheaper all the time', Array.from({ length: 20 }, (_, i) => 1_000 * 0.9 ** i), 10],
  ])('warms up as long as it helps: a side that %s', async (_, costs, warmUps) => {
    const lines: string[] = []
    const reference = side('', new Array(20).fill(100))
    const sides = { ours: side('', costs) }
    await interleave({ ...size, rounds: 1, warmUpRounds: 2 }, reference, sides, (line) => lines.push(line))
    expect(lines.filter((line) => line.startsWith('warm-up'))).toHaveLength(warmUps)
  })

  test('discards a run whose reference differs from itself by more than a tenth', async () => {
    const run = (after: number) =>
      interleave(
        { ...size, warmUpRounds: 0 },
        side(
          '',
          Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? 100 : after)),
        ),
        { ours: side('', new Array(20).fill(1)) },
        silent,
      )
    await expect(run(110)).resolves.toMatchObject({ noise: 10 / 105 })
    await expect(run(112)).rejects.toThrow(Discarded)
  })

  test('repeats a run that was discarded, and counts nothing of it', async () => {
    const reference = side('', [100, 200, 100, 200, 200, 200, 200])
    const { sides, noise } = await interleave(
      { ...size, warmUpRounds: 0 },
      reference,
      { ours: side('', [1, 1, 1, 300, 400, 500]) },
      silent,
    )
    expect([sides.ours.costs, noise]).toEqual([[1.5, 2, 2.5], 0])
  })

  test('a smoke run is discarded for nothing', async () => {
    const smoke = { ...size, warmUpRounds: 0, rounds: 1, isSmoke: true }
    await expect(interleave(smoke, side('', [1, 9]), { ours: side('', [1]) }, silent)).resolves.toBeDefined()
  })
})

test('a figure is the median of the rounds, as a cost or as a share of the limit', async () => {
  const reference = side('', new Array(4).fill(100))
  const ours = side('', [125, 100, 200])
  const comparison = await interleave({ ...size, warmUpRounds: 0 }, reference, { ours }, silent)
  expect(costFigure('cost', comparison, 'ours', { goal: 1.35, stretch: 1.2 })).toMatchObject({
    ...{ value: 1.25, spread: [1, 2], goal: { atMost: 1.35 }, stretch: { atMost: 1.2 } },
  })
  expect(shareFigure('share', comparison, 'ours', { goal: 0.7 })).toMatchObject({
    ...{ value: 0.8, spread: [0.5, 1], goal: { atLeast: 0.7 } },
  })
})
