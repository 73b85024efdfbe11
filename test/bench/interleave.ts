/** What one side of a comparison did in one round. */
export interface Sample {
  /** CPU of the server process for each request. Unit: microseconds. */
  readonly cpuMicroseconds: number
  readonly requestsPerSecond: number
}

export interface Comparison {
  /** Median over the rounds of limit ÷ ours in CPU: 1 is as cheap as the limit. */
  readonly ratio: number
  /** Smallest and largest ratio of a round. */
  readonly spread: readonly [number, number]
  readonly rounds: readonly { readonly limit: Sample; readonly ours: Sample; readonly ratio: number }[]
  /** How far the limit was from itself: the median of the differences from one round to the next, as a share. */
  readonly limitNoise: number
}

const WARM_UP_ROUNDS = 2

/**
 * Runs limit, ours, limit, ours, … and compares within each round: machines are shared, and an absolute number means
 * nothing.
 */
export async function interleave(
  rounds: number,
  limit: () => Promise<Sample>,
  ours: () => Promise<Sample>,
  progress: (line: string) => void,
): Promise<Comparison> {
  const done: { limit: Sample; ours: Sample; ratio: number }[] = []
  // Code that has run a few thousand times is not yet as fast as it will be: the first rounds are not counted.
  for (let round = 1 - WARM_UP_ROUNDS; round <= rounds; round++) {
    const [theirs, own] = [await limit(), await ours()]
    if (round < 1) continue
    const ratio = theirs.cpuMicroseconds / own.cpuMicroseconds
    done.push({ limit: theirs, ours: own, ratio })
    progress(
      `round ${round} of ${rounds}: limit ${theirs.cpuMicroseconds.toFixed(0)} µs, ours ${own.cpuMicroseconds.toFixed(0)} µs, ratio ${ratio.toFixed(3)}`,
    )
  }
  const ratios = done.map(({ ratio }) => ratio)
  const limits = done.map((round) => round.limit.cpuMicroseconds)
  return {
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
    rounds: done,
    limitNoise: median(limits.slice(1).map((limit, i) => Math.abs(limit - (limits[i] ?? limit)) / limit)),
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [sorted[middle - (sorted.length % 2 === 0 ? 1 : 0)], sorted[middle]]
  return (low + high) / 2
}
