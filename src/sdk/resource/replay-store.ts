/** One thing that may be used once: a token, or a proof. */
export interface ReplayMark {
  /** Fixed length, and says nothing of what it stands for; not so for a store that hashes keys itself. */
  readonly key: string
  /** Until when it must be remembered. Unit: seconds since the epoch. */
  readonly until: number
}

/**
 * What became of marking: all were new and are marked now; or one was there already; or there was no room. In the last two
 * cases nothing was marked.
 */
export type MarkResult = 'marked' | 'full' | { readonly seen: string }

/**
 * Remembers what was used. Shared by all processes that serve one resource, or each of them would accept once.
 *
 * INVARIANT: of concurrent calls with one key exactly one is answered `marked`, and a key is never forgotten before its
 * `until`: a store that has no room says so. A store that cannot be reached throws, and the request is not served.
 */
export interface ReplayStore {
  readonly mark: (marks: readonly ReplayMark[], now: Date) => MarkResult | Promise<MarkResult>
  /**
   * Whether a key is marked, for a store that can say so at once: a replay is then refused before any signature is checked.
   * It decides of nothing else; without it a replay is refused by `mark`.
   */
  readonly has?: (key: string, now: Date) => boolean
  /**
   * It keeps nothing of a key but a digest of its own making, so keys are not hashed before it is given them. Whoever builds a store
   * around another's parts leaves it out: that store's own `mark` would be given keys of any length.
   */
  readonly hashesKeys?: true
}

/** The first mark whose key was named before in the same call: it is a replay of itself. */
export function repeatedMark(marks: readonly ReplayMark[]): ReplayMark | undefined {
  return marks.find((_, i) => isRepeated(marks, i))
}

/** Whether the key of a mark was named before it. */
export function isRepeated(marks: readonly ReplayMark[], i: number): boolean {
  for (let j = 0; j < i; j++) if (marks[j]?.key === marks[i]?.key) return true
  return false
}

/** The last whole second of a mark. @throws RangeError for what is no number: it would never be found again. */
export function untilOf(until: number): number {
  if (!Number.isFinite(until)) throw new RangeError('a mark must say until when')
  return Math.ceil(until)
}
