const REFUSAL: unique symbol = Symbol('refusal')

/**
 * Every deliberate "no". A refusal is a value that is returned; a fault (something broke) is thrown.
 *
 * The code is what programs branch on; each front door owns a total table from code to its own words, so a new code does
 * not compile until every door answers it. `detail` is one line that may be shown to the caller: lower case, no full
 * stop, never a token, key, secret, policy text or another principal's data.
 */
export interface Refusal<Code extends RefusalCode = RefusalCode> {
  /** A symbol, so that no JSON a caller sends can pass for a refusal of ours. */
  readonly [REFUSAL]: true
  readonly code: Code
  readonly detail: string
  /** Path of the member that did not fit, for example `to[0]` or `instructedAmount.amount`. */
  readonly member?: string
}

/** The request as a whole (RFC 6749 §5.2). */
export type RequestRefusalCode =
  | 'request_malformed'
  | 'request_too_large'
  | 'request_not_form'
  | 'grant_unsupported'
  | 'grant_not_allowed'
  | 'scope_not_allowed'
  | 'rate_exceeded'

/** Who is asking: the client, and its assertion (RFC 7523) or its attestation. */
export type ClientRefusalCode =
  | 'client_unknown'
  | 'client_inactive'
  | 'assertion_missing'
  | 'assertion_invalid'
  | 'assertion_replayed'
  | 'attestation_invalid'
  | 'attestation_expired'

/** Possession of a key: the DPoP proof (RFC 9449 §4.3). */
export type ProofRefusalCode =
  | 'proof_missing'
  | 'proof_malformed'
  | 'proof_wrong_target'
  | 'proof_stale'
  | 'proof_replayed'
  | 'proof_key_mismatch'
  | 'proof_wrong_token'
  | 'proof_nonce_required'

/** A JWT access token (RFC 9068), whatever its use. */
export type TokenRefusalCode = 'token_missing' | 'token_invalid' | 'token_expired' | 'token_replayed'

/** What came of a token, as its resource server says it. */
export type ReceiptRefusalCode = 'token_unknown' | 'receipt_conflict'

/** For whom, and how far: the subject token and the delegation behind it. */
export type DelegationRefusalCode =
  | 'subject_token_invalid'
  | 'delegation_inactive'
  | 'principal_inactive'
  | 'actor_inactive'
  | 'actor_token_invalid'

/** A one-time code by which an agent binds a key. */
export type EnrolmentRefusalCode = 'enrolment_invalid'

/** A key under an agent that one of its registered keys vouches for. */
export type InstanceRefusalCode = 'instance_refused'

/** A principal in a browser: who is signed in, and whether the form is one of this server's own pages. */
export type PeopleRefusalCode = 'login_missing' | 'form_foreign' | 'sign_in_refused'

/** Where (RFC 8707). */
export type TargetRefusalCode =
  | 'resource_unknown'
  | 'resource_not_delegated'
  | 'action_type_not_at_resource'
  | 'locations_mismatch'

/** What exactly (RFC 9396). */
export type ActionRefusalCode =
  | 'json_malformed'
  | 'action_malformed'
  | 'action_type_unknown'
  | 'action_type_inactive'
  | 'action_member_invalid'

/** What an administrator writes: an action type, or the bounds of a delegation. */
export type DefinitionRefusalCode = 'action_type_invalid' | 'bound_invalid' | 'limit_invalid' | 'key_invalid'

/** What an administrator asks of the registry: the things themselves, and how the request treats them. */
export type RegistryRefusalCode =
  | 'not_found'
  | 'already_exists'
  | 'version_missing'
  | 'version_stale'
  | 'status_conflict'
  | 'member_invalid'
  | 'keys_exhausted'
  | 'administrator_not_allowed'
  | 'media_type_unsupported'
  | 'idempotency_key_reused'
  | 'idempotency_key_in_progress'

/** May it, now. */
export type DecisionRefusalCode =
  | 'action_not_permitted'
  | 'limit_reached'
  | 'limit_not_countable'
  | 'turn_key_mismatch'
  | 'turn_over'
  | 'delegation_not_permitted'
  | 'delegation_full'
  | 'stopped'

/** A yes that an action waits for. `approval_pending` and `approval_polled_too_soon` say that nothing is decided yet. */
export type ApprovalRefusalCode =
  | 'approval_pending'
  | 'approval_polled_too_soon'
  | 'approval_denied'
  | 'approval_expired'
  | 'approval_void'
  | 'approval_unknown'
  | 'approvals_full'

/** A resource server comparing the call in front of it with the token (resource SDK, gateway). */
export type EnforcementRefusalCode =
  | 'action_mismatch'
  | 'replay_store_full'
  | 'revocations_unknown'
  | 'token_inactive'
  | 'call_running'
  | 'call_unfinished'
  | 'call_finished'

export type RefusalCode =
  | RequestRefusalCode
  | ClientRefusalCode
  | ProofRefusalCode
  | TokenRefusalCode
  | ReceiptRefusalCode
  | DelegationRefusalCode
  | EnrolmentRefusalCode
  | InstanceRefusalCode
  | PeopleRefusalCode
  | TargetRefusalCode
  | ActionRefusalCode
  | DefinitionRefusalCode
  | RegistryRefusalCode
  | DecisionRefusalCode
  | ApprovalRefusalCode
  | EnforcementRefusalCode

export function refuse<Code extends RefusalCode>(code: Code, detail: string, member?: string): Refusal<Code> {
  return member === undefined ? { [REFUSAL]: true, code, detail } : { [REFUSAL]: true, code, detail, member }
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && REFUSAL in value
}
