import type { EnforcementRefusalCode, ProofRefusalCode, Refusal, TokenRefusalCode } from '../../core/refusal.ts'
import { describeRefusal } from '../../wire/error-description.ts'
import { type DpopError, dpopChallenge } from '../../wire/www-authenticate.ts'

/** Every "no" of a resource server. */
export type ResourceRefusalCode = TokenRefusalCode | ProofRefusalCode | EnforcementRefusalCode
export type ResourceRefusal = Refusal<ResourceRefusalCode>

/** The answer to a refused request, for any framework. */
export interface Challenge {
  readonly status: 401 | 403 | 409 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly error: string; readonly error_description: string }
}

/** Undefined `error`: there is nothing to authenticate again for. */
type Answer =
  | { readonly status: 401 | 403; readonly error?: DpopError }
  /** The credentials are right, and the call began before: no challenge, for another token is not the way out. */
  | { readonly status: 409; readonly error: string; readonly retryAfterSeconds?: number }
  | { readonly status: 503; readonly error?: undefined }

const INVALID_TOKEN: Answer = { status: 401, error: 'invalid_token' }
const INVALID_PROOF: Answer = { status: 401, error: 'invalid_dpop_proof' }

/** Refusals as a protected resource answers them: RFC 6750 §3.1, RFC 9449 §7.1; total, so a new code needs an answer. */
const ANSWERS: Record<ResourceRefusalCode, Answer> = {
  // Without credentials there is no error yet, only the way to get them (RFC 6750 §3.1).
  token_missing: { status: 401 },
  token_invalid: INVALID_TOKEN,
  token_expired: INVALID_TOKEN,
  token_replayed: INVALID_TOKEN,
  proof_missing: INVALID_PROOF,
  proof_malformed: INVALID_PROOF,
  proof_wrong_target: INVALID_PROOF,
  proof_stale: INVALID_PROOF,
  proof_replayed: INVALID_PROOF,
  proof_key_mismatch: INVALID_PROOF,
  proof_wrong_token: INVALID_PROOF,
  proof_nonce_required: { status: 401, error: 'use_dpop_nonce' },
  action_mismatch: { status: 403, error: 'insufficient_authorization_details' },
  replay_store_full: { status: 503 },
  revocations_unknown: { status: 503 },
  token_inactive: INVALID_TOKEN,
  call_running: { status: 409, error: 'call_in_progress', retryAfterSeconds: 1 },
  call_unfinished: { status: 409, error: 'call_may_have_run' },
  call_finished: { status: 409, error: 'call_has_run' },
}

/** Unit: seconds. A full store has room again when its oldest marks expire. */
const RETRY_AFTER_SECONDS = 5

/** Renders a refusal. `resourceMetadata` is the URL of the RFC 9728 document, where there is one. */
export function toChallenge(refusal: ResourceRefusal, resourceMetadata: string | undefined): Challenge {
  const answer = ANSWERS[refusal.code]
  const { status, error } = answer
  const description = describeRefusal(refusal)
  const cache = { 'cache-control': 'no-store' }
  if (status === 503) {
    const headers = { ...cache, 'retry-after': String(RETRY_AFTER_SECONDS) }
    return { status, headers, body: { error: 'temporarily_unavailable', error_description: description } }
  }
  if (answer.status === 409) {
    const { retryAfterSeconds } = answer
    const headers = { ...cache, ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }) }
    return { status: 409, headers, body: { error: answer.error, error_description: description } }
  }
  const challenge = dpopChallenge({
    ...(answer.error !== undefined && { error: answer.error, errorDescription: description }),
    ...(resourceMetadata !== undefined && { resourceMetadata }),
  })
  const headers = { ...cache, 'www-authenticate': challenge }
  return { status, headers, body: { error: error ?? 'invalid_token', error_description: description } }
}
