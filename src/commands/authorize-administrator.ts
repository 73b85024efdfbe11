import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { type AuthorizePorts, authorizeClientToken, type TokenCall } from './authorize-client-token.ts'

/** One call of the admin API, as it arrived. */
export type AdminCall = TokenCall

/** What a call does: `read` changes nothing; whoever answers approvals sees them too. */
export type AdminNeed = 'read' | 'write' | 'see_approvals' | 'approve'

/** Whoever may make this call. */
export interface Administrator {
  readonly clientId: string
  /** What the token carries and the client still has. */
  readonly scope: readonly string[]
}

/** Scopes that open a need: `admin` is everything but approving, `admin:approve` approving alone. */
export const SUFFICIENT: Record<AdminNeed, readonly string[]> = {
  read: ['admin', 'admin:read'],
  write: ['admin'],
  see_approvals: ['admin', 'admin:read', 'admin:approve'],
  approve: ['admin:approve'],
}

/**
 * Decides whether a call of the admin API may be made.
 *
 * @throws only when a port fails: then nothing is done.
 */
export async function authorizeAdministrator(
  ports: AuthorizePorts,
  call: AdminCall,
  need: AdminNeed,
): Promise<Administrator | Refusal> {
  // Step 1: who is it, by a token that is good now?
  const authorized = await authorizeClientToken(ports, 'admin', call)
  if (isRefusal(authorized)) return authorized
  const { client, facts } = authorized

  // Step 2: does the scope that token and client share cover the call?
  const scope = facts.scope.filter((name) => client.scope.includes(name))
  return scope.some((name) => SUFFICIENT[need].includes(name))
    ? { clientId: client.id, scope }
    : refuse('scope_not_allowed', `this needs the scope ${SUFFICIENT[need].join(' or ')}`)
}
