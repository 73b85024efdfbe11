import type { Context } from 'koa'
import type { z } from 'zod'
import { type Refusal, type RefusalCode, refuse } from '../../core/refusal.ts'
import { memberName } from '../../wire/error-description.ts'
import { type DpopError, dpopChallenge } from '../../wire/www-authenticate.ts'
import { answerProblem, type MemberProblem } from '../problem.ts'

/** How an answer that says no looks: its status, and the challenge that goes with a 401 or 403 (RFC 9449 §7.1). */
interface AdminProblem {
  readonly status: number
  readonly challenge?: DpopError | 'none'
}

const SYNTAX: AdminProblem = { status: 400 }
const INVALID: AdminProblem = { status: 422 }
const CONFLICT: AdminProblem = { status: 409 }
const BAD_TOKEN: AdminProblem = { status: 401, challenge: 'invalid_token' }
const BAD_PROOF: AdminProblem = { status: 401, challenge: 'invalid_dpop_proof' }

/** Refusals as problems of the admin API (RFC 9457). */
const PROBLEMS: Record<RefusalCode, AdminProblem> = {
  request_malformed: SYNTAX,
  request_too_large: { status: 413 },
  request_not_form: { status: 415 },
  grant_unsupported: SYNTAX,
  grant_not_allowed: { status: 403 },
  scope_not_allowed: { status: 403, challenge: 'insufficient_scope' },
  rate_exceeded: { status: 429 },
  client_unknown: BAD_TOKEN,
  client_inactive: BAD_TOKEN,
  assertion_missing: BAD_TOKEN,
  assertion_invalid: BAD_TOKEN,
  assertion_replayed: BAD_TOKEN,
  attestation_invalid: BAD_TOKEN,
  attestation_expired: BAD_TOKEN,
  proof_missing: BAD_PROOF,
  proof_malformed: BAD_PROOF,
  proof_wrong_target: BAD_PROOF,
  proof_stale: BAD_PROOF,
  proof_replayed: BAD_PROOF,
  proof_key_mismatch: BAD_PROOF,
  proof_wrong_token: BAD_PROOF,
  proof_nonce_required: { status: 401, challenge: 'use_dpop_nonce' },
  // A request without credentials is told no more than how to come by some (RFC 6750 §3.1).
  token_missing: { status: 401, challenge: 'none' },
  token_invalid: BAD_TOKEN,
  token_expired: BAD_TOKEN,
  token_replayed: BAD_TOKEN,
  token_unknown: { status: 404 },
  receipt_conflict: CONFLICT,
  subject_token_invalid: INVALID,
  delegation_inactive: INVALID,
  principal_inactive: INVALID,
  actor_inactive: INVALID,
  actor_token_invalid: INVALID,
  enrolment_invalid: INVALID,
  instance_refused: INVALID,
  login_missing: { status: 403 },
  form_foreign: { status: 403 },
  sign_in_refused: { status: 403 },
  resource_unknown: INVALID,
  resource_not_delegated: INVALID,
  action_type_not_at_resource: INVALID,
  locations_mismatch: INVALID,
  json_malformed: SYNTAX,
  action_malformed: INVALID,
  action_type_unknown: INVALID,
  action_type_inactive: INVALID,
  action_member_invalid: INVALID,
  action_type_invalid: INVALID,
  bound_invalid: INVALID,
  limit_invalid: INVALID,
  key_invalid: INVALID,
  not_found: { status: 404 },
  already_exists: CONFLICT,
  version_missing: { status: 428 },
  version_stale: { status: 412 },
  status_conflict: CONFLICT,
  member_invalid: INVALID,
  keys_exhausted: CONFLICT,
  administrator_not_allowed: { status: 403 },
  media_type_unsupported: { status: 415 },
  idempotency_key_reused: INVALID,
  idempotency_key_in_progress: CONFLICT,
  action_not_permitted: { status: 403 },
  limit_reached: { status: 403 },
  limit_not_countable: { status: 403 },
  turn_key_mismatch: { status: 403 },
  turn_over: { status: 403 },
  delegation_not_permitted: { status: 403 },
  delegation_full: { status: 403 },
  stopped: { status: 403 },
  approval_pending: CONFLICT,
  approval_polled_too_soon: CONFLICT,
  approval_denied: CONFLICT,
  approval_expired: CONFLICT,
  approval_void: CONFLICT,
  approval_unknown: { status: 404 },
  approvals_full: { status: 403 },
  action_mismatch: INVALID,
  revocations_unknown: { status: 503 },
  replay_store_full: { status: 503 },
  token_inactive: { status: 401 },
  call_running: CONFLICT,
  call_unfinished: CONFLICT,
  call_finished: CONFLICT,
}

/** A body with members that are not as they must be: all of them at once, not one by one. */
export type InvalidMembers = Refusal<'member_invalid'> & { readonly errors: readonly MemberProblem[] }

/** What zod found in a body, in our words; values that were sent are never repeated. */
export function invalidMembers(error: z.ZodError): InvalidMembers {
  const errors = error.issues.slice(0, MAX_ERRORS).flatMap((issue): MemberProblem[] => {
    const at = pathText(issue.path)
    if (issue.code !== 'unrecognized_keys') return [{ member: at || '(body)', detail: issue.message }]
    return issue.keys.slice(0, MAX_ERRORS).map((key) => ({
      member: memberName(at === '' ? key : `${at}.${key}`),
      detail: 'unknown member, or one that is not supported yet',
    }))
  })
  const [first] = errors
  return { ...refuse('member_invalid', first?.detail ?? 'invalid', first?.member), errors }
}

const MAX_ERRORS = 20

/** Answers with a refusal, as the admin API does. */
export function answerRefusal(context: Context, refusal: Refusal): void {
  context.state.refusal = refusal.code
  const { status, challenge } = PROBLEMS[refusal.code]
  if (challenge !== undefined) context.set('WWW-Authenticate', challengeText(challenge, refusal.detail))
  if (status === 429 || status === 503) context.set('Retry-After', '1')
  const { detail, member } = refusal
  const shown = member === undefined ? undefined : memberName(member)
  const errors = isInvalidMembers(refusal) ? refusal.errors : shown === undefined ? [] : [{ member: shown, detail }]
  answerProblem(context, status, shown === undefined ? detail : `${shown}: ${detail}`, errors)
}

function challengeText(challenge: NonNullable<AdminProblem['challenge']>, detail: string): string {
  return challenge === 'none' ? dpopChallenge() : dpopChallenge({ error: challenge, errorDescription: detail })
}

const isInvalidMembers = (refusal: Refusal): refusal is InvalidMembers => 'errors' in refusal

const pathText = (path: readonly PropertyKey[]) =>
  path
    .map((part, n) => (typeof part === 'number' ? `[${part}]` : `${n === 0 ? '' : '.'}${memberName(String(part))}`))
    .join('')
