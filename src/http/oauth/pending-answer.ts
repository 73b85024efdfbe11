import type { Pending } from '../../commands/issue-action-token.ts'
import { refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import { answerOAuthError, oauthError } from './oauth-error.ts'

const PENDING = refuse('approval_pending', 'the action waits for an approval; poll with the "auth_req_id"')

/** Status and body of an exchange that waits for a yes: how to ask again, and where it is answered (wire contract, section 5). */
export const pendingAnswer = (pending: Pending, issuer: string) => oauthError(PENDING, membersOf(pending, issuer))

/** Answers that the action waits for a yes. */
export const answerPending = (context: Door, pending: Pending, issuer: string): void =>
  answerOAuthError(context, PENDING, membersOf(pending, issuer))

const membersOf = (
  { approvalId, authReqId, expiresInSeconds, intervalSeconds }: Pending,
  issuer: string,
): Readonly<Record<string, string | number>> => ({
  auth_req_id: authReqId,
  expires_in: expiresInSeconds,
  interval: intervalSeconds,
  approval_uri: `${issuer}/me/approvals/${approvalId}`,
})
