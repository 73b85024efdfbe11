import type { JsonObject } from '../../core/json.ts'
import type { ActionToken } from './action-token.ts'
import { exchange, grantedToken, type Wish } from './exchange.ts'
import { WritFault, type WritFaultKind } from './fault.ts'
import { AUTH_REQ_ID, type PendingApproval } from './pending-approval.ts'
import { isWritRefusal, type WritRefusal } from './refusal.ts'
import { wait } from './session.ts'
import { type IssuerDoor, tokenRequest } from './token-request.ts'

const CIBA = 'urn:openid:params:grant-type:ciba'
/** What `slow_down` adds (CIBA Core §11). */
const SLOWER_SECONDS = 5
const MAX_INTERVAL_SECONDS = 3_600
/** What may pass by itself while somebody makes up his mind. */
const PASSING: ReadonlySet<WritFaultKind> = new Set<WritFaultKind>(['unreachable', 'timed_out', 'unavailable'])

/** An exchange, and where its wish says so the wait for whoever is asked first. */
export async function exchangeWaiting(door: IssuerDoor, wish: Wish): Promise<ActionToken | WritRefusal> {
  const outcome = await exchange(door, wish)
  if (!isWritRefusal(outcome) || outcome.approval === undefined) return outcome
  wish.onPending?.(outcome.approval)
  return wish.wait === true ? waitForApproval(door, outcome.approval, wish.signal) : outcome
}

/**
 * Asks again and again, as often as the server allows, until the approval is answered or has expired (CIBA Core §10.1).
 *
 * @returns the one token for the action, or why there is none: `approval_denied`, `approval_expired`, `approval_void`, or what
 * an exchange can be refused for, for everything is decided anew.
 * @throws the signal's reason; WritFault when something broke and did not mend before the approval expired.
 */
export async function waitForApproval(
  door: IssuerDoor,
  approval: PendingApproval,
  signal: AbortSignal | undefined,
): Promise<ActionToken | WritRefusal> {
  checkApproval(approval)
  let { expiresAt, intervalSeconds } = approval
  for (;;) {
    const { clock } = door.session
    const leftSeconds = (expiresAt.getTime() - clock.own().getTime()) / 1_000
    await wait(Math.max(0, Math.min(intervalSeconds, leftSeconds)), signal)
    const isLast = clock.own() >= expiresAt
    const askedAt = clock.own()
    const body = await poll(door, approval.authReqId, signal).catch((error: unknown) => {
      if (isLast || !(error instanceof WritFault) || !PASSING.has(error.kind)) throw error
    })
    if (body === undefined) continue
    if (!isWritRefusal(body)) return grantedToken(door, body, placeOf(body), askedAt)
    if (body.kind === 'approval_needed' && body.approval !== undefined) {
      expiresAt = body.approval.expiresAt
      intervalSeconds = Math.max(1, body.approval.intervalSeconds)
    } else if (body.kind === 'slow_down' && !isLast) {
      // Too soon (400) makes the interval longer from now on; too busy (429) only puts this question off.
      const slower = intervalSeconds + (body.status === 400 ? SLOWER_SECONDS : 0)
      intervalSeconds = Math.min(MAX_INTERVAL_SECONDS, Math.max(slower, body.retryAfterSeconds ?? 0))
    } else return body
  }
}

const poll = (door: IssuerDoor, authReqId: string, signal: AbortSignal | undefined) =>
  tokenRequest(door, { grant_type: CIBA, auth_req_id: authReqId }, { signal, door: 'approval' })

/** Where the token is for: the server put it into the action (RFC 9396 §7). */
function placeOf({ authorization_details: details }: JsonObject): string {
  const [action] = Array.isArray(details) ? details : []
  const locations = (action as JsonObject | undefined)?.locations
  const [place] = Array.isArray(locations) ? locations : []
  if (typeof place === 'string' && URL.canParse(place)) return place
  throw new WritFault('unexpected_answer', 'the answer of the server does not say where the token is for')
}

/** @throws TypeError for what names no approval. */
function checkApproval({ authReqId, expiresAt, intervalSeconds }: PendingApproval): void {
  const isNamed = typeof authReqId === 'string' && AUTH_REQ_ID.test(authReqId)
  const isTimed = expiresAt instanceof Date && !Number.isNaN(expiresAt.getTime())
  if (!isNamed || !isTimed || !(intervalSeconds > 0 && intervalSeconds <= MAX_INTERVAL_SECONDS)) {
    throw new TypeError('approval must be the approval of a refusal of the kind approval_needed')
  }
}
