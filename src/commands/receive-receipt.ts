import type { Client } from '../core/agent/client.ts'
import { type Refusal, refuse } from '../core/refusal.ts'
import type { Ids, ReceiptOutcome, TokenUses } from '../ports.ts'

export type { ReceiptOutcome }

export interface ReceiptPorts {
  readonly ids: Ids
  readonly tokenUses: TokenUses
}

export interface ReceiptRequest {
  readonly jti: string
  readonly outcome: ReceiptOutcome
  /** The resource server's words. */
  readonly detail: string | undefined
  readonly requestId: string
}

/**
 * Writes down what came of a token, as its resource server says it: once, and at most 24 hours after the token expired.
 *
 * @returns whether the receipt is new; the same one may come again.
 * @throws only when a port fails: then nothing was written.
 */
export async function receiveReceipt(
  { ids, tokenUses }: ReceiptPorts,
  client: Client,
  { requestId, ...receipt }: ReceiptRequest,
): Promise<{ readonly isNew: boolean } | Refusal> {
  // Only the audience of the token has anything to say of it; whoever else asks does not learn that it is there.
  if (client.kind !== 'resource' || client.identifier === undefined) return UNKNOWN
  const request = { ...receipt, consumerId: client.id, audience: client.identifier }
  const answer = await tokenUses.receipt(request, { id: ids.recordId(), requestId })
  if (answer === 'unknown') return UNKNOWN
  if (answer === 'different') return refuse('receipt_conflict', 'another receipt was given for this token')
  return { isNew: answer === 'created' }
}

const UNKNOWN = refuse('token_unknown', 'there is no such token for this resource server')
