/** How often the event loop is asked whether it keeps up. Unit: ms. */
const SAMPLE_MS = 20
/** A loop that comes round this late has that much work queued before any new request. Unit: ms. */
const MAX_LATE_MS = 100
/** The database is behind by more than one flush, and this is how long the first in line has waited. Unit: ms. */
const MAX_BEHIND_MS = 200

export interface OverloadGuard {
  /** Whether more is queued than can be done soon. */
  readonly isOver: () => boolean
  readonly stop: () => void
}

/**
 * Watches whether this process is beyond its capacity: its event loop comes round late, or its issuances pile up before the database.
 *
 * The loop late twice in a row: once is a collection of garbage, or a machine that had something else to do.
 */
export function overloadGuard(commitsBehindMs: () => number): OverloadGuard {
  let last = performance.now()
  let isLate = false
  let isLateAgain = false
  const timer = setInterval(() => {
    const now = performance.now()
    const wasLate = isLate
    isLate = now - last - SAMPLE_MS > MAX_LATE_MS
    isLateAgain = isLate && wasLate
    last = now
  }, SAMPLE_MS)
  timer.unref()
  return {
    isOver: () => isLateAgain || commitsBehindMs() > MAX_BEHIND_MS,
    stop: () => clearInterval(timer),
  }
}
