import { saysLimitReached } from '../../core/delegation/limit-label.ts'
import { saidOfApproval } from '../../core/token/approval-detail.ts'
import { saysTurnRefused } from '../../core/token/turn-detail.ts'

/** Every deliberate "no" that an agent can meet, by what there is to do about it. Branch on this and on nothing else. */
export type WritRefusalKind =
  /** `access_denied`: the delegation does not allow this action. `member` is the first one that does not fit. */
  | 'not_permitted'
  /** `access_denied`: too often, too fast or too much. `limit` says which limit. */
  | 'limit_reached'
  /** `access_denied`: the token of this turn was used, or may have been, or the turn was begun with another key. */
  | 'turn_refused'
  /** `authorization_pending`: somebody is asked first. `approval` is what to wait for. */
  | 'approval_needed'
  /** `access_denied`: somebody who was asked said no. */
  | 'approval_denied'
  /** `expired_token`: nobody answered in time. */
  | 'approval_expired'
  /** `access_denied`: what the approval rests on changed before it gave its token. */
  | 'approval_void'
  /** `invalid_grant`: it gave its token before, or was asked for with another key. */
  | 'approval_unknown'
  /** `access_denied`: too many wait for this principal. */
  | 'approvals_full'
  /** `invalid_authorization_details`: the action is not one of its type. */
  | 'action_invalid'
  /** `invalid_target`: the delegation is not for this resource. */
  | 'wrong_resource'
  /** `invalid_grant` at an exchange. */
  | 'delegation_ended'
  /** `invalid_grant` at an enrolment. */
  | 'code_unusable'
  /** `access_denied` at an attestation: this key can be no instance, or the agent has too many. */
  | 'instance_refused'
  /** `invalid_client`, or the agent token was refused: unknown, suspended, a retired key, a wrong clock. */
  | 'not_authenticated'
  /** `invalid_dpop_proof`: the key, or the clock. */
  | 'proof_refused'
  /** `use_dpop_nonce`, once more after the repeat. */
  | 'nonce_refused'
  /** `slow_down`. */
  | 'slow_down'
  /** `invalid_request` and its kin: a request that the server does not take, whoever asks. */
  | 'request_refused'
  /** A resource server: `invalid_token`. */
  | 'token_refused'
  /** A resource server: a good token, of another action than the call. */
  | 'other_action'
  /** An error that this version does not know. */
  | 'unknown'

/** Who answered: the same error means something else at another door. */
export type Door = 'token' | 'approval' | 'attestation' | 'enrolment' | 'delegations' | 'resource'

/** What an error means at a door. */
export function refusalKind(door: Door, error: string, description: string): WritRefusalKind {
  if ((door === 'token' || door === 'approval') && error === 'access_denied') {
    if (saysLimitReached(description)) return 'limit_reached'
    if (saysTurnRefused(description)) return 'turn_refused'
    const ofApproval = saidOfApproval(description)
    if (ofApproval !== undefined) return ofApproval
  }
  return KINDS[door].get(error) ?? COMMON_KINDS.get(error) ?? 'unknown'
}

