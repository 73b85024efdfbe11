import { LRUCache } from 'lru-cache'
import type { Issuance, ReplayMark } from '../../ports.ts'

/** About 200 bytes each. */
const REMEMBERED = 100_000

/** Assertions and proofs that this process saw used up a moment ago. */
export interface UsedEvidence {
  /** False says nothing: it may have been used at another process, or so long ago that it was forgotten here. */
  readonly has: (mark: Pick<ReplayMark, 'key' | 'until'>) => boolean
  /** Told of what the database has answered for. */
  readonly remember: (marks: readonly ReplayMark[]) => void
  /** An issuance that remembers what each of its commits used up. */
  readonly remembering: (issuance: Issuance) => Issuance
}

/**
 * Remembers what was used up, so that whoever sends it again is refused before any signature is verified.
 *
 * It says no early and never yes: the database decides who was first (`replay_mark`). Only what a commit has answered for is
 * remembered: after a fault nobody knows whether it was used, and the client may try again.
 *
 * It is asked before a signature is verified, so a mark is known by its end as well: whoever once had something knows its `jti`
 * for ever, and must not be able to write one with new times that the client would be held to.
 */
export function usedEvidence(remembered = REMEMBERED): UsedEvidence {
  const used = new LRUCache<string, ReplayMark['until']>({ max: remembered })
  const remember = (marks: readonly ReplayMark[]) => {
    for (const { key, until } of marks) used.set(key, until)
  }
  return {
    remember,
    has: ({ key, until }) => used.peek(key) === until,
    remembering: ({ commit }) => ({
      commit: async (entry) => {
        const outcome = await commit(entry)
        remember(entry.marks)
        return outcome
      },
    }),
  }
}
