/** The middle value; of two, their mean. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = Number.NaN, high = Number.NaN] = [sorted[middle - (sorted.length % 2 === 0 ? 1 : 0)], sorted[middle]]
  return (low + high) / 2
}

/** The smallest value that the share `q` of all values does not exceed (nearest rank). NaN of none. */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

export const span = (values: readonly number[]): readonly [number, number] => [Math.min(...values), Math.max(...values)]

/**
 * When so many independent requests arrive: exponential gaps of the mean `1 / perSecond`.
 *
 * @param random uniform in [0, 1).
 * @returns milliseconds from the start, ascending.
 */
export function poissonArrivals(count: number, perSecond: number, random: () => number): Float64Array {
  const arrivals = new Float64Array(count)
  let at = 0
  for (let i = 0; i < count; i++) {
    at += (-Math.log(1 - random()) * 1_000) / perSecond
    arrivals[i] = at
  }
  return arrivals
}

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
