import type { Client } from '../core/agent/client.ts'
import type { JsonObject } from '../core/json.ts'
import { isRefusal } from '../core/refusal.ts'
import type { ActionTokens, Clock, TokenStatus } from '../ports.ts'

export interface IntrospectPorts {
  readonly now: Clock
  readonly actionTokens: ActionTokens
  readonly tokenStatus: TokenStatus
}

/** `active: false` and not a word more, whatever the reason (RFC 7662 §2.2). */
export type Introspection = { readonly active: false } | ({ readonly active: true } & JsonObject)

const INACTIVE: Introspection = { active: false }

/**
 * Tells a resource server whether a token for it is good at this moment.
 *
 * @param client whoever asks, authenticated. Only the resource that the token is for learns anything.
 * @throws only when a port fails: then nothing is said.
 */
export async function introspectToken(ports: IntrospectPorts, client: Client, token: string): Promise<Introspection> {
  // Step 1: is it a token of ours for the one who asks?
  if (client.kind !== 'resource' || client.identifier === undefined) return INACTIVE
  const claims = ports.actionTokens.verify(token, client.identifier, ports.now())
  if (isRefusal(claims)) return INACTIVE

  // Step 2: does everything that it stands on still stand? Asked of the database, for every question anew.
  const live = await ports.tokenStatus.live(claims.jti)
  if (live === undefined) return INACTIVE

  // Step 3: the claims, with the values of the action where the token holds digests only.
  return { ...claims.json, authorization_details: [live.action], token_type: 'DPoP', active: true }
}
