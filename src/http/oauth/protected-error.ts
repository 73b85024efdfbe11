import type { Context } from 'koa'
import type { Refusal, RefusalCode } from '../../core/refusal.ts'
import { describeRefusal } from '../../wire/error-description.ts'
import { type DpopError, dpopChallenge } from '../../wire/www-authenticate.ts'
import { answerOAuthError } from './oauth-error.ts'

/** Refusals of a token and of the proof beside it: 401 with a challenge (RFC 9449 §7.1). */
const CHALLENGES: Partial<Record<RefusalCode, DpopError>> = {
  token_missing: 'invalid_token',
  token_invalid: 'invalid_token',
  token_expired: 'invalid_token',
  token_replayed: 'invalid_token',
  proof_missing: 'invalid_dpop_proof',
  proof_malformed: 'invalid_dpop_proof',
  proof_wrong_target: 'invalid_dpop_proof',
  proof_stale: 'invalid_dpop_proof',
  proof_replayed: 'invalid_dpop_proof',
  proof_key_mismatch: 'invalid_dpop_proof',
  proof_wrong_token: 'invalid_dpop_proof',
  proof_nonce_required: 'use_dpop_nonce',
}

/** Answers with a refusal at an endpoint of this server that takes its own tokens. */
export function answerProtectedError(context: Context, refusal: Refusal): void {
  const error = CHALLENGES[refusal.code]
  if (error === undefined) {
    answerOAuthError(context, refusal)
    return
  }
  const description = describeRefusal(refusal)
  // A request without credentials is told no more than how to come by some (RFC 6750 §3.1).
  const challenge = refusal.code === 'token_missing' ? {} : { error, errorDescription: description }
  context.status = 401
  context.set('WWW-Authenticate', dpopChallenge(challenge))
  context.set('Cache-Control', 'no-store')
  context.body = { error, error_description: description }
}
