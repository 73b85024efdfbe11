import { type RedeemPorts, redeemApproval } from '../../commands/approvals/redeem-approval.ts'
import { refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import { clientEvidence } from './client-evidence.ts'
import { answerRefused } from './exchange-parameters.ts'
import { answerOAuthError } from './oauth-error.ts'
import { answerPending } from './pending-answer.ts'
import type { FailureThrottle } from './throttle.ts'
import { answerIssued } from './token-exchange.ts'

/** The grant of a poll (CIBA Core §10.1). */
export const CIBA = 'urn:openid:params:grant-type:ciba'

const MAX_AUTH_REQ_ID_CHARACTERS = 64
const TOO_SOON = refuse('approval_polled_too_soon', 'polled before the interval was over')

/** Whether a poll is of an approval of ours: what oidc-provider hands out never begins so. */
export const isApprovalPoll = (form: ReadonlyMap<string, string>): boolean =>
  form.get('auth_req_id')?.startsWith('ap_') === true

/** The door of a poll: an agent that waits for a yes comes back for its one token. */
export async function pollApproval(
  context: Door,
  form: ReadonlyMap<string, string>,
  ports: RedeemPorts,
  throttle: FailureThrottle,
): Promise<void> {
  const authReqId = form.get('auth_req_id') ?? ''
  if (authReqId.length > MAX_AUTH_REQ_ID_CHARACTERS) {
    return answerOAuthError(context, refuse('approval_unknown', 'there is no such "auth_req_id"'))
  }
  const outcome = await redeemApproval(ports, {
    ...{ evidence: clientEvidence(context.req, form, `${ports.issuer}/token`), authReqId },
    requestId: context.state.requestId,
  })
  switch (outcome.kind) {
    case 'issued':
      return answerIssued(context, outcome)
    case 'pending':
      return answerPending(context, outcome, ports.issuer)
    case 'too_soon':
      return answerOAuthError(context, TOO_SOON, { interval: outcome.intervalSeconds })
    case 'refused':
      return answerRefused(context, outcome, throttle)
  }
}
