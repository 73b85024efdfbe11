import type { RedeemPorts } from '../../commands/approvals/redeem-approval.ts'
import type { AuthenticatePorts } from '../../commands/authenticate-client.ts'
import type { AgentTokenPorts } from '../../commands/issue-agent-token.ts'
import type { StopPorts } from '../../commands/refuse-while-stopped.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import { CIBA, isApprovalPoll, pollApproval } from './approval-poll.ts'
import { grantClientCredentials, type PassToProvider } from './client-credentials.ts'
import { refuseOtherAuthentication } from './client-evidence.ts'
import type { FlowDoors } from './flow-doors.ts'
import { answerOAuthError } from './oauth-error.ts'
import { readForm } from './read-form.ts'
import type { SubDelegationPorts } from './sub-delegation.ts'
import type { FailureThrottle } from './throttle.ts'
import { exchangeToken, TOKEN_EXCHANGE } from './token-exchange.ts'

export const CLIENT_CREDENTIALS = 'client_credentials'
export const AUTHORIZATION_CODE = 'authorization_code'
export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

export interface TokenEndpointParts {
  readonly ports: RedeemPorts & SubDelegationPorts & AuthenticatePorts & StopPorts & AgentTokenPorts
  readonly passToProvider: PassToProvider
  /** Fetches the token of a delegation that a flow in a browser ended in. */
  readonly redeemFlow: FlowDoors['redeem']
  readonly throttle: FailureThrottle
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8). */
  readonly nextNonce: (() => string) | undefined
}

/**
 * `POST /token`: dispatches on the grant.
 *
 * DECISION: the exchange is our own door. Through oidc-provider's pipeline it would cost several times the CPU, and its
 * replay check is find, then write. The library serves the grants that people and administrators use.
 */
export function tokenEndpoint({
  ports,
  passToProvider,
  redeemFlow,
  throttle,
  nextNonce,
}: TokenEndpointParts): (door: Door) => Promise<void> {
  const answer = async (context: Door, form: ReadonlyMap<string, string>) => {
    const grant = form.get('grant_type')
    switch (grant) {
      case TOKEN_EXCHANGE: {
        return exchangeToken(context, form, ports, throttle)
      }
      case CLIENT_CREDENTIALS: {
        return grantClientCredentials(context, form, { ports, passToProvider, throttle })
      }
      case CIBA: {
        // An approval of one action is ours; every other request ends in a delegation.
        if (isApprovalPoll(form)) return pollApproval(context, form, ports, throttle)
        return redeemFlow(context, form, 'ciba')
      }
      case AUTHORIZATION_CODE: {
        return redeemFlow(context, form, 'authorization_code')
      }
      case DEVICE_CODE: {
        return redeemFlow(context, form, 'device_code')
      }
      default:
        return answerOAuthError(context, unknownGrant(grant))
    }
  }
  return async (context) => {
    if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
    const form = await readForm(context.req)
    if (isRefusal(form)) return answerOAuthError(context, form)
    const otherwise = refuseOtherAuthentication(context.req, form)
    if (otherwise !== undefined) return answerOAuthError(context, otherwise)
    return answer(context, form)
  }
}

function unknownGrant(grant: string | undefined): Refusal {
  return grant === undefined
    ? refuse('request_malformed', '"grant_type" is missing')
    : refuse('grant_unsupported', 'this "grant_type" is not supported')
}
