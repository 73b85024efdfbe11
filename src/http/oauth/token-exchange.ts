import type { Context } from 'koa'
import { type IssuePorts, issueActionToken } from '../../commands/issue-action-token.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { clientEvidence } from './client-evidence.ts'
import { answerOAuthError } from './oauth-error.ts'
import type { FailureThrottle } from './throttle.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const KiB = 1024
const MAX_SUBJECT_TOKEN_CHARACTERS = 8 * KiB
const MAX_RESOURCE_CHARACTERS = 2_048

/** Parameters whose time has not come yet: refused, never accepted and ignored. */
const NOT_BUILT = ['turn', 'batch', 'actor_token', 'actor_token_type'] as const

/** The one request of RFC 8693 that this door takes: one subject token, one resource, one action. */
interface ExchangeParameters {
  readonly subjectToken: string
  readonly resource: string
  readonly authorizationDetails: string
}

/** The door of the exchange (RFC 8693 §2): reads the parameters, calls the command, answers in the words of the RFC. */
export async function exchangeToken(
  context: Context,
  form: ReadonlyMap<string, string>,
  ports: IssuePorts,
  throttle: FailureThrottle,
): Promise<void> {
  const parameters = exchangeParameters(form)
  if (isRefusal(parameters)) return answerOAuthError(context, parameters)
  const outcome = await issueActionToken(ports, {
    ...parameters,
    evidence: clientEvidence(context.req, form, `${ports.issuer}/token`),
    requestId: context.state.requestId,
  })
  if (outcome.kind === 'refused') {
    const { decisionId, isClientKnown } = outcome
    const refusal = isClientKnown ? outcome.refusal : throttle.failed(context, outcome.refusal)
    const isDecision = refusal.code === 'action_not_permitted' || refusal.code === 'action_type_inactive'
    return answerOAuthError(context, refusal, isDecision && decisionId !== undefined ? { decision_id: decisionId } : {})
  }
  context.set('Cache-Control', 'no-store')
  // (RFC 8693 §2.2.1, RFC 9396 §7)
  context.body = {
    access_token: outcome.token,
    issued_token_type: ACCESS_TOKEN_TYPE,
    token_type: 'DPoP',
    expires_in: outcome.expiresInSeconds,
    authorization_details: outcome.authorizationDetails,
  }
}

/** What can be refused by the parameters alone. Unknown ones are ignored (RFC 6749 §3.2). */
function exchangeParameters(form: ReadonlyMap<string, string>): ExchangeParameters | Refusal {
  const malformed = (detail: string) => refuse('request_malformed', detail)
  for (const name of NOT_BUILT) if (form.has(name)) return malformed(`"${name}" is not supported`)
  if (form.has('scope')) return refuse('scope_not_allowed', 'an action token has no "scope"')

  const subjectToken = form.get('subject_token')
  if (subjectToken === undefined) return malformed('"subject_token" is missing')
  if (subjectToken.length > MAX_SUBJECT_TOKEN_CHARACTERS) return malformed('"subject_token" is too long')
  if (form.get('subject_token_type') !== ACCESS_TOKEN_TYPE) {
    return malformed('"subject_token_type" is missing or not the access token type')
  }
  if ((form.get('requested_token_type') ?? ACCESS_TOKEN_TYPE) !== ACCESS_TOKEN_TYPE) {
    return malformed('"requested_token_type" is not the access token type')
  }
  const resource = form.get('resource')
  if (resource === undefined) return malformed('"resource" is missing')
  if (resource.length > MAX_RESOURCE_CHARACTERS) return refuse('resource_unknown', 'unknown "resource"')
  if ((form.get('audience') ?? resource) !== resource) {
    return refuse('resource_unknown', '"audience" is not the "resource"')
  }
  const authorizationDetails = form.get('authorization_details')
  if (authorizationDetails === undefined) return malformed('"authorization_details" is missing')
  return { subjectToken, resource, authorizationDetails }
}