/** What to do, one sentence for each kind. */
export const ADVICE: Record<WritRefusalKind, string> = {
  not_permitted: 'Ask for an action within the delegation, or ask the principal for another delegation.',
  limit_reached: 'Do not repeat this at once: wait until the limit has room again, ask for less, or ask who set it.',
  turn_refused: 'Find out whether the action was done. Only if it was not, do it as a new turn.',
  approval_needed: 'Wait until this action is approved.',
  approval_denied: 'Do not ask for this again: somebody who was asked has said no.',
  approval_expired: 'Ask again if it is still wanted: nobody answered in time.',
  approval_void: 'Ask again if it is still wanted: what the approval rests on has changed.',
  approval_unknown:
    'Find out whether the action was done: this approval gave its token before, or was asked for with another key.',
  approvals_full: 'Wait until some of what you asked for is answered.',
  action_invalid: 'Make the action fit the schema of its type: GET /action-types/{type}.',
  wrong_resource: 'Use a delegation for this resource, and the resource exactly as the delegation names it.',
  delegation_ended:
    'Ask the principal for a new delegation: this one was revoked, has expired, or is not for this agent.',
  code_unusable:
    'Ask the administrator for a new enrolment code: this one is unknown, used or expired, or for another key.',
  instance_refused:
    'Make a new key for this instance, and check with the administrator how many instances of this agent are in force.',
  not_authenticated:
    'Check the agent id, and with the administrator that the agent is active and this key is registered.',
  proof_refused: 'Check the clock, and with the administrator that this key is registered and active.',
  nonce_refused: 'Try once more; if it happens again, the nonces of this server do not reach the agent.',
  slow_down: 'Come again after the time that the server names.',
  request_refused: 'Do not repeat this request: the server does not take it. Update the SDK, or mend the call.',
  token_refused: 'Exchange for a new token: this one has expired, was used before, or is not for this resource.',
  other_action: 'Make the call exactly the action that the token was issued for, or exchange for this action.',
  unknown: 'Do not repeat this request unchanged.',
}

/** Refusals of an action; elsewhere what follows a colon is no member. */
export const NAMES_A_MEMBER: ReadonlySet<WritRefusalKind> = new Set<WritRefusalKind>([
  'not_permitted',
  'limit_reached',
  'action_invalid',
  'wrong_resource',
  'other_action',
])

/** Refusals that a wrong clock can cause. */
export const CLOCK_MATTERS: ReadonlySet<WritRefusalKind> = new Set<WritRefusalKind>([
  'not_authenticated',
  'proof_refused',
  'token_refused',
])

const COMMON_KINDS: ReadonlyMap<string, WritRefusalKind> = new Map([
  ['invalid_dpop_proof', 'proof_refused'],
  ['use_dpop_nonce', 'nonce_refused'],
  ['slow_down', 'slow_down'],
  ['invalid_request', 'request_refused'],
  ['use_fresh_attestation', 'not_authenticated'],
])

// Maps and not objects: an error called "constructor" must find nothing.
const KINDS: Record<Door, ReadonlyMap<string, WritRefusalKind>> = {
  token: new Map<string, WritRefusalKind>([
    ['access_denied', 'not_permitted'],
    ['authorization_pending', 'approval_needed'],
    ['invalid_authorization_details', 'action_invalid'],
    ['invalid_target', 'wrong_resource'],
    ['invalid_grant', 'delegation_ended'],
    ['invalid_client', 'not_authenticated'],
    ['unsupported_grant_type', 'request_refused'],
    ['unauthorized_client', 'request_refused'],
    ['invalid_scope', 'request_refused'],
  ]),
  approval: new Map<string, WritRefusalKind>([
    ['access_denied', 'not_permitted'],
    ['authorization_pending', 'approval_needed'],
    ['expired_token', 'approval_expired'],
    ['invalid_grant', 'approval_unknown'],
    ['invalid_target', 'wrong_resource'],
    ['invalid_authorization_details', 'action_invalid'],
    ['invalid_client', 'not_authenticated'],
    ['unsupported_grant_type', 'request_refused'],
    ['unauthorized_client', 'request_refused'],
  ]),
  attestation: new Map<string, WritRefusalKind>([
    ['access_denied', 'instance_refused'],
    ['invalid_client', 'not_authenticated'],
    ['unauthorized_client', 'request_refused'],
  ]),
  enrolment: new Map<string, WritRefusalKind>([['invalid_grant', 'code_unusable']]),
  delegations: new Map<string, WritRefusalKind>([
    ['invalid_token', 'not_authenticated'],
    ['invalid_client', 'not_authenticated'],
    ['unauthorized_client', 'request_refused'],
  ]),
  resource: new Map<string, WritRefusalKind>([
    ['invalid_token', 'token_refused'],
    ['insufficient_authorization_details', 'other_action'],
  ]),
}
