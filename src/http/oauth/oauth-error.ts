import type { Refusal, RefusalCode } from '../../core/refusal.ts'
import { describeRefusal } from '../../wire/error-description.ts'
import type { Door } from '../door.ts'

interface OAuthError {
  readonly status: number
  readonly error: string
}

const INVALID_CLIENT: OAuthError = { status: 401, error: 'invalid_client' }
const INVALID_PROOF: OAuthError = { status: 400, error: 'invalid_dpop_proof' }
const INVALID_GRANT: OAuthError = { status: 400, error: 'invalid_grant' }
const INVALID_TARGET: OAuthError = { status: 400, error: 'invalid_target' }
const INVALID_DETAILS: OAuthError = { status: 400, error: 'invalid_authorization_details' }
const INVALID_REQUEST: OAuthError = { status: 400, error: 'invalid_request' }
const ACCESS_DENIED: OAuthError = { status: 400, error: 'access_denied' }
const INVALID_TOKEN: OAuthError = { status: 401, error: 'invalid_token' }
/** Refusals of the registry and of resource servers: no OAuth endpoint says them, so to say one is a fault. */
const NOT_OURS: OAuthError = { status: 500, error: 'server_error' }

/**
 * Refusals as OAuth errors: RFC 6749 §5.2, RFC 8707 §2, RFC 9396 §5, RFC 9449 §5.
 *
 * DIVERGENCE: RFC 8693 §2.2.2 answers a policy refusal with invalid_request. We answer access_denied, so that an agent can
 * tell "you may not" from "you asked wrongly".
 */
const OAUTH_ERRORS: Record<RefusalCode, OAuthError> = {
  request_malformed: INVALID_REQUEST,
  request_too_large: { status: 413, error: 'invalid_request' },
  request_not_form: { status: 415, error: 'invalid_request' },
  grant_unsupported: { status: 400, error: 'unsupported_grant_type' },
  grant_not_allowed: { status: 400, error: 'unauthorized_client' },
  scope_not_allowed: { status: 400, error: 'invalid_scope' },
  rate_exceeded: { status: 429, error: 'slow_down' },
  client_unknown: INVALID_CLIENT,
  client_inactive: INVALID_CLIENT,
  assertion_missing: INVALID_CLIENT,
  assertion_invalid: INVALID_CLIENT,
  assertion_replayed: INVALID_CLIENT,
  attestation_invalid: INVALID_CLIENT,
  // (draft-ietf-oauth-attestation-based-client-auth-12 §Errors)
  attestation_expired: { status: 400, error: 'use_fresh_attestation' },
  proof_missing: INVALID_PROOF,
  proof_malformed: INVALID_PROOF,
  proof_wrong_target: INVALID_PROOF,
  proof_stale: INVALID_PROOF,
  proof_replayed: INVALID_PROOF,
  proof_key_mismatch: INVALID_PROOF,
  proof_wrong_token: INVALID_PROOF,
  proof_nonce_required: { status: 400, error: 'use_dpop_nonce' },
  token_missing: INVALID_TOKEN,
  token_invalid: INVALID_TOKEN,
  token_expired: INVALID_TOKEN,
  token_replayed: INVALID_TOKEN,
  token_unknown: { status: 404, error: 'invalid_request' },
  receipt_conflict: { status: 409, error: 'invalid_request' },
  subject_token_invalid: INVALID_GRANT,
  delegation_inactive: INVALID_GRANT,
  principal_inactive: INVALID_GRANT,
  actor_inactive: INVALID_GRANT,
  actor_token_invalid: INVALID_GRANT,
  enrolment_invalid: INVALID_GRANT,
  instance_refused: ACCESS_DENIED,
  login_missing: ACCESS_DENIED,
  form_foreign: INVALID_REQUEST,
  sign_in_refused: ACCESS_DENIED,
  resource_unknown: INVALID_TARGET,
  resource_not_delegated: INVALID_TARGET,
  action_type_not_at_resource: INVALID_TARGET,
  locations_mismatch: INVALID_TARGET,
  json_malformed: INVALID_DETAILS,
  action_malformed: INVALID_DETAILS,
  action_type_unknown: INVALID_DETAILS,
  action_type_inactive: ACCESS_DENIED,
  action_member_invalid: INVALID_DETAILS,
  action_not_permitted: ACCESS_DENIED,
  limit_reached: ACCESS_DENIED,
  limit_not_countable: ACCESS_DENIED,
  turn_key_mismatch: ACCESS_DENIED,
  turn_over: ACCESS_DENIED,
  delegation_not_permitted: ACCESS_DENIED,
  delegation_full: ACCESS_DENIED,
  stopped: ACCESS_DENIED,
  // (CIBA Core §11)
  approval_pending: { status: 400, error: 'authorization_pending' },
  approval_polled_too_soon: { status: 400, error: 'slow_down' },
  approval_denied: ACCESS_DENIED,
  approval_expired: { status: 400, error: 'expired_token' },
  approval_void: ACCESS_DENIED,
  approval_unknown: INVALID_GRANT,
  approvals_full: ACCESS_DENIED,
  action_type_invalid: NOT_OURS,
  // Of a delegation that is given on.
  bound_invalid: INVALID_DETAILS,
  limit_invalid: INVALID_REQUEST,
  key_invalid: NOT_OURS,
  action_mismatch: NOT_OURS,
  revocations_unknown: NOT_OURS,
  replay_store_full: NOT_OURS,
  token_inactive: NOT_OURS,
  call_running: NOT_OURS,
  call_unfinished: NOT_OURS,
  call_finished: NOT_OURS,
  not_found: NOT_OURS,
  already_exists: NOT_OURS,
  version_missing: NOT_OURS,
  version_stale: NOT_OURS,
  status_conflict: NOT_OURS,
  member_invalid: NOT_OURS,
  keys_exhausted: NOT_OURS,
  administrator_not_allowed: NOT_OURS,
  media_type_unsupported: NOT_OURS,
  idempotency_key_reused: NOT_OURS,
  idempotency_key_in_progress: NOT_OURS,
}

/** How long a client that was told to slow down, or that the database is away, should wait. Unit: seconds. */
const RETRY_AFTER_SECONDS = 1

/** Answers with a refusal (RFC 6749 §5.2). */
export function answerOAuthError(
  context: Door,
  refusal: Refusal,
  members: Readonly<Record<string, string | number>> = {},
): void {
  const { status, body } = oauthError(refusal, members)
  context.state.refusal = refusal.code
  writeOAuthError(context, status, body)
}

/** Status and body of a refusal, for an answer that holds several. */
export function oauthError(refusal: Refusal, members: Readonly<Record<string, string | number>> = {}) {
  const { status, error } = OAUTH_ERRORS[refusal.code]
  return { status, body: { error, error_description: describeRefusal(refusal), ...members } }
}

/** Answers that a store or the signer is away: nothing was issued. */
export function answerUnavailable(context: Door): void {
  const error_description = 'temporarily unavailable, nothing was issued'
  writeOAuthError(context, 503, { error: 'temporarily_unavailable', error_description })
}

function writeOAuthError(context: Door, status: number, body: object): void {
  context.status = status
  context.set('Cache-Control', 'no-store')
  if (status === 429 || status === 503) context.set('Retry-After', String(RETRY_AFTER_SECONDS))
  context.body = body
}
