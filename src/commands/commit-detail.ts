import { type Refusal, type RefusalCode, refuse } from '../core/refusal.ts'
import { APPROVAL_DETAILS } from '../core/token/approval-detail.ts'
import { TURN_DETAILS } from '../core/token/turn-detail.ts'
import type { Authentication } from '../ports.ts'

/** What the commit answered, in words for the caller. */
const DETAILS: Partial<Record<RefusalCode, string>> = {
  assertion_replayed: 'the client assertion was used before',
  proof_replayed: 'the DPoP proof was used before',
  client_inactive: 'the client is not active',
  assertion_invalid: 'the key of the assertion is not active',
  proof_key_mismatch: 'the key of the proof is not active',
  principal_inactive: 'the principal is not active',
  delegation_inactive: 'the delegation is revoked, expired or not yet valid',
  resource_unknown: 'unknown "resource"',
  action_type_inactive: 'the action type is suspended',
  actor_inactive: 'an agent of the actor chain is not active',
  actor_token_invalid: 'the actor token is expired or revoked, or its agent is not active',
  delegation_full: 'the delegation was given on too often',
  subject_token_invalid: 'the token that was exchanged is expired or revoked',
  ...TURN_DETAILS,
  stopped: 'an administrator has stopped everything',
  approval_unknown: 'the approval was redeemed, or is not approved',
  approvals_full: APPROVAL_DETAILS.approvals_full,
}

/**
 * What the commit answered, as a refusal of whoever asked: of an attested key there is one word, whether the key itself is no
 * longer active or the one behind it, and whether the commit noticed or a look-up before it.
 */
export function commitRefusal(code: RefusalCode, { by }: Pick<Authentication, 'by'>): Refusal {
  return by === 'attestation' && (code === 'proof_key_mismatch' || code === 'assertion_invalid')
    ? refuse('attestation_invalid', 'the attested key is not active')
    : refuse(code, commitDetail(code))
}

export const commitDetail = (code: RefusalCode): string => DETAILS[code] ?? 'refused'

/** Whether an assertion or a proof was sent before: then the sender need not be who made it. */
export const isReplayed = (code: RefusalCode): boolean => code === 'assertion_replayed' || code === 'proof_replayed'
