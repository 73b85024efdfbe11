import type { JsonObject } from '../../core/json.ts'

/** An action that waits for somebody's yes. Plain data: it may be stored, and waited for by the same agent with the same key. */
export interface PendingApproval {
  /** Names it to the server. No secret: good only with the key that it was asked for with. */
  readonly authReqId: string
  /** Where those who are asked answer it: to be shown to them, if the agent can. */
  readonly approvalUri?: string
  /** By this machine's clock. */
  readonly expiresAt: Date
  /** Between two questions. */
  readonly intervalSeconds: number
}

/** Unless the server says otherwise (CIBA Core §7.3). */
const DEFAULT_INTERVAL_SECONDS = 5
const MAX_INTERVAL_SECONDS = 3_600
const MAX_LIFETIME_SECONDS = 366 * 24 * 3_600

/** What an `authorization_pending` says; undefined when it names no approval. */
export function readPendingApproval(body: JsonObject | undefined, now: Date): PendingApproval | undefined {
  if (body === undefined || body.error !== 'authorization_pending') return undefined
  const { auth_req_id: authReqId, expires_in: expiresIn, approval_uri: uri } = body
  if (typeof authReqId !== 'string' || !AUTH_REQ_ID.test(authReqId)) return undefined
  if (!isSeconds(expiresIn, MAX_LIFETIME_SECONDS)) return undefined
  return Object.freeze({
    authReqId,
    ...(typeof uri === 'string' && isWebUri(uri) && { approvalUri: uri }),
    expiresAt: new Date(now.getTime() + expiresIn * 1_000),
    intervalSeconds: readInterval(body) ?? DEFAULT_INTERVAL_SECONDS,
  })
}

/** The interval of a pending or `slow_down` answer. */
export function readInterval(body: JsonObject | undefined): number | undefined {
  const interval = body?.interval
  return isSeconds(interval, MAX_INTERVAL_SECONDS) ? interval : undefined
}

export const AUTH_REQ_ID = /^[A-Za-z0-9._~-]{1,255}$/

const isSeconds = (value: unknown, max: number): value is number =>
  typeof value === 'number' && value > 0 && value <= max

/** Somebody will open it: a page, and nothing that a browser would run. */
const isWebUri = (uri: string) => uri.length <= 2_048 && URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol)
