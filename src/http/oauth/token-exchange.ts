import {
  type Issued,
  type IssueOutcome,
  type IssuePorts,
  issueActionToken,
  issueActionTokens,
  type Refused,
} from '../../commands/issue-action-token.ts'
import { soleElement } from '../../core/action/sole-element.ts'
import { isJsonArray, type JsonValue, parseJson } from '../../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { TURN } from '../../core/token/turn.ts'
import type { Door } from '../door.ts'
import { clientEvidence } from './client-evidence.ts'
import {
  ACCESS_TOKEN_TYPE,
  answerRefused,
  decisionOf,
  type ExchangeParameters,
  exchangeParameters,
} from './exchange-parameters.ts'
import { answerOAuthError, oauthError } from './oauth-error.ts'
import { answerPending, pendingAnswer } from './pending-answer.ts'
import { exchangeForDelegation, type SubDelegationPorts } from './sub-delegation.ts'
import type { FailureThrottle } from './throttle.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** Elements of one batch. */
const MAX_BATCH = 32

/** The door of the exchange (RFC 8693 §2): reads the parameters, calls the command, answers in the words of the RFC. */
export async function exchangeToken(
  context: Door,
  form: ReadonlyMap<string, string>,
  ports: IssuePorts & SubDelegationPorts,
  throttle: FailureThrottle,
): Promise<void> {
  context.state.isExchange = true
  const parameters = exchangeParameters(form)
  if (isRefusal(parameters)) return answerOAuthError(context, parameters)
  if (form.has('actor_token') || form.has('actor_token_type')) {
    return exchangeForDelegation(context, form, parameters, ports, throttle)
  }
  const call = {
    evidence: clientEvidence(context.req, form, `${ports.issuer}/token`),
    requestId: context.state.requestId,
  }
  if (form.has('batch')) return exchangeBatch(context, form.get('batch'), parameters, call, ports, throttle)
  // What is no action of any type is refused before anybody is authenticated: reading costs less than a signature.
  const element = soleElement(parameters.authorizationDetails)
  if (isRefusal(element)) return answerOAuthError(context, element)
  const { subjectToken, resource, turn, purpose } = parameters
  const outcome = await issueActionToken(ports, { subjectToken, resource, turn, purpose, element, ...call })
  if (outcome.kind === 'refused') return answerRefused(context, outcome, throttle)
  if (outcome.kind === 'pending') return answerPending(context, outcome, ports.issuer)
  answerIssued(context, outcome)
}

/** Answers with the token. */
export function answerIssued(context: Door, issued: Issued): void {
  context.set('Cache-Control', 'no-store')
  context.type = 'application/json; charset=utf-8'
  // The token is by far the longest of it, and base64url and dots have nothing to escape: it is not looked through for that.
  context.body = `{"access_token":"${issued.token}",${JSON.stringify(responseMembers(issued)).slice(1)}`
}

/** Several actions of one turn, with one proof: what refuses only one of them is said in its place. */
async function exchangeBatch(
  context: Door,
  batch: string | undefined,
  parameters: ExchangeParameters,
  call: Pick<Parameters<typeof issueActionTokens>[1], 'evidence' | 'requestId'>,
  ports: IssuePorts,
  throttle: FailureThrottle,
): Promise<void> {
  if (batch !== 'true') return answerOAuthError(context, refuse('request_malformed', '"batch" must be true'))
  const { turn } = parameters
  if (turn === undefined) return answerOAuthError(context, refuse('request_malformed', 'a batch needs a "turn"'))
  const elements = batchElements(parameters.authorizationDetails)
  if (isRefusal(elements)) return answerOAuthError(context, elements)
  // Element i has the turn <turn>.<i>, counted from 0, so that each can also be repeated alone.
  const turns = elements.map((_, i) => `${turn}.${i}`)
  if (!turns.every((name) => TURN.test(name))) {
    return answerOAuthError(context, refuse('request_malformed', '"turn" is too long for a batch'))
  }
  const wishes = elements.map((element, i) => ({
    ...parameters,
    element,
    turn: turns[i],
    requestId: call.requestId,
  }))
  const outcomes = await issueActionTokens(ports, call, wishes)
  if (!Array.isArray(outcomes)) return answerRefused(context, outcomes as Refused, throttle)
  context.set('Cache-Control', 'no-store')
  context.body = { tokens: (outcomes as readonly IssueOutcome[]).map((outcome) => batchItem(outcome, ports.issuer)) }
}

function batchItem(outcome: IssueOutcome, issuer: string): object {
  if (outcome.kind === 'issued') return { status: 200, ...tokenResponse(outcome) }
  const { status, body } =
    outcome.kind === 'pending' ? pendingAnswer(outcome, issuer) : oauthError(outcome.refusal, decisionOf(outcome))
  return { status, ...body }
}

/** (RFC 8693 §2.2.1, RFC 9396 §7) */
const tokenResponse = (issued: Issued) => ({ access_token: issued.token, ...responseMembers(issued) })

const responseMembers = (issued: Issued) => ({
  issued_token_type: ACCESS_TOKEN_TYPE,
  token_type: 'DPoP',
  expires_in: issued.expiresInSeconds,
  authorization_details: issued.authorizationDetails,
})

function batchElements(authorizationDetails: string): readonly JsonValue[] | Refusal {
  const parsed = parseJson(authorizationDetails)
  if (isRefusal(parsed)) return refuse('json_malformed', `"authorization_details": ${parsed.detail}`)
  return isJsonArray(parsed) && parsed.length >= 1 && parsed.length <= MAX_BATCH
    ? parsed
    : refuse('action_malformed', `"authorization_details" of a batch must be an array of 1 to ${MAX_BATCH} elements`)
}
