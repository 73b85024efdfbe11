/** The agent's time: the machine's, and where that is allowed, corrected by what the server's `Date` header says. */
export interface AgentClock {
  /** For everything that is signed. */
  readonly now: () => Date
  /** The machine's own. */
  readonly own: () => Date
  /** By how much `now` is ahead of `own`. */
  readonly offsetSeconds: () => number
  /** Where that is allowed. */
  readonly correctBy: (skewSeconds: number) => void
}

/** A difference of less is ordinary: servers and resource servers allow for it. */
export const NOTICED_SKEW_SECONDS = 5

/** A clock that is wrong by more is not adrift, and its agent should not be quietly repaired. */
const MAX_CORRECTION_SECONDS = 86_400

export function createClock(own: () => Date, mayCorrect: boolean): AgentClock {
  let offsetSeconds = 0
  return {
    own,
    offsetSeconds: () => offsetSeconds,
    now: () => new Date(own().getTime() + offsetSeconds * 1_000),
    correctBy(skewSeconds) {
      if (mayCorrect && Math.abs(skewSeconds) <= MAX_CORRECTION_SECONDS) offsetSeconds = skewSeconds
    },
  }
}

/**
 * By how much the machine's clock is behind the server's, by the `Date` header of an answer (RFC 9110 §6.6.1).
 *
 * @returns whole seconds, negative when it is ahead; 0 when both may be right, or the header cannot be read.
 */
export function clockSkewSeconds(headers: Headers, sentAt: Date, receivedAt: Date): number {
  const date = Date.parse(headers.get('date') ?? '')
  if (Number.isNaN(date)) return 0
  // The header has whole seconds, and was written at some moment in between.
  if (date + 1_000 < sentAt.getTime()) return Math.round((date - sentAt.getTime()) / 1_000)
  if (date > receivedAt.getTime()) return Math.round((date - receivedAt.getTime()) / 1_000)
  return 0
}
