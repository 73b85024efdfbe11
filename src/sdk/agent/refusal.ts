import { type ReachedLimit, readReachedLabel } from '../../core/delegation/limit-label.ts'
import { NOTICED_SKEW_SECONDS } from './clock.ts'
import type { PendingApproval } from './pending-approval.ts'
import { ADVICE, CLOCK_MATTERS, type Door, NAMES_A_MEMBER, refusalKind, type WritRefusalKind } from './refusal-kind.ts'

const REFUSED: unique symbol = Symbol('refused')

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
  /** Of `limit_reached`: which limit, and whose. */
  readonly limit?: ReachedLimit
  /** Of `approval_needed`: what to wait for. */
  readonly approval?: PendingApproval
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

/** What an answer says, before it is made a refusal. */
export interface RefusalFacts {
  readonly status: number
  readonly error: string
  readonly description?: string | undefined
  readonly decisionId?: string | undefined
  readonly approval?: PendingApproval | undefined
  readonly requestId?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  /** 0: none was noticed. */
  readonly clockSkewSeconds?: number
}

/** Makes a refusal of what a door answered. */
export function refusal(door: Door, facts: RefusalFacts): WritRefusal {
  const error = printable(facts.error, MAX_ERROR)
  const description = printable(facts.description ?? '', MAX_DESCRIPTION)
  const kind = refusalKind(door, error, description)
  const limit = kind === 'limit_reached' ? readReachedLabel(description) : undefined
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
    ...(limit !== undefined && { limit }),
    ...(kind === 'approval_needed' && facts.approval !== undefined && { approval: facts.approval }),
    ...(isIdentifier(facts.decisionId) && { decisionId: facts.decisionId }),
    ...(isIdentifier(facts.requestId) && { requestId: facts.requestId }),
    ...(facts.retryAfterSeconds !== undefined && { retryAfterSeconds: facts.retryAfterSeconds }),
    ...(isSkewed && { clockSkewSeconds: skew }),
  })
}

/** Unit: characters. */
const MAX_ERROR = 64
const MAX_DESCRIPTION = 300

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
