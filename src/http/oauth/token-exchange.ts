import type { Context } from 'koa'
import {
  type Issued,
  type IssueOutcome,
  type IssuePorts,
  issueActionToken,
  issueActionTokens,
  type Refused,
} from '../../commands/issue-action-token.ts'
import { isJsonArray, type JsonValue, parseJson } from '../../core/json.ts'
import { isRefusal, type Refusal, type RefusalCode, refuse } from '../../core/refusal.ts'
import { TURN } from '../../core/token/turn.ts'
import { clientEvidence } from './client-evidence.ts'
import { answerOAuthError, oauthError } from './oauth-error.ts'
import type { FailureThrottle } from './throttle.ts'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const KiB = 1024
const MAX_SUBJECT_TOKEN_CHARACTERS = 8 * KiB
const MAX_RESOURCE_CHARACTERS = 2_048
/** Elements of one batch. */
const MAX_BATCH = 32

/** Parameters whose time has not come yet: refused, never accepted and ignored. */
const NOT_BUILT = ['actor_token', 'actor_token_type'] as const

/** The one request of RFC 8693 that this door takes: one subject token, one resource, one action. */
interface ExchangeParameters {
  readonly subjectToken: string
  readonly resource: string
  readonly authorizationDetails: string
  readonly turn: string | undefined
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
  const call = {
    evidence: clientEvidence(context.req, form, `${ports.issuer}/token`),
    requestId: context.state.requestId,
  }
  if (form.has('batch')) return exchangeBatch(context, form.get('batch'), parameters, call, ports, throttle)
  const outcome = await issueActionToken(ports, { ...parameters, ...call })
  if (outcome.kind === 'refused') return answerRefused(context, outcome, throttle)
  context.set('Cache-Control', 'no-store')
  context.body = tokenResponse(outcome)
}

/** Several actions of one turn, with one proof: what refuses only one of them is said in its place. */
async function exchangeBatch(
  context: Context,
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
    authorizationDetails: JSON.stringify([element]),
    turn: turns[i],
    requestId: call.requestId,
  }))
  const outcomes = await issueActionTokens(ports, call, wishes)
  if (!Array.isArray(outcomes)) return answerRefused(context, outcomes as Refused, throttle)
  context.set('Cache-Control', 'no-store')
  context.body = { tokens: (outcomes as readonly IssueOutcome[]).map(batchItem) }
}

function batchItem(outcome: IssueOutcome): object {
  if (outcome.kind === 'issued') return { status: 200, ...tokenResponse(outcome) }
  const { status, body } = oauthError(outcome.refusal, decisionOf(outcome))
  return { status, ...body }
}

/** (RFC 8693 §2.2.1, RFC 9396 §7) */
const tokenResponse = (issued: Issued) => ({
  access_token: issued.token,
  issued_token_type: ACCESS_TOKEN_TYPE,
  token_type: 'DPoP',
  expires_in: issued.expiresInSeconds,
  authorization_details: issued.authorizationDetails,
})

function answerRefused(context: Context, outcome: Refused, throttle: FailureThrottle): void {
  const refusal = outcome.isClientKnown ? outcome.refusal : throttle.failed(context, outcome.refusal)
  answerOAuthError(context, refusal, decisionOf({ ...outcome, refusal }))
}

/** Refusals of an action that was understood: their record is named. */
const DECISIONS: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  ...(['action_not_permitted', 'action_type_inactive', 'limit_reached', 'limit_not_countable'] as const),
  ...(['turn_key_mismatch', 'turn_over', 'stopped'] as const),
])

const decisionOf = ({ refusal, decisionId }: Refused): Readonly<Record<string, string>> =>
  DECISIONS.has(refusal.code) && decisionId !== undefined ? { decision_id: decisionId } : {}

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
  const turn = form.get('turn')
  if (turn !== undefined && !TURN.test(turn)) {
    return malformed('"turn" must be 1 to 128 printable ASCII characters without space')
  }
  return { subjectToken, resource, authorizationDetails, turn }
}

function batchElements(authorizationDetails: string): readonly JsonValue[] | Refusal {
  const parsed = parseJson(authorizationDetails)
  if (isRefusal(parsed)) return refuse('json_malformed', `"authorization_details": ${parsed.detail}`)
  return isJsonArray(parsed) && parsed.length >= 1 && parsed.length <= MAX_BATCH
    ? parsed
    : refuse('action_malformed', `"authorization_details" of a batch must be an array of 1 to ${MAX_BATCH} elements`)
}
