import { type Client, type ClientKind, isKeyCurrent } from '../core/agent/client.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type {
  ClientTokenFacts,
  ClientTokens,
  ClientTokenUse,
  Clock,
  Directory,
  Ids,
  Issuance,
  ProofCall,
} from '../ports.ts'
import { commitDetail } from './commit-detail.ts'

export interface AuthorizePorts {
  readonly now: Clock
  readonly ids: Ids
  readonly clientTokens: ClientTokens
  readonly directory: Pick<Directory, 'client' | 'instance'>
  readonly issuance: Issuance
}

/** A call with a token of this server for this server, as it arrived. */
export type TokenCall = ProofCall & { readonly token: string }

const KINDS: Record<ClientTokenUse, ClientKind> = { agent: 'agent', resource: 'resource', admin: 'administrator' }

/**
 * Decides whether a client may use its token for this server now.
 *
 * @throws only when a port fails: then nothing is done.
 */
export async function authorizeClientToken(
  ports: AuthorizePorts,
  use: ClientTokenUse,
  call: TokenCall,
): Promise<{ readonly client: Client; readonly facts: ClientTokenFacts } | Refusal> {
  const now = ports.now()

  // Step 1: is the token ours, for this server, of this use, and does the caller hold its key?
  const verified = ports.clientTokens.verify(use, call, now)
  if (isRefusal(verified)) return verified
  const { facts, marks } = verified

  // Step 2: use up the proof.
  const committed = await ports.issuance.commit({ attemptId: ports.ids.recordId(), marks, decision: 'none' })
  if (committed.outcome === 'refused') return refuse(committed.code, commitDetail(committed.code))

  // Step 3: are client and key still active, the token not withdrawn? Asked of the database for every call.
  const client = await ports.directory.client(facts.clientId, 'fresh')
  const key = client?.keys.find(({ kid }) => kid === facts.jkt)
  // Instances are of agents alone; one ends with the key that vouched for it, in the database.
  const held = key ?? (use === 'agent' ? await ports.directory.instance(facts.clientId, facts.jkt, 'fresh') : undefined)
  const holdsKey = held !== undefined && isKeyCurrent(held, now)
  if (client?.kind !== KINDS[use] || client.status !== 'active' || !holdsKey) {
    return refuse('token_invalid', 'the client or its key is no longer active')
  }
  if (await ports.clientTokens.isRevoked(facts.jti, facts.iat)) return refuse('token_invalid', 'the token was revoked')
  return { client, facts }
}
