import { isKeyCurrent } from '../core/agent/client.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type { AdminTokens, Clock, Directory, Ids, Issuance } from '../ports.ts'
import { commitDetail } from './commit-detail.ts'

export interface AuthorizePorts {
  readonly now: Clock
  readonly ids: Ids
  readonly adminTokens: AdminTokens
  readonly directory: Pick<Directory, 'client'>
  readonly issuance: Issuance
}

/** One call of the admin API, as it arrived. */
export interface AdminCall {
  readonly token: string
  /** Every `DPoP` header of the request. */
  readonly proofs: readonly string[]
  readonly method: string
  /** Absolute URL, built from the issuer and never from `Host`. */
  readonly url: string
}

/** What a call does: `read` changes nothing. */
export type AdminNeed = 'read' | 'write'

/** Whoever may make this call. */
export interface Administrator {
  readonly clientId: string
  /** What the token carries and the client still has. */
  readonly scope: readonly string[]
}

/** Scopes that open a need: `admin:approve` opens neither. */
const SUFFICIENT: Record<AdminNeed, readonly string[]> = { read: ['admin', 'admin:read'], write: ['admin'] }

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
  const now = ports.now()

  // Step 1: is the token ours, for this server, and does the caller hold its key?
  const verified = ports.adminTokens.verify(call, now)
  if (isRefusal(verified)) return verified
  const { facts, marks } = verified

  // Step 2: use up the proof.
  const committed = await ports.issuance.commit({ attemptId: ports.ids.recordId(), marks, decision: 'none' })
  if (committed.outcome === 'refused') return refuse(committed.code, commitDetail(committed.code))

  // Step 3: are client, key and scope still what the token says? Asked of the database for every call.
  const client = await ports.directory.client(facts.clientId, 'fresh')
  const holdsKey = client?.keys.some((key) => key.kid === facts.jkt && isKeyCurrent(key, now))
  if (client?.kind !== 'administrator' || client.status !== 'active' || holdsKey !== true) {
    return refuse('token_invalid', 'the client or its key is no longer active')
  }
  if (await ports.adminTokens.isRevoked(facts.jti)) return refuse('token_invalid', 'the token was revoked')

  // Step 4: does its scope cover the call?
  const scope = facts.scope.filter((name) => client.scope.includes(name))
  return scope.some((name) => SUFFICIENT[need].includes(name))
    ? { clientId: client.id, scope }
    : refuse('scope_not_allowed', `this needs the scope ${SUFFICIENT[need].join(' or ')}`)
}
