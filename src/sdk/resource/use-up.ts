import { type Refusal, refuse } from '../../core/refusal.ts'
import type { MarkResult, ReplayMark, ReplayStore } from './replay-store.ts'

/** What a call uses up. */
export interface Use {
  /** Undefined where something better than the replay store decides of the token. */
  readonly token: ReplayMark | undefined
  readonly proof: ReplayMark
  /** Whether a token that was used before is no refusal yet: a kept answer may be for who proves its key again. */
  readonly mayBeRetry: boolean
}

export type UseOutcome = 'first' | 'again' | Refusal<'replay_store_full' | 'proof_replayed' | 'token_replayed'>

/**
 * Uses up proof and token, both or none. `again`: the token was used before, by a fresh proof; the proof is used up now.
 *
 * At once, when the store answers at once: nobody else comes in between, and nobody waits.
 */
export function useUp(replay: ReplayStore, use: Use, now: Date): UseOutcome | Promise<UseOutcome> {
  const { token, proof, mayBeRetry } = use
  const told = (result: MarkResult): UseOutcome | Promise<UseOutcome> => {
    // Anything but a plain yes is a no: a store of somebody else's may answer what we do not know.
    if (result === 'marked') return 'first'
    if (result === 'full') return refuse('replay_store_full', 'too many requests at the moment')
    if (result.seen === proof.key) return proofReplayed()
    if (token === undefined || !mayBeRetry) return tokenReplayed()
    const alone = useUp(replay, { token: undefined, proof, mayBeRetry }, now)
    return alone instanceof Promise ? alone.then(asAgain) : asAgain(alone)
  }
  const result = replay.mark(token === undefined ? [proof] : [token, proof], now)
  return isAnswer(result) ? told(result) : Promise.resolve(result).then(told)
}

const asAgain = (alone: UseOutcome): UseOutcome => (alone === 'first' ? 'again' : alone)

/** Whether it is an answer and not the promise of one: somebody else's promise need not be ours. */
const isAnswer = (result: MarkResult | Promise<MarkResult>): result is MarkResult =>
  typeof result === 'string' || 'seen' in result

export const tokenReplayed = () => refuse('token_replayed', 'the access token was used before')
export const proofReplayed = () => refuse('proof_replayed', 'the DPoP proof was used before')
