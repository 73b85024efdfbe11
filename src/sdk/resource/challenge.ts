import type { EnforcementRefusalCode, ProofRefusalCode, Refusal, TokenRefusalCode } from '../../core/refusal.ts'
import { describeRefusal } from '../../wire/error-description.ts'
import { type DpopError, dpopChallenge } from '../../wire/www-authenticate.ts'

/** Every "no" of a resource server. */
export type ResourceRefusalCode = TokenRefusalCode | ProofRefusalCode | EnforcementRefusalCode
export type ResourceRefusal = Refusal<ResourceRefusalCode>

/** The answer to a refused request, for any framework. */
export interface Challenge {
  readonly status: 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: { readonly error: string; readonly error_description: string }
}

interface Answer {
  readonly status: Challenge['status']
  /** Undefined where there is nothing to authenticate again for. */
  readonly error?: DpopError
}

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
}

/** Unit: seconds. A full store has room again when its oldest marks expire. */
const RETRY_AFTER_SECONDS = 5

/** Renders a refusal. `resourceMetadata` is the URL of the RFC 9728 document, where there is one. */
export function toChallenge(refusal: ResourceRefusal, resourceMetadata: string | undefined): Challenge {
  const { status, error } = ANSWERS[refusal.code]
  const description = describeRefusal(refusal)
  const cache = { 'cache-control': 'no-store' }
  if (status === 503) {
    const headers = { ...cache, 'retry-after': String(RETRY_AFTER_SECONDS) }
    return { status, headers, body: { error: 'temporarily_unavailable', error_description: description } }
  }
  const challenge = dpopChallenge({
    ...(error !== undefined && { error, errorDescription: description }),
    ...(resourceMetadata !== undefined && { resourceMetadata }),
  })
  const headers = { ...cache, 'www-authenticate': challenge }
  return { status, headers, body: { error: error ?? 'invalid_token', error_description: description } }
}
