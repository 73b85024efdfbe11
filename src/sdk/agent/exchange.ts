import type { JsonObject } from '../../core/json.ts'
import { type ActionToken, actionToken } from './action-token.ts'
import type { Delegation } from './delegations.ts'
import { WritFault } from './fault.ts'
import { TOKEN_EXCHANGE } from './issuer.ts'
import type { PendingApproval } from './pending-approval.ts'
import { isWritRefusal, type WritRefusal } from './refusal.ts'
import { readTokenAnswer } from './token-answer.ts'
import { type IssuerDoor, tokenRequest } from './token-request.ts'

/** One concrete action: a type, and the values of its members (RFC 9396 §2). */
export interface Action {
  readonly type: string
  readonly [member: string]: unknown
}

/** On what authority, and where. */
export type On =
  | {
      /** One of `delegations()`. */
      readonly delegation: Delegation
      /** Where the token will be used. Default: the delegation's resource. */
      readonly resource?: string
    }
  | { readonly subjectToken: string; readonly resource: string }

/** What an exchange is asked for: on what authority, where, and exactly what. */
export type Wish = On & {
  readonly action: Action
  /**
   * The agent's own name for the step it is in, 1 to 128 printable ASCII characters: the same action under the same name is
   * issued once. A request whose answer was lost is then made once more by itself, and may be made again at any time.
   */
  readonly turn?: string
  readonly signal?: AbortSignal
  /** The agent's own words to whoever is asked, shown apart and as its words; up to 1,000 characters. */
  readonly purpose?: string
  /** Whether to wait where somebody is asked first, until it is answered or has expired. Default: to return the refusal. */
  readonly wait?: boolean
  /** Told what is waited for: to show somebody where it is answered, or to remember it. */
  readonly onPending?: (approval: PendingApproval) => void
}

const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/**
 * Exchanges for one action (RFC 8693 §2, RFC 9396 §6).
 *
 * @returns the token, or the refusal.
 * @throws WritFault when something broke; TypeError when the wish is no wish.
 */
export async function exchange(door: IssuerDoor, wish: Wish): Promise<ActionToken | WritRefusal> {
  const { action, turn, purpose, signal } = wish
  const { resource, parameters } = exchangeParameters(wish)
  checkAction(action)
  if (turn !== undefined && !(typeof turn === 'string' && TURN.test(turn))) {
    throw new TypeError('turn must be 1 to 128 printable ASCII characters without space')
  }
  if (purpose !== undefined && !(typeof purpose === 'string' && purpose !== '' && purpose.length <= MAX_PURPOSE)) {
    throw new TypeError(`purpose must be 1 to ${MAX_PURPOSE} characters`)
  }
  const askedAt = door.session.clock.own()
  const body = await tokenRequest(
    door,
    {
      ...parameters,
      authorization_details: JSON.stringify([action]),
      ...(turn !== undefined && { turn }),
      ...(purpose !== undefined && { purpose }),
    },
    { signal, isRepeatable: turn !== undefined },
  )
  return isWritRefusal(body) ? body : grantedToken(door, body, resource, askedAt)
}

/** Unit: UTF-16 units. */
const MAX_PURPOSE = 1_000

/** As the server has it (wire contract, section 4). */
export const TURN = /^[\x21-\x7e]{1,128}$/

/** @throws TypeError for what is no action. */
export function checkAction(action: unknown): void {
  if (typeof action !== 'object' || action === null || !('type' in action) || typeof action.type !== 'string') {
    throw new TypeError('action must be an object with a type')
  }
}

/**
 * What every exchange on a delegation is asked with, but for the actions.
 *
 * @throws TypeError when it does not say on what authority, or where.
 */
export function exchangeParameters(wish: On) {
  const resource = 'delegation' in wish ? (wish.resource ?? wish.delegation.resource) : wish.resource
  const subjectToken = 'delegation' in wish ? wish.delegation.subjectToken : wish.subjectToken
  if (typeof resource !== 'string' || !URL.canParse(resource)) {
    throw new TypeError('resource must be the identifier of a resource: an absolute URI')
  }
  if (typeof subjectToken !== 'string' || subjectToken === '') {
    throw new TypeError('subjectToken must be a string; copies of a delegation do not have it')
  }
  return {
    resource,
    parameters: {
      grant_type: TOKEN_EXCHANGE,
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN_TYPE,
      resource,
    },
  }
}

/** The token of a successful answer. @throws WritFault when it is none. */
export function grantedToken(door: IssuerDoor, body: JsonObject, resource: string, askedAt: Date): ActionToken {
  const { accessToken, expiresInSeconds } = readTokenAnswer(body)
  const expiresAt = new Date(askedAt.getTime() + expiresInSeconds * 1_000)
  return actionToken(door.session, { accessToken, expiresInSeconds, expiresAt, resource, action: soleAction(body) })
}

/** What was granted, with the place the server added (RFC 9396 §7). */
function soleAction(body: JsonObject): JsonObject & { readonly type: string } {
  const [action, ...more] = Array.isArray(body.authorization_details) ? body.authorization_details : []
  if (body.issued_token_type !== ACCESS_TOKEN_TYPE || more.length > 0 || typeof action?.type !== 'string') {
    throw new WritFault('unexpected_answer', 'the answer of the server is not a token for one action')
  }
  return action
}
