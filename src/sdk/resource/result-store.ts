import type { KeptAnswer } from './kept-answer.ts'

/** One call, by its token: what the retry of it has in common with the first try, and no other call has. */
export interface Call {
  /** Of issuer and `jti`. Fixed length; says nothing of the token. */
  readonly key: string
  /** Of the agent, its key, the principal and the action. Who has the same `key` and another fingerprint gets nothing. */
  readonly fingerprint: string
  /** Until when the token could be accepted, and the call must be remembered. Unit: seconds since the epoch. */
  readonly until: number
}

/** What is known of a call that began before. */
export type CallState =
  /** It ran to its end, and this was the answer. */
  | { readonly kind: 'kept'; readonly answer: KeptAnswer }
  /** It ran to its end; the answer was too large to keep, or none that can be kept. */
  | { readonly kind: 'unkept' }
  /** It is running at this moment. */
  | { readonly kind: 'running' }
  /** It began, and nobody knows how far it came: it failed half way, or its process died. */
  | { readonly kind: 'unfinished' }
  /** Another call has this key. */
  | { readonly kind: 'foreign' }

/** What became of a call: it ran now, it had begun before, or there was no room to remember it and it did not run. */
export type OnceOutcome = { readonly kind: 'ran' } | { readonly kind: 'full' } | CallState

/** What a call does. It says its answer, or undefined where that cannot be kept. What it throws reaches the caller. */
export type Effect<Arguments extends readonly unknown[] = []> = (...args: Arguments) => Promise<KeptAnswer | undefined>

/**
 * Remembers calls and their answers, for all processes that serve one resource.
 *
 * INVARIANT: `effect` runs at most once for a key. The claim is there before it begins, and nothing but time takes it away: not
 * a failure, not a crash (test/sdk/resource/result-store-contract.ts). A store that cannot be reached throws, before the effect.
 */
export interface ResultStore {
  /** Whether a claim that was made is found for sure, whatever died meanwhile. Only then does "no claim" mean "never began". */
  readonly isDurable: boolean
  /** Claims the call, runs it, keeps its answer. When the answer cannot be kept because the store is away, throws. */
  readonly once: (call: Call, now: Date, effect: Effect) => Promise<OnceOutcome>
  /** What is known of a call, without claiming it. */
  readonly find: (call: Call, now: Date) => Promise<CallState | undefined>
}

/** A store whose claim, answer and effect can be one transaction. */
export interface TransactionalResultStore<Transaction> extends ResultStore {
  /**
   * Runs a call whose whole effect goes through the transaction: it, the claim and the answer are committed together, or
   * nothing is. What fails or dies before leaves no trace, and the retry runs.
   */
  readonly transact: (call: Call, now: Date, effect: Effect<[Transaction]>) => Promise<OnceOutcome>
}
