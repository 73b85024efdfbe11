import { isRefusal } from '../core/refusal.ts'
import type { Clock, Ids, RevocableTokens, Revocations } from '../ports.ts'
import type { AuthenticatedClient } from './authenticate-client.ts'

export interface RevokePorts {
  readonly now: Clock
  readonly ids: Ids
  readonly revocableTokens: RevocableTokens
  readonly revocations: Revocations
}

/**
 * Revokes a token at the wish of the client it was issued to (RFC 7009 §2).
 *
 * An action token and an agent token end by themselves; a subject token ends the delegation it names, and what was given
 * on from there. Anything else is left as it is, and the caller is told nothing about it (RFC 7009 §2.2).
 *
 * @throws only when a port fails: then nothing was revoked.
 */
export async function revokeToken(
  ports: RevokePorts,
  { client, instance }: Pick<AuthenticatedClient, 'client' | 'instance'>,
  token: string,
  requestId: string,
): Promise<void> {
  // Step 1: is it a live token of ours, and the caller's own?
  const revocable = ports.revocableTokens.read(token, ports.now())
  if (isRefusal(revocable) || revocable.clientId !== client.id) return
  // An instance withdraws what is bound to its own key: nothing of another's, and no delegation, which is the agent's.
  if (instance !== undefined && revocable.jkt !== instance.kid) return

  // Step 2: withdraw it and write that down, in one transaction.
  const entry = { id: ports.ids.recordId(), client: client.id, requestId }
  if (revocable.use === 'subject') await ports.revocations.revokeDelegation(revocable.jti, entry)
  else await ports.revocations.revokeToken(revocable, entry)
}
