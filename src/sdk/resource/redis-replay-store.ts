import { createRedisCommands, isAnswer, type RedisClient, type RedisOptions, redisScript } from './redis-commands.ts'
import type { MarkResult, ReplayStore } from './replay-store.ts'
import { repeatedMark, untilOf } from './replay-store.ts'

/** A replay store on Redis. */
export interface RedisReplayStore extends ReplayStore {
  readonly mark: (...args: Parameters<ReplayStore['mark']>) => Promise<MarkResult>
  /** Checks at start what the first use would check. @throws StoreUnavailableError when Redis is away, or may evict. */
  readonly check: () => Promise<void>
}

/**
 * Makes a replay store on Redis 6 or newer, shared by all processes that have the same Redis and prefix.
 *
 * One script marks all or nothing; keys go by themselves. Redis must not evict (`maxmemory-policy noeviction`), which is
 * checked before the first use; when its memory is full, requests are refused. What Redis loses can be used again for the rest
 * of its life: without `appendfsync always` up to a second of marks when it dies, and with asynchronous replication whatever
 * the new primary did not have yet when it took over. Where that is too much, take PostgreSQL, or the issuer's `consume`.
 *
 * @throws TypeError when `client` is none.
 */
export function createRedisReplayStore(client: RedisClient, options: RedisOptions = {}): RedisReplayStore {
  const redis = createRedisCommands(client, options)
  return {
    check: redis.check,
    async mark(marks, now) {
      const repeated = repeatedMark(marks)
      if (repeated !== undefined) return { seen: repeated.key }
      const keys = marks.map(({ key }) => `${redis.prefix}used:${key}`)
      // A time from now and none of day: the clock of Redis need not be ours.
      const lives = marks.map(({ until }) => String(Math.max(1, (untilOf(until) + 1) * 1000 - now.getTime())))
      let found: unknown
      try {
        found = await redis.run(MARK, keys, lives)
      } catch (error) {
        // Known before the script begins: it wrote nothing.
        if (isAnswer(error, 'OOM')) return 'full'
        throw error
      }
      if (found === 0) return 'marked'
      const seen = marks[Number(found) - 1]
      if (seen === undefined) throw new TypeError('Redis answered what the script cannot say')
      return { seen: seen.key }
    },
  }
}

/** @returns 0 when all were new and are marked, or the number of the first that was there. Times in milliseconds. */
const MARK = redisScript(`
for i = 1, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 1 then return i end
end
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], '', 'PX', ARGV[i])
end
return 0
`)
