import { randomBytes } from 'node:crypto'
import { answerBytes, type KeptAnswer, MAX_ANSWER_BYTES } from './kept-answer.ts'
import type { Call, CallState, Effect, OnceOutcome } from './result-store.ts'

/** How a claim ends: with an answer to keep, without one, or nobody knows how far the call came. */
export type CallEnd =
  | { readonly kind: 'kept'; readonly answer: KeptAnswer }
  | { readonly kind: 'unkept' | 'unfinished' }

/** Claims of calls, each in a step of its own that is committed before the next. */
export interface CallClaims {
  /** Claims a call that nobody claimed. `runningUntil` is until when its process is believed to be at it. Unit: seconds since the epoch. */
  readonly claim: (
    call: Call,
    by: { readonly ticket: string; readonly runningUntil: number },
    now: Date,
  ) => Promise<{ readonly kind: 'claimed' } | { readonly kind: 'full' } | CallState>
  /** Ends the claim that has this ticket; one that is gone already stays gone. */
  readonly end: (call: Call, ticket: string, end: CallEnd) => Promise<void>
}

/** How long calls run, and how large their answers are. */
export interface CallOptions {
  /** After this, a call that has not ended is believed to have died: its retry hears that it may have run. Default: 60. */
  readonly runSeconds?: number
  /** Answers that are larger, headers included, are not kept. Default: 64 KiB. */
  readonly maxAnswerBytes?: number
}

/** @throws RangeError for options that make no sense. */
export function checkCallOptions({
  runSeconds = 60,
  maxAnswerBytes = MAX_ANSWER_BYTES,
}: CallOptions): Required<CallOptions> {
  if (!(runSeconds > 0 && runSeconds <= 86_400)) throw new RangeError('runSeconds must be more than 0, at most 86,400')
  if (!Number.isSafeInteger(maxAnswerBytes) || maxAnswerBytes < 0) {
    throw new RangeError('maxAnswerBytes must be an integer, at least 0')
  }
  return { runSeconds, maxAnswerBytes }
}

/** Claims a call, runs it, and writes down how it ended, in three steps: a crash between them leaves it unfinished. */
export async function claimAndRun(
  claims: CallClaims,
  { runSeconds, maxAnswerBytes }: Required<CallOptions>,
  { call, now, effect }: { readonly call: Call; readonly now: Date; readonly effect: Effect },
): Promise<OnceOutcome> {
  const ticket = randomBytes(16).toString('base64url')
  const runningUntil = Math.ceil(now.getTime() / 1000 + runSeconds)
  const claimed = await claims.claim(call, { ticket, runningUntil }, now)
  if (claimed.kind !== 'claimed') return claimed
  let answer: KeptAnswer | undefined
  try {
    answer = await effect()
  } catch (error) {
    await claims.end(call, ticket, { kind: 'unfinished' }).catch((cause: unknown) => {
      throw new AggregateError([error, cause], 'the call failed, and that could not be written down')
    })
    throw error
  }
  await claims.end(call, ticket, endOf(answer, maxAnswerBytes))
  return { kind: 'ran' }
}

/** How a call that came to its end is written down. */
export function endOf(answer: KeptAnswer | undefined, maxAnswerBytes: number): CallEnd {
  return answer === undefined || answerBytes(answer) > maxAnswerBytes ? { kind: 'unkept' } : { kind: 'kept', answer }
}

/** What a store wrote down of a call. */
export interface WrittenCall {
  readonly fingerprint: string
  readonly state: 'claimed' | CallEnd['kind']
  /** Unit: seconds since the epoch. */
  readonly runningUntil: number
  /** There, when the state is `kept`. */
  readonly answer: KeptAnswer | undefined
}

/** What that means now, to whoever has this call. Anything that was not understood began and did not end. */
export function stateOf(written: WrittenCall, call: Call, now: Date): CallState {
  if (written.fingerprint !== call.fingerprint) return { kind: 'foreign' }
  if (written.state === 'kept' && written.answer !== undefined) return { kind: 'kept', answer: written.answer }
  if (written.state === 'unkept') return { kind: 'unkept' }
  if (written.state === 'claimed' && now.getTime() / 1000 < written.runningUntil) return { kind: 'running' }
  return { kind: 'unfinished' }
}
