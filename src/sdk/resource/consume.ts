import { sha256Base64url } from '../../core/hash.ts'
import { isJsonObject } from '../../core/json.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { ActionTokenClaims } from '../../wire/access-token-claims.ts'
import { createIssuerClient, type IssuerClientOptions } from './issuer-client.ts'
import { IssuerUnavailableError } from './issuer-keys.ts'
import { type Receipt, type ReceiptOutcome, sendReceipt } from './receipt.ts'

/** How the issuer is asked for the one use of a token. */
export type ConsumeOptions = IssuerClientOptions

/** A token that this resource server consumed before: the first try of the same call, here or in another of its processes. */
export interface EarlierUse {
  /** Whether the issuer was told what came of it. */
  readonly hasReceipt: boolean
}

/** The issuer's say on the one use of a token, and what it is told afterwards. */
export interface Consumption {
  /**
   * Consumes a token. Nothing means: this is the one use, now.
   *
   * @throws IssuerUnavailableError when the issuer does not answer, or with what the contract does not have. The token may be
   * consumed then; the retry hears of it.
   */
  readonly use: (
    claims: ActionTokenClaims,
    accessToken: string,
  ) => Promise<EarlierUse | Refusal<'token_inactive'> | undefined>
  readonly receipt: (jti: string, receipt: Receipt) => Promise<ReceiptOutcome>
}

export function createConsumption(issuer: string, options: ConsumeOptions, now: () => Date): Consumption {
  const client = createIssuerClient(issuer, options, now)
  return {
    receipt: (jti, receipt) => sendReceipt(client, jti, receipt),
    async use({ jti }, accessToken) {
      const form = {
        token: accessToken,
        token_type_hint: 'access_token',
        consume: 'true',
        // Of the token and not of this try: every process of this resource says the same for a retry.
        consume_id: sha256Base64url(JSON.stringify(['consume', client.clientId, issuer, jti])),
      }
      const { body } = await client.post('/introspect', form, [200])
      // The token was verified here; an answer about another one is about nothing.
      if (body.active === true && body.jti === jti) return undefined
      if (body.active !== false)
        throw new IssuerUnavailableError('the issuer answered what is no introspection of this token')
      const { consumed } = body
      if (consumed === undefined) return refuse('token_inactive', 'the access token is not active, or was used before')
      if (!isJsonObject(consumed))
        throw new IssuerUnavailableError('the issuer answered a "consumed" that is no object')
      return { hasReceipt: consumed.receipt !== undefined && consumed.receipt !== null }
    },
  }
}
