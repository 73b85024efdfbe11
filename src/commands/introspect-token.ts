import type { Client } from '../core/agent/client.ts'
import type { JsonObject } from '../core/json.ts'
import { isRefusal } from '../core/refusal.ts'
import type { ActionTokens, TokenStatus } from '../introspection-ports.ts'
import type { Clock, Receipt, Signer, TokenUses } from '../ports.ts'

export type { Receipt }

export interface IntrospectPorts {
  readonly now: Clock
  readonly actionTokens: ActionTokens
  readonly tokenStatus: TokenStatus
  readonly tokenUses: TokenUses
  /** For an answer that is to be signed. */
  readonly signer: Signer
}

export interface IntrospectRequest {
  readonly token: string
  /** Use it up, if it is active; `useId` is the resource server's own name for this use. */
  readonly consume?: { readonly useId: string | undefined }
}

export type Introspection =
  /** Every claim of the token (RFC 7662 §2.2). */
  | { readonly active: true; readonly claims: JsonObject }
  /** Used up before, by the one who asks and for the use that it names. */
  | { readonly active: false; readonly consumed: { readonly at: Date; readonly receipt: Receipt | undefined } }
  /** Not a word more, whatever the reason. */
  | { readonly active: false; readonly consumed?: never }

export const INACTIVE: Introspection = { active: false }

/** Step 3: the claims, with the values of the action where the token holds digests only. */
export const shownClaims = (json: JsonObject, action: JsonObject): Introspection => ({
  active: true,
  claims: { ...json, authorization_details: [action], token_type: 'DPoP' },
})

/**
 * Tells a resource server whether a token for it is good at this moment, and uses it up when it says so.
 *
 * @param client whoever asks, authenticated. Only the resource that the token is for learns anything.
 * @throws only when a port fails: then nothing is said.
 */
export async function introspectToken(
  ports: IntrospectPorts,
  client: Client,
  { token, consume }: IntrospectRequest,
): Promise<Introspection> {
  // Step 1: is it a token of ours for the one who asks?
  if (client.kind !== 'resource' || client.identifier === undefined) return INACTIVE
  const verified = ports.actionTokens.verify(token, client.identifier, ports.now())
  if (isRefusal(verified)) return INACTIVE
  const { jti, json } = verified

  // Step 2: does everything that it stands on still stand, and is it unused? Asked of the database, every time anew.
  const found = consume
    ? await ports.tokenUses.consume(jti, client.id, consume.useId)
    : { outcome: 'live' as const, live: await ports.tokenStatus.live(jti) }
  if (found.outcome === 'inactive') return INACTIVE
  if (found.outcome === 'consumed_before') return { active: false, consumed: { at: found.at, receipt: found.receipt } }
  const action = found.outcome === 'live' ? found.live?.action : found.action
  return action === undefined ? INACTIVE : shownClaims(json, action)
}
