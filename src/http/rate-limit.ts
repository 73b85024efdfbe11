import { LRUCache } from 'lru-cache'

/** A token bucket: so many a second in the long run, so many at once. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

export interface RateLimiter {
  /** Takes one, if there is one. */
  readonly take: (name: string, now: Date) => boolean
  /** Puts one back, up to the burst. */
  readonly giveBack: (name: string, now: Date) => void
}

/** Names remembered; a full bucket may be forgotten, since a new one is full as well. */
const MAX_NAMES = 50_000

/**
 * Limits by name, in this process: a guard against floods, and no accounting.
 *
 * DECISION: per process and in memory. A shared counter would cost a database write for each request it is there to ward
 * off; what must hold across processes (replay, limits of delegations) is decided in the database.
 */
export function rateLimiter({ perSecond, burst }: RateLimit): RateLimiter {
  const buckets = new LRUCache<string, { tokens: number; atMilliseconds: number }>({ max: MAX_NAMES })
  const refilled = (name: string, now: Date) => {
    const bucket = buckets.get(name) ?? { tokens: burst, atMilliseconds: now.getTime() }
    const elapsedSeconds = Math.max(0, now.getTime() - bucket.atMilliseconds) / 1_000
    bucket.tokens = Math.min(burst, bucket.tokens + elapsedSeconds * perSecond)
    bucket.atMilliseconds = now.getTime()
    return bucket
  }
  return {
    giveBack: (name, now) => {
      const bucket = refilled(name, now)
      bucket.tokens = Math.min(burst, bucket.tokens + 1)
      buckets.set(name, bucket)
    },
    take: (name, now) => {
      const bucket = refilled(name, now)
      buckets.set(name, bucket)
      if (bucket.tokens < 1) return false
      bucket.tokens -= 1
      return true
    },
  }
}
