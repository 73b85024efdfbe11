import type { JsonObject, JsonValue } from '../../core/json.ts'
import type { AgentToken } from './agent-token.ts'
import { WritFault } from './fault.ts'
import { hide } from './hidden.ts'
import { type DelegationLimits, readLimits } from './limits.ts'
import { isWritRefusal, type WritRefusal } from './refusal.ts'
import { request } from './session.ts'
import type { Kept } from './single-flight.ts'
import type { IssuerDoor } from './token-request.ts'

/** What a principal lets this agent do. */
export interface Delegation {
  readonly id: string
  /** On whose behalf. */
  readonly principal: string
  /** The only place where it counts; undefined where its bounds name places. */
  readonly resource?: string
  /** The bounds: an action must fit one of them wholly. */
  readonly authorizationDetails: readonly JsonObject[]
  readonly expiresAt: Date
  /** How often, how fast and how much, and what was left of it when the list was read; undefined: no limits. */
  readonly limits?: DelegationLimits
  /** What else the server says of it, by the names of the wire: `approval`, `delegable`, … */
  readonly more: JsonObject
  /** Names the delegation at an exchange. Not enumerable: it is not printed, logged or stored with the rest. */
  readonly subjectToken: string
}

const PAGE = 200
const MAX_PAGES = 100

/**
 * Lists everything that principals let this agent do, page by page.
 *
 * @throws WritFault when something broke, or the list does not end.
 */
export async function listDelegations(
  door: IssuerDoor,
  tokens: Kept<AgentToken | WritRefusal>,
  signal?: AbortSignal,
): Promise<readonly Delegation[] | WritRefusal> {
  const delegations: Delegation[] = []
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const body = await readPage(door, tokens, cursor, signal)
    if (isWritRefusal(body)) return body
    if (!Array.isArray(body.items)) throw unexpected('has no items')
    for (const item of body.items) delegations.push(readDelegation(item))
    if (body.next_cursor === undefined || body.next_cursor === null) return delegations
    if (typeof body.next_cursor !== 'string' || body.next_cursor === cursor) throw unexpected('has no usable cursor')
    cursor = body.next_cursor
  }
  throw unexpected(`has more than ${MAX_PAGES} pages`)
}

async function readPage(
  { session, issuer }: IssuerDoor,
  tokens: Kept<AgentToken | WritRefusal>,
  cursor: string | undefined,
  signal: AbortSignal | undefined,
): Promise<JsonObject | WritRefusal> {
  const url = new URL(`${issuer}/delegations`)
  url.searchParams.set('limit', String(PAGE))
  if (cursor !== undefined) url.searchParams.set('cursor', cursor)
  const ask = async () => {
    const token = await tokens.get()
    if (isWritRefusal(token)) return { token, answer: token }
    const { accessToken } = token
    return {
      token,
      answer: await request(session, { door: 'delegations', method: 'GET', url: url.href, accessToken, signal }),
    }
  }
  const { token, answer } = await ask()
  // The kept token may have been revoked, or the server been restored: one that is new tells.
  if (!isWritRefusal(answer) || answer.error !== 'invalid_token') return answer
  tokens.drop(token)
  return (await ask()).answer
}

function readDelegation(item: JsonValue): Delegation {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw unexpected('holds something else')
  const { id, principal, resource, authorization_details, limits, expires_at, subject_token, ...more } =
    item as JsonObject
  const readable = readLimits(limits)
  const expiresAt = typeof expires_at === 'number' ? expires_at * 1_000 : Date.parse(String(expires_at))
  if (
    typeof id !== 'string' ||
    typeof principal !== 'string' ||
    typeof subject_token !== 'string' ||
    Number.isNaN(expiresAt) ||
    !Array.isArray(authorization_details)
  ) {
    throw unexpected('holds a delegation that lacks a member')
  }
  const delegation = {
    id,
    principal,
    ...(typeof resource === 'string' && { resource }),
    authorizationDetails: authorization_details as readonly JsonObject[],
    expiresAt: new Date(expiresAt),
    ...(readable !== undefined && { limits: readable }),
    more: readable === undefined && limits !== undefined ? { limits, ...more } : more,
  }
  return hide(delegation, 'subjectToken', subject_token)
}

const unexpected = (what: string) => new WritFault('unexpected_answer', `the list of delegations ${what}`)
