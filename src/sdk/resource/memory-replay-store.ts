import type { MarkResult, ReplayMark, ReplayStore } from './replay-store.ts'

/**
 * Makes a replay store in memory, for a resource served by one process.
 *
 * Refuses when it holds `maxEntries` live marks, and never gives up a live one to make room: that would let a flood of
 * requests buy a replay. An honest request needs two marks for at most 10½ minutes. A restart forgets, so a proof and token
 * taken just before it could be used again for the rest of the token's life.
 */
export function createMemoryReplayStore({ maxEntries = 1_000_000 } = {}): ReplayStore {
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 2) throw new RangeError('maxEntries must be an integer over 1')
  const live = new Set<string>()
  /** The same keys, by the second after which they may go. */
  const bySecond = new Map<number, string[]>()
  let prunedTo = Number.NEGATIVE_INFINITY

  /** Drops what has expired. Every second and every key is visited once, so the cost for each mark is constant. */
  function prune(second: number): void {
    const drop = (at: number) => {
      for (const key of bySecond.get(at) ?? []) live.delete(key)
      bySecond.delete(at)
    }
    if (second - prunedTo > bySecond.size) {
      for (const at of [...bySecond.keys()]) if (at <= second) drop(at)
    } else {
      for (let at = prunedTo + 1; at <= second; at++) drop(at)
    }
    prunedTo = second
  }

  return {
    // Synchronous from the first look to the last write: nothing comes in between.
    mark(marks: readonly ReplayMark[], now: Date): MarkResult {
      // A key lives through the whole second of its `until`.
      prune(Math.floor(now.getTime() / 1000) - 1)
      const seen = marks.find(({ key }, i) => live.has(key) || marks.findIndex((other) => other.key === key) !== i)
      if (seen !== undefined) return { seen: seen.key }
      if (live.size + marks.length > maxEntries) return 'full'
      for (const { key, until } of marks) {
        // Whatever is marked lives at least for now, even if it says it should not.
        const second = Math.max(Math.ceil(until), prunedTo + 1)
        if (!Number.isFinite(second)) throw new RangeError('a mark must say until when')
        const keys = bySecond.get(second)
        if (keys === undefined) bySecond.set(second, [key])
        else keys.push(key)
        live.add(key)
      }
      return 'marked'
    },
  }
}
