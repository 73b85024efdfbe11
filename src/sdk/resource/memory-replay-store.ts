import { createExpiringDigests, type Digest, LAST_SECOND } from './expiring-digests.ts'
import { isRepeated, type MarkResult, type ReplayMark, type ReplayStore } from './replay-store.ts'

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

  /** The last few digests, in turn: what `has` was asked for is marked a moment later. */
  const recent: { readonly key: string; readonly digest: Digest }[] = []
  let turn = 0
  function digestOf(key: string): Digest {
    for (let i = 0; i < recent.length; i++) {
      const one = recent[i]
      if (one?.key === key) return one.digest
    }
    const digest = digests.digest(key)
    recent[turn] = { key, digest }
    turn = (turn + 1) % RECENT
    return digest
  }

  return {
    hashesKeys: true,
    has(key, now) {
      arriveAt(secondOf(Math.floor(now.getTime() / 1000)))
      return digests.has(digestOf(key), current)
    },
    // Synchronous from the first look to the last write: nothing comes in between.
    mark(marks: readonly ReplayMark[], now: Date): MarkResult {
      arriveAt(secondOf(Math.floor(now.getTime() / 1000)))
      const found: Digest[] = []
      for (let i = 0; i < marks.length; i++) {
        const { key } = marks[i] as ReplayMark
        const digest = digestOf(key)
        if (digests.has(digest, current) || isRepeated(marks, i)) return { seen: key }
        found.push(digest)
      }
      if (live + marks.length > maxEntries) return 'full'
      // A mark lives through the whole second of its `until`, and at least for now, even if it says it should not.
      const ends = marks.map(({ until }) => Math.max(secondOf(Math.ceil(until)), current))
      for (let i = 0; i < ends.length; i++) {
        const end = ends[i] as number
        digests.add(found[i] as Digest, end, current)
        ending.set(end, (ending.get(end) ?? 0) + 1)
        live++
      }
      return 'marked'
    },
  }
}

/** Digests at hand: those of two requests that are under way. */
const RECENT = 4

/** Seconds since the epoch that fit into a mark. @throws for what is no number: it would never be found again. */
function secondOf(second: number): number {
  if (!Number.isFinite(second)) throw new RangeError('a mark must say until when')
  return Math.min(Math.max(second, 1), LAST_SECOND)
}
