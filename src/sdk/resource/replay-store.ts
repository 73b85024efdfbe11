/** One thing that may be used once: a token, or a proof. */
export interface ReplayMark {
  /** Fixed length; says nothing of what it stands for. */
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
}

/** The first mark whose key was named before in the same call: it is a replay of itself. */
export function repeatedMark(marks: readonly ReplayMark[]): ReplayMark | undefined {
  return marks.find(({ key }, i) => marks.findIndex((other) => other.key === key) !== i)
}

/** The last whole second of a mark. @throws RangeError for what is no number: it would never be found again. */
export function untilOf(until: number): number {
  if (!Number.isFinite(until)) throw new RangeError('a mark must say until when')
  return Math.ceil(until)
}
