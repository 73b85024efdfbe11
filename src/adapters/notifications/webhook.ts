import { createHmac } from 'node:crypto'
import type { Message } from './ping.ts'

/** Who is told of new approvals. */
export interface Webhook {
  readonly url: string
  /** `whsec_` and the key, base64. */
  readonly secret: string
}

/** A new approval, as far as a webhook says it: what is asked stays here, and is read by whoever may see it. */
export interface AnnouncedApproval {
  readonly id: string
  readonly principal: string
  readonly agent: string
  readonly approvers: readonly string[]
  readonly actionType: string
  readonly resource: string
  readonly createdAt: Date
  readonly expiresAt: Date
}

/**
 * A signed webhook (Standard Webhooks 1.0): the same `webhook-id` at every try, and a signature of id, time and body.
 *
 * @param id of the notification: a receiver that has seen it has been told.
 */
export function webhookMessage(
  issuer: string,
  { secret }: Webhook,
  id: string,
  approval: AnnouncedApproval,
  now: Date,
): Message {
  const seconds = (time: Date) => Math.floor(time.getTime() / 1_000)
  const body = JSON.stringify({
    type: 'approval.opened',
    timestamp: approval.createdAt.toISOString(),
    data: {
      id: approval.id,
      approval_uri: `${issuer}/me/approvals/${approval.id}`,
      ...{ principal: approval.principal, agent: approval.agent, approvers: approval.approvers },
      ...{ action_type: approval.actionType, resource: approval.resource },
      ...{ created_at: seconds(approval.createdAt), expires_at: seconds(approval.expiresAt) },
    },
  })
  const timestamp = String(seconds(now))
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return {
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
    body,
  }
}
