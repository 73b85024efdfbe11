import type { Refused } from '../../commands/issue-action-token.ts'
import { type Refusal, type RefusalCode, refuse } from '../../core/refusal.ts'
import { TURN } from '../../core/token/turn.ts'
import type { Door } from '../door.ts'
import { answerOAuthError } from './oauth-error.ts'
import type { FailureThrottle } from './throttle.ts'

export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const KiB = 1024
const MAX_SUBJECT_TOKEN_CHARACTERS = 8 * KiB
const MAX_RESOURCE_CHARACTERS = 2_048
/** Unit: code points. */
const MAX_PURPOSE_CHARACTERS = 1_000

/** The one request of RFC 8693 that this door takes: one subject token, one resource, one action. */
export interface ExchangeParameters {
  readonly subjectToken: string
  readonly resource: string
  readonly authorizationDetails: string
  readonly turn: string | undefined
  /** The agent's own words to whoever is asked for a yes. */
  readonly purpose: string | undefined
}

/** What can be refused by the parameters alone. Unknown ones are ignored (RFC 6749 §3.2). */
export function exchangeParameters(
  form: ReadonlyMap<string, string>,
  purpose = form.get('purpose'),
): ExchangeParameters | Refusal {
  const malformed = (detail: string) => refuse('request_malformed', detail)
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
  if (purpose !== undefined && !isWords(purpose)) {
    return malformed(
      `the agent's words to whoever is asked must be 1 to ${MAX_PURPOSE_CHARACTERS} characters, without U+0000`,
    )
  }
  return { subjectToken, resource, authorizationDetails, turn, purpose }
}

/** Whatever else is in them is shown as it is, with what is not seen made visible. The database keeps no U+0000. */
const isWords = (text: string) =>
  text !== '' &&
  text.length <= 2 * MAX_PURPOSE_CHARACTERS &&
  [...text].length <= MAX_PURPOSE_CHARACTERS &&
  !text.includes('\u0000')

/** Answers that the exchange was refused, naming the record of a decision. */
export function answerRefused(context: Door, outcome: Refused, throttle: FailureThrottle): void {
  const refusal = outcome.isClientKnown ? outcome.refusal : throttle.failed(context, outcome.refusal)
  answerOAuthError(context, refusal, decisionOf({ ...outcome, refusal }))
}

/** Refusals of what was understood: their record is named. */
const DECISIONS: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  ...(['action_not_permitted', 'action_type_inactive', 'limit_reached', 'limit_not_countable'] as const),
  ...(['turn_key_mismatch', 'turn_over', 'delegation_not_permitted', 'delegation_full', 'stopped'] as const),
  ...(['approval_denied', 'approval_void', 'approvals_full'] as const),
  'instance_refused',
])

/** The `decision_id` of a refusal that has one. */
export const decisionOf = ({ refusal, decisionId }: Refused): Readonly<Record<string, string>> =>
  DECISIONS.has(refusal.code) && decisionId !== undefined ? { decision_id: decisionId } : {}
