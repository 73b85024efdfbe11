import type { IssuerClient } from './issuer-client.ts'

/** What came of a call, for the issuer's account. A `failed` or `refused` one gives back what it counted towards limits. */
export interface Receipt {
  readonly outcome: 'succeeded' | 'failed' | 'refused'
  /** One line, at most 1,000 characters. Shown to auditors as said by this resource server. */
  readonly detail?: string
}

/** `recorded`, also when the same receipt was there; another one was there (`conflict`); the issuer has no such token for us (`unknown`). */
export type ReceiptOutcome = 'recorded' | 'conflict' | 'unknown'

const OUTCOMES: readonly string[] = ['succeeded', 'failed', 'refused'] satisfies readonly Receipt['outcome'][]
/** Unit: characters. */
const MAX_DETAIL = 1_000

/**
 * Sends a receipt. It may be sent again: the issuer takes the same one twice.
 *
 * @throws IssuerUnavailableError when the issuer does not answer. TypeError for what is no receipt.
 */
export async function sendReceipt(
  client: IssuerClient,
  jti: string,
  { outcome, detail }: Receipt,
): Promise<ReceiptOutcome> {
  if (!OUTCOMES.includes(outcome)) throw new TypeError(`outcome must be one of ${OUTCOMES.join(', ')}`)
  if (
    detail !== undefined &&
    (typeof detail !== 'string' || [...detail].length > MAX_DETAIL || /\p{Cc}/u.test(detail))
  ) {
    throw new TypeError(`detail must be at most ${MAX_DETAIL} characters, none of them a control character`)
  }
  const form = { jti, outcome, ...(detail !== undefined && { detail }) }
  const { status } = await client.post('/receipts', form, [200, 201, 404, 409])
  if (status === 404) return 'unknown'
  return status === 409 ? 'conflict' : 'recorded'
}
