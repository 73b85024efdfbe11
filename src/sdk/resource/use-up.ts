import { type Refusal, refuse } from '../../core/refusal.ts'
import type { ReplayMark, ReplayStore } from './replay-store.ts'

/** What a call uses up. */
export interface Use {
  /** Undefined where something better than the replay store decides of the token. */
  readonly token: ReplayMark | undefined
  readonly proof: ReplayMark
  /** Whether a token that was used before is no refusal yet: a kept answer may be for who proves its key again. */
  readonly mayBeRetry: boolean
}

/** Uses up proof and token, both or none. `again`: the token was used before, by a fresh proof; the proof is used up now. */
export async function useUp(
  replay: ReplayStore,
  { token, proof, mayBeRetry }: Use,
  now: Date,
): Promise<'first' | 'again' | Refusal<'replay_store_full' | 'proof_replayed' | 'token_replayed'>> {
  const result = await replay.mark(token === undefined ? [proof] : [token, proof], now)
  // Anything but a plain yes is a no: a store of somebody else's may answer what we do not know.
  if (result === 'marked') return 'first'
  if (result === 'full') return refuse('replay_store_full', 'too many requests at the moment')
  if (result.seen === proof.key) return refuse('proof_replayed', 'the DPoP proof was used before')
  if (token === undefined || !mayBeRetry) return refuse('token_replayed', 'the access token was used before')
  const alone = await useUp(replay, { token: undefined, proof, mayBeRetry }, now)
  return alone === 'first' ? 'again' : alone
}
