import { type EventLoopUtilization, performance } from 'node:perf_hooks'

/** How often the event loop is asked whether it keeps up. Unit: ms. */
const SAMPLE_MS = 20
/** How often it is looked at what was done since. Unit: ms. */
const LOOK_MS = 100
/** A loop that comes round this late has that much work queued before any new request. Unit: ms. */
const MAX_LATE_MS = 100
/** The database is behind by more than one flush, and this is how long the first in line has waited. Unit: ms. */
const MAX_BEHIND_MS = 100
/** From this share of the time on the event loop has no rest: what comes in waits for what is there. */
const BUSY = 0.9
/** How long what is under way may take to be done, one after the other, by a loop that has no rest. Unit: ms. */
const MAX_UNDER_WAY_MS = 100
/** As many may always be under way: of a burst that comes after quiet nobody knows yet how fast it will be done. */
const ALWAYS_UNDER_WAY = 128

export interface OverloadGuard {
  /** @param underWay requests that came whole and are not answered yet. */
  readonly isOver: (underWay: number) => boolean
  /** Told of each request that was answered. */
  readonly answered: () => void
  readonly stop: () => void
}

/**
 * Watches whether this process is beyond its capacity: its event loop comes round late, more is under way than it can soon do, or
 * its issuances pile up before the database.
 *
 * The loop late twice in a row: once is a collection of garbage, or a machine that had something else to do. What is under way
 * counts only where the loop has no rest: many requests that wait for a slow database are no work.
 */
export function overloadGuard(commitsBehindMs: () => number): OverloadGuard {
  let last = performance.now()
  let isLate = false
  let isLateAgain = false

  let answers = 0
  let since = last
  let used: EventLoopUtilization = performance.eventLoopUtilization()
  let maxUnderWay = Number.POSITIVE_INFINITY

  const look = (now: number) => {
    const { utilization } = performance.eventLoopUtilization(used)
    const perMs = answers / (now - since)
    maxUnderWay = utilization < BUSY ? Number.POSITIVE_INFINITY : Math.max(ALWAYS_UNDER_WAY, perMs * MAX_UNDER_WAY_MS)
    used = performance.eventLoopUtilization()
    since = now
    answers = 0
  }
  const timer = setInterval(() => {
    const now = performance.now()
    const wasLate = isLate
    isLate = now - last - SAMPLE_MS > MAX_LATE_MS
    isLateAgain = isLate && wasLate
    last = now
    if (now - since >= LOOK_MS) look(now)
  }, SAMPLE_MS)
  timer.unref()
  return {
    isOver: (underWay) => underWay > maxUnderWay || isLateAgain || commitsBehindMs() > MAX_BEHIND_MS,
    answered: () => {
      answers += 1
    },
    stop: () => clearInterval(timer),
  }
}
