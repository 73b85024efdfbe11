import { NOTICED_SKEW_SECONDS } from './clock.ts'
import { type DpopChallenge, dpopChallenge } from './dpop-challenge.ts'

const REFUSED: unique symbol = Symbol('refused')

/** Every deliberate "no" that an agent can meet, by what there is to do about it. Branch on this and on nothing else. */
export type WritRefusalKind =
  /** `access_denied`: the delegation does not allow this action. `member` is the first one that does not fit. */
  | 'not_permitted'
  /** `authorization_pending`: a person is asked first. */
  | 'approval_needed'
  /** `invalid_authorization_details`: the action is not one of its type. */
  | 'action_invalid'
  /** `invalid_target`: the delegation is not for this resource. */
  | 'wrong_resource'
  /** `invalid_grant` at an exchange. */
  | 'delegation_ended'
  /** `invalid_grant` at an enrolment. */
  | 'code_unusable'
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

/** A "no": what was said, and what to do. Plain data without secrets, safe to log and to show to a model. */
export interface WritRefusal {
  /** A symbol, so that nothing that came as JSON can pass for a refusal. */
  readonly [REFUSED]: true
  readonly kind: WritRefusalKind
  /** The OAuth error code, as it was sent. */
  readonly error: string
  /** The server's words: one line of printable ASCII, possibly empty. */
  readonly description: string
  /** HTTP status. */
  readonly status: number
  /** What to do, in a sentence. */
  readonly advice: string
  /** Path of the member that does not fit, such as `to[0]`; characters that cannot be shown are `?`. */
  readonly member?: string
  /** The record of the decision; an administrator finds it by this. */
  readonly decisionId?: string
  /** The server's id of the request. */
  readonly requestId?: string
  readonly retryAfterSeconds?: number
  /** By how much this machine's clock is behind the server's; negative when it is ahead. Only where that may be why. */
  readonly clockSkewSeconds?: number
}

/** Whether a value is a refusal of this SDK. */
export function isWritRefusal(value: unknown): value is WritRefusal {
  return typeof value === 'object' && value !== null && REFUSED in value
}

/** A refusal in one or two sentences, for a log or for the model that wanted the action. */
export function explainRefusal({ error, description, advice, decisionId }: WritRefusal): string {
  const record = decisionId === undefined ? '' : ` (decision ${decisionId})`
  return `${error}${description === '' ? '' : `: ${description}`}${record}. ${advice}`
}

/** Who answered: the same error means something else at another door. */
export type Door = 'token' | 'enrolment' | 'delegations' | 'resource'

/** What an answer says, before it is made a refusal. */
export interface RefusalFacts {
  readonly status: number
  readonly error: string
  readonly description?: string | undefined
  readonly decisionId?: string | undefined
  readonly requestId?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  /** 0: none was noticed. */
  readonly clockSkewSeconds?: number
}

/** Makes a refusal of what a door answered. */
export function refusal(door: Door, facts: RefusalFacts): WritRefusal {
  const error = printable(facts.error, MAX_ERROR)
  const kind = KINDS[door].get(error) ?? COMMON_KINDS.get(error) ?? 'unknown'
  const description = printable(facts.description ?? '', MAX_DESCRIPTION)
  const member = NAMES_A_MEMBER.has(kind) ? namedMember(description) : undefined
  const skew = CLOCK_MATTERS.has(kind) ? (facts.clockSkewSeconds ?? 0) : 0
  const isSkewed = Math.abs(skew) >= NOTICED_SKEW_SECONDS
  return Object.freeze({
    [REFUSED]: true as const,
    kind,
    error,
    description,
    status: facts.status,
    advice: isSkewed ? `${skewSentence(skew)} ${ADVICE[kind]}` : ADVICE[kind],
    ...(member !== undefined && { member }),
    ...(isIdentifier(facts.decisionId) && { decisionId: facts.decisionId }),
    ...(isIdentifier(facts.requestId) && { requestId: facts.requestId }),
    ...(facts.retryAfterSeconds !== undefined && { retryAfterSeconds: facts.retryAfterSeconds }),
    ...(isSkewed && { clockSkewSeconds: skew }),
  })
}

/**
 * Reads why a resource server refused a call, from the challenge in the answer's headers (RFC 6750 §3.1, RFC 9449 §7.1).
 *
 * The body is left for the caller.
 *
 * @returns undefined when the answer does not speak about the token: a 403 of the application itself, for example.
 */
export function refusalOf(response: Pick<Response, 'status' | 'headers'>): WritRefusal | undefined {
  const { status, headers } = response
  const retryAfter = retryAfterSeconds(headers, new Date())
  if (status === 429) return refusal('resource', { status, error: 'slow_down', retryAfterSeconds: retryAfter })
  if (status !== 401 && status !== 403) return undefined
  const challenge: DpopChallenge | undefined = dpopChallenge(headers)
  if (challenge === undefined) return undefined
  // A challenge without an error is for a request without a token (RFC 6750 §3.1).
  return refusal('resource', { status, error: challenge.error ?? 'invalid_token', description: challenge.description })
}

/** `Retry-After` (RFC 9110 §10.2.3). Unit: seconds. */
export function retryAfterSeconds(headers: Headers, now: Date): number | undefined {
  const value = headers.get('retry-after') ?? ''
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - now.getTime()) / 1_000))
}

/** Unit: characters. */
const MAX_ERROR = 64
const MAX_DESCRIPTION = 300

const COMMON_KINDS: ReadonlyMap<string, WritRefusalKind> = new Map([
  ['invalid_dpop_proof', 'proof_refused'],
  ['use_dpop_nonce', 'nonce_refused'],
  ['slow_down', 'slow_down'],
  ['invalid_request', 'request_refused'],
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

const ADVICE: Record<WritRefusalKind, string> = {
  not_permitted: 'Ask for an action within the delegation, or ask the principal for another delegation.',
  approval_needed: 'Wait until the principal has approved this action.',
  action_invalid: 'Make the action fit the schema of its type: GET /action-types/{type}.',
  wrong_resource: 'Use a delegation for this resource, and the resource exactly as the delegation names it.',
  delegation_ended:
    'Ask the principal for a new delegation: this one was revoked, has expired, or is not for this agent.',
  code_unusable:
    'Ask the administrator for a new enrolment code: this one is unknown, used or expired, or for another key.',
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
const NAMES_A_MEMBER: ReadonlySet<WritRefusalKind> = new Set<WritRefusalKind>([
  'not_permitted',
  'action_invalid',
  'wrong_resource',
  'other_action',
])

const CLOCK_MATTERS: ReadonlySet<WritRefusalKind> = new Set<WritRefusalKind>([
  'not_authenticated',
  'proof_refused',
  'token_refused',
])

/** The member at the end of a description, `…: to[0]`, in the characters that a server shows of it. */
function namedMember(description: string): string | undefined {
  return /: ([A-Za-z0-9_.\-[\]?]{1,100})$/.exec(description)?.[1]
}

function skewSentence(seconds: number): string {
  return `Your clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'behind' : 'ahead of'} the server's: set it.`
}

/** One line of printable ASCII; what looks like a token is not repeated, whoever put it there. */
function printable(text: string, maxCharacters: number): string {
  return text
    .slice(0, 4 * maxCharacters)
    .replace(/[^\x20-\x7e]/g, '?')
    .replace(/[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/g, '(token)')
    .slice(0, maxCharacters)
}

const isIdentifier = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(value)
