import type { JsonObject } from '../../core/json.ts'
import type { AgentToken } from './agent-token.ts'
import type { Delegation } from './delegations.ts'
import { WritFault } from './fault.ts'
import { hide } from './hidden.ts'
import { TOKEN_EXCHANGE } from './issuer.ts'
import { isWritRefusal, type WritRefusal } from './refusal.ts'
import type { Kept } from './single-flight.ts'
import { readTokenAnswer } from './token-answer.ts'
import { type IssuerDoor, tokenRequest } from './token-request.ts'

/** What a delegation is given on for: to whom, within what. Never more than the delegation itself. */
export type Giving = {
  /** Of the agent that it is given to: what its `actorToken()` gave. */
  readonly actorToken: string
  /** The bounds: each within one of the delegation's. */
  readonly authorizationDetails: readonly JsonObject[]
  /** Default: as long as the delegation. Unit: seconds. */
  readonly expiresIn?: number
  /** What the child may use up; the limits of the delegation count besides. */
  readonly limits?: JsonObject
  /** How far the child may be given on: `{ max_depth, agents? }`. Default: not at all. */
  readonly delegable?: JsonObject
  readonly signal?: AbortSignal
} & (
  | {
      /** One of `delegations()`. */
      readonly delegation: Delegation
    }
  | { readonly subjectToken: string }
)

/** A delegation that was given on. */
export interface GivenDelegation {
  readonly authorizationDetails: readonly JsonObject[]
  readonly expiresInSeconds: number
  /** By the machine's own clock. */
  readonly expiresAt: Date
  /** For the next agent, which also finds it by itself. Not enumerable: it is not printed, logged or stored with the rest. */
  readonly subjectToken: string
}

/** Shows another agent's SDK who this agent is, so that it can give a delegation on to it. */
export interface ActorToken {
  /** By the machine's own clock. */
  readonly goodUntil: Date
  /** Bound to this agent's key, so of no other use to whoever gets it. Not enumerable. */
  readonly token: string
}

const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/**
 * Gives a delegation on to another agent (RFC 8693 §2.1).
 *
 * @returns what was given, or the refusal.
 * @throws WritFault when something broke; TypeError when it cannot be right.
 */
export async function delegate(door: IssuerDoor, giving: Giving): Promise<GivenDelegation | WritRefusal> {
  const subjectToken = 'delegation' in giving ? giving.delegation.subjectToken : giving.subjectToken
  for (const [name, value] of Object.entries({ subjectToken, actorToken: giving.actorToken })) {
    if (typeof value !== 'string' || value === '') throw new TypeError(`${name} must be a string`)
  }
  const { authorizationDetails, expiresIn, limits, delegable } = giving
  if (!Array.isArray(authorizationDetails) || authorizationDetails.length === 0) {
    throw new TypeError('authorizationDetails must be an array of bounds')
  }
  if (expiresIn !== undefined && !(Number.isInteger(expiresIn) && expiresIn > 0)) {
    throw new TypeError('expiresIn must be a whole number of seconds')
  }
  const askedAt = door.session.clock.own()
  const body = await tokenRequest(
    door,
    {
      grant_type: TOKEN_EXCHANGE,
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      actor_token: giving.actorToken,
      actor_token_type: ACCESS_TOKEN_TYPE,
      resource: door.issuer,
      authorization_details: JSON.stringify(authorizationDetails),
      ...(expiresIn !== undefined && { expires_in: String(expiresIn) }),
      ...(limits !== undefined && { limits: JSON.stringify(limits) }),
      ...(delegable !== undefined && { delegable: JSON.stringify(delegable) }),
    },
    { signal: giving.signal },
  )
  if (isWritRefusal(body)) return body
  const { accessToken, expiresInSeconds } = readTokenAnswer(body)
  if (body.issued_token_type !== ACCESS_TOKEN_TYPE || !Array.isArray(body.authorization_details)) {
    throw new WritFault('unexpected_answer', 'the answer of the server is not a delegation')
  }
  const expiresAt = new Date(askedAt.getTime() + expiresInSeconds * 1_000)
  const granted = body.authorization_details as readonly JsonObject[]
  return hide({ authorizationDetails: granted, expiresInSeconds, expiresAt }, 'subjectToken', accessToken)
}

/** The token that the agent shows at its issuer, for another agent to name it by. */
export async function actorToken(tokens: Kept<AgentToken | WritRefusal>): Promise<ActorToken | WritRefusal> {
  const token = await tokens.get()
  return isWritRefusal(token) ? token : hide({ goodUntil: new Date(token.goodUntil) }, 'token', token.accessToken)
}
