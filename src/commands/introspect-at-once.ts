import { isRefusal } from '../core/refusal.ts'
import type { Introspections } from '../introspection-ports.ts'
import type { Authentication, ClientEvidence } from '../ports.ts'
import {
  type AuthenticatedClient,
  type AuthenticatePorts,
  type RefusedClient,
  refuseAtOnce,
  refuseUsedUp,
  useUp,
} from './authenticate-client.ts'
import {
  INACTIVE,
  type Introspection,
  type IntrospectPorts,
  type IntrospectRequest,
  introspectToken,
  shownClaims,
} from './introspect-token.ts'

export interface IntrospectAtOncePorts extends AuthenticatePorts, IntrospectPorts {
  readonly introspections: Introspections
}

export type IntrospectOutcome =
  | { readonly refusal?: never; readonly client: AuthenticatedClient['client']; readonly introspection: Introspection }
  | RefusedClient

/**
 * Authenticates whoever asks about a token, and tells what it is told.
 *
 * On remembered facts where that will do: one statement uses up the marks, looks again at client and key, and at the token. Where it
 * finds something changed everything is read afresh, as it is for a use and for whoever is no resource server.
 *
 * @throws only when a port fails: then nobody is authenticated, and nothing is said.
 */
export async function introspectAtOnce(
  ports: IntrospectAtOncePorts,
  evidence: ClientEvidence,
  request: IntrospectRequest,
  requestId: string,
): Promise<IntrospectOutcome> {
  const now = ports.now()
  const attempt = { attemptId: ports.ids.recordId(), requestId, now }
  const freshness = request.consume === undefined ? 'cached' : 'fresh'
  const known = await ports.authenticator.authenticate(evidence, 'when_present', freshness, now)
  const refused = refuseAtOnce(ports, known, now)
  if (refused !== undefined) return refused
  if (freshness === 'cached' && known.refusal === undefined && known.client.kind === 'resource') {
    const told = await askAtOnce(ports, known, request.token, attempt.attemptId, now)
    if (told !== 'stale') return told
  }
  // A "no" was read afresh before it was said.
  const isOld = freshness === 'cached' && known.refusal === undefined
  const authenticated = isOld ? await ports.authenticator.authenticate(evidence, 'when_present', 'fresh', now) : known
  const outcome = await useUp(ports, authenticated, attempt)
  if (outcome.refusal !== undefined) return outcome
  return { client: outcome.client, introspection: await introspectToken(ports, outcome.client, request) }
}

async function askAtOnce(
  ports: IntrospectAtOncePorts,
  { client, assertionKid, jkt, marks }: Authentication,
  token: string,
  attemptId: string,
  now: Date,
): Promise<IntrospectOutcome | 'stale'> {
  const read = ports.actionTokens.read(token, client.identifier ?? '', now)
  const jti = isRefusal(read) ? undefined : read.jti
  const answer = await ports.introspections.ask({ attemptId, marks, client: client.id, assertionKid, jkt, jti })
  if (answer.outcome === 'stale') return 'stale'
  if (answer.outcome !== 'ok') return refuseUsedUp(ports, client, answer.outcome, true, now)
  if (isRefusal(read) || answer.action === undefined) return { client, introspection: INACTIVE }
  // Last, for it costs the most: of a token that is not live, nobody needs to know whether it is genuine.
  const verified = read.verify()
  return { client, introspection: isRefusal(verified) ? INACTIVE : shownClaims(verified.json, answer.action) }
}
