import {
  type CallClaims,
  type CallOptions,
  checkCallOptions,
  claimAndRun,
  stateOf,
  type WrittenCall,
} from './call-claims.ts'
import type { KeptAnswer } from './kept-answer.ts'
import { createRedisCommands, isAnswer, type RedisClient, type RedisOptions, redisScript } from './redis-commands.ts'
import { untilOf } from './replay-store.ts'
import type { Call, ResultStore } from './result-store.ts'
import { StoreUnavailableError } from './store-unavailable.ts'

/**
 * Makes a result store on Redis 6 or newer, shared by all processes that have the same Redis and prefix.
 *
 * It must not evict, as for `createRedisReplayStore`. When Redis loses a claim, in a crash or a failover, it is still for the replay
 * store to remember that the token was used; a replay store on the same Redis may have lost that, too.
 */
export function createRedisResultStore(client: RedisClient, options: RedisOptions & CallOptions = {}): ResultStore {
  const redis = createRedisCommands(client, options)
  const checked = checkCallOptions(options)
  const keyOf = ({ key }: Call) => [`${redis.prefix}call:${key}`]

  const claims: CallClaims = {
    async claim(call, { ticket, runningUntil }, now) {
      const lives = Math.max(1, (untilOf(call.until) + 1) * 1000 - now.getTime())
      let found: unknown
      try {
        found = await redis.run(CLAIM, keyOf(call), [call.fingerprint, ticket, String(runningUntil), String(lives)])
      } catch (error) {
        if (isAnswer(error, 'OOM')) return { kind: 'full' }
        throw error
      }
      const written = parseWritten(found)
      return written === undefined ? { kind: 'claimed' } : stateOf(written, call, now)
    },
    async end(call, ticket, end) {
      const answer = end.kind === 'kept' ? writeAnswer(end.answer) : ''
      await redis.run(END, keyOf(call), [ticket, end.kind, answer])
    },
  }
  return {
    isDurable: false,
    once: (call, now, effect) => claimAndRun(claims, checked, { call, now, effect }),
    async find(call, now) {
      const written = parseWritten(await redis.run(FIND, keyOf(call), []))
      return written === undefined ? undefined : stateOf(written, call, now)
    },
  }
}

const FIND = redisScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
return redis.call('HMGET', KEYS[1], 'fingerprint', 'state', 'running_until', 'answer')
`)

/** @returns what was there, or nothing: then it is claimed now. */
const CLAIM = redisScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.call('HMGET', KEYS[1], 'fingerprint', 'state', 'running_until', 'answer')
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'ticket', ARGV[2], 'running_until', ARGV[3], 'state', 'claimed', 'answer', '')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {}
`)

/** Only whoever has the ticket ends a claim; how long it stays does not change. */
const END = redisScript(`
if redis.call('HGET', KEYS[1], 'ticket') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'answer', ARGV[3])
return 1
`)

function parseWritten(found: unknown): WrittenCall | undefined {
  if (!Array.isArray(found)) throw new StoreUnavailableError('Redis answered what the script cannot say')
  if (found.length === 0) return undefined
  const [fingerprint = '', state, runningUntil, answer = ''] = found.map(String)
  return {
    fingerprint,
    state: state === 'kept' || state === 'unkept' || state === 'claimed' ? state : 'unfinished',
    runningUntil: Number(runningUntil),
    answer: state === 'kept' ? readAnswer(answer) : undefined,
  }
}

const writeAnswer = ({ status, headers, body }: KeptAnswer): string =>
  JSON.stringify({ status, headers, body: Buffer.from(body).toString('base64') })

/** Written by `writeAnswer`, in a store that only resource servers of ours write. */
function readAnswer(text: string): KeptAnswer {
  const { status, headers, body } = JSON.parse(text) as {
    status: number
    headers: Record<string, string>
    body: string
  }
  return { status, headers, body: Buffer.from(body, 'base64') }
}
