import {
  type CallClaims,
  type CallOptions,
  checkCallOptions,
  claimAndRun,
  stateOf,
  type WrittenCall,
} from './call-claims.ts'
import { answerBytes } from './kept-answer.ts'
import { untilOf } from './replay-store.ts'
import type { Call, ResultStore } from './result-store.ts'

const KiB = 1024

export interface MemoryResultStoreOptions extends Pick<CallOptions, 'maxAnswerBytes'> {
  /** Calls that are remembered at once; more are refused. Default: 100,000. */
  readonly maxCalls?: number
  /** Of all answers together. What does not fit is not kept, and the call is remembered without it. Default: 64 MiB. */
  readonly maxBytes?: number
}

interface Entry extends WrittenCall {
  readonly until: number
  readonly ticket: string
}

/**
 * Makes a result store in memory, for a resource served by one process.
 *
 * It forgets with its process; that a token was used is for the replay store to remember. With one that is shared, a retry at
 * another process hears that its call may have run.
 */
export function createMemoryResultStore(options: MemoryResultStoreOptions = {}): ResultStore {
  const { maxCalls = 100_000, maxBytes = 64 * KiB * KiB } = options
  const checked = checkCallOptions(options)
  if (!Number.isSafeInteger(maxCalls) || maxCalls < 1) throw new RangeError('maxCalls must be an integer over 0')
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) throw new RangeError('maxBytes must be an integer, at least 0')
  const entries = new Map<string, Entry>()
  /** Keys by the second after which they may go. */
  const ending = new Map<number, string[]>()
  let bytes = 0
  let prunedAt = 0

  function prune(now: Date): void {
    const second = Math.floor(now.getTime() / 1000)
    if (second <= prunedAt) return
    prunedAt = second
    for (const [until, keys] of ending) {
      if (until >= second) continue
      for (const key of keys) {
        const { answer } = entries.get(key) ?? {}
        if (answer !== undefined) bytes -= answerBytes(answer)
        entries.delete(key)
      }
      ending.delete(until)
    }
  }

  const claims: CallClaims = {
    async claim(call, { ticket }, now) {
      prune(now)
      const there = entries.get(call.key)
      if (there !== undefined) return stateOf(there, call, now)
      if (entries.size >= maxCalls) return { kind: 'full' }
      const until = Math.max(untilOf(call.until), prunedAt)
      // It ends when it ends: whoever runs it is this very process.
      const running = { state: 'claimed', runningUntil: Number.POSITIVE_INFINITY, answer: undefined } as const
      entries.set(call.key, { ...running, fingerprint: call.fingerprint, ticket, until })
      const keys = ending.get(until)
      if (keys === undefined) ending.set(until, [call.key])
      else keys.push(call.key)
      return { kind: 'claimed' }
    },
    async end({ key }, ticket, end) {
      const there = entries.get(key)
      if (there?.ticket !== ticket) return
      const answer = end.kind === 'kept' && bytes + answerBytes(end.answer) <= maxBytes ? end.answer : undefined
      if (answer !== undefined) bytes += answerBytes(answer)
      entries.set(key, { ...there, state: end.kind === 'kept' && answer === undefined ? 'unkept' : end.kind, answer })
    },
  }
  return {
    isDurable: false,
    once: (call, now, effect) => claimAndRun(claims, checked, { call, now, effect }),
    async find(call: Call, now: Date) {
      prune(now)
      const there = entries.get(call.key)
      return there === undefined ? undefined : stateOf(there, call, now)
    },
  }
}
