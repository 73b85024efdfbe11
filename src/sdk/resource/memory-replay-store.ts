import { createExpiringDigests, LAST_SECOND } from './expiring-digests.ts'
import type { MarkResult, ReplayMark, ReplayStore } from './replay-store.ts'

/**
 * Makes a replay store in memory, for a resource served by one process. About 24 bytes a mark, at most 64.
 *
 * Refuses when it holds `maxEntries` live marks, and never gives up a live one to make room: that would let a flood of
 * requests buy a replay. An honest request needs two marks for at most 10½ minutes. A restart forgets, so a proof and token
 * taken just before it could be used again for the rest of the token's life.
 *
 * INVARIANT: it answers as a plain list of live marks would (test/sdk/resource/memory-replay-store.test.ts).
 */
export function createMemoryReplayStore({ maxEntries = 1_000_000 } = {}): ReplayStore {
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 2) throw new RangeError('maxEntries must be an integer over 1')
  const digests = createExpiringDigests()
  /** How many marks end with each second, and how many there are. */
  const ending = new Map<number, number>()
  let live = 0
  /** The latest second anyone was here: a clock that is set back makes nothing live again. */
  let current = 0

  /** Counts out what has ended, second by second: however many marks end with one, it costs the same. */
  function arriveAt(second: number): void {
    if (second <= current) return
    const drop = (at: number) => {
      live -= ending.get(at) ?? 0
      ending.delete(at)
    }
    if (second - current > ending.size) {
      for (const at of ending.keys()) if (at < second) drop(at)
    } else {
      for (let at = current; at < second; at++) drop(at)
    }
    current = second
    digests.sweep(second)
  }

  return {
    // Synchronous from the first look to the last write: nothing comes in between.
    mark(marks: readonly ReplayMark[], now: Date): MarkResult {
      arriveAt(secondOf(Math.floor(now.getTime() / 1000)))
      const found = marks.map(({ key }) => digests.digest(key))
      const seen = marks.find(
        ({ key }, i) =>
          digests.has(found[i] as (typeof found)[0], current) || marks.findIndex((other) => other.key === key) !== i,
      )
      if (seen !== undefined) return { seen: seen.key }
      if (live + marks.length > maxEntries) return 'full'
      // A mark lives through the whole second of its `until`, and at least for now, even if it says it should not.
      const ends = marks.map(({ until }) => Math.max(secondOf(Math.ceil(until)), current))
      for (const [i, end] of ends.entries()) {
        digests.add(found[i] as (typeof found)[0], end, current)
        ending.set(end, (ending.get(end) ?? 0) + 1)
        live++
      }
      return 'marked'
    },
  }
}

/** Seconds since the epoch that fit into a mark. @throws for what is no number: it would never be found again. */
function secondOf(second: number): number {
  if (!Number.isFinite(second)) throw new RangeError('a mark must say until when')
  return Math.min(Math.max(second, 1), LAST_SECOND)
}
