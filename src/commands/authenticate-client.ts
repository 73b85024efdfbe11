import type { Client } from '../core/agent/client.ts'
import { type Refusal, refuse } from '../core/refusal.ts'
import type {
  Admission,
  Authenticator,
  ClientEvidence,
  Clock,
  Ids,
  Issuance,
  RecordEntry,
  StrangerTally,
} from '../ports.ts'
import { commitDetail } from './commit-detail.ts'

export type { ClientEvidence }

export interface AuthenticatePorts {
  readonly now: Clock
  readonly ids: Ids
  readonly authenticator: Authenticator
  readonly admits: Admission
  readonly issuance: Issuance
  readonly strangers: StrangerTally
}

/** A client whose assertion, and proof if one was asked for, are accepted and used up. */
export interface AuthenticatedClient {
  readonly client: Client
  readonly jkt?: string
}

export type AuthenticateOutcome =
  | (AuthenticatedClient & { readonly refusal?: never })
  | { readonly refusal: Refusal; readonly isClientKnown: boolean }

/**
 * Authenticates a client at an endpoint that is not the exchange, and uses up what it presented.
 *
 * @throws only when a port fails: then nobody is authenticated.
 */
export async function authenticateClient(
  ports: AuthenticatePorts,
  evidence: ClientEvidence,
  proof: 'required' | 'when_present',
  requestId: string,
): Promise<AuthenticateOutcome> {
  const now = ports.now()
  const attemptId = ports.ids.recordId()

  // Step 1: who is asking? Read afresh: the commit below uses up the marks and does not look at client or keys again.
  const authenticated = await ports.authenticator.authenticate(evidence, proof, 'fresh', now)
  const { client, marks, refusal } = authenticated
  if (refusal !== undefined && client === undefined) {
    ports.strangers.count(refusal.code)
    return { refusal, isClientKnown: false }
  }
  if (authenticated.refusal === undefined && !ports.admits(authenticated.client.id, now)) {
    return { refusal: refuse('rate_exceeded', 'too many requests'), isClientKnown: true }
  }

  // Step 2: use up the assertion and the proof, whatever the decision, and find out whether they were used before.
  const record: RecordEntry | undefined = refusal && {
    id: attemptId,
    kind: 'client_authentication',
    refusal: refusal.code,
    detail: refusal.detail,
    client: authenticated.client?.id ?? '',
    requestId,
  }
  const committed = await ports.issuance.commit(
    record === undefined ? { attemptId, marks, decision: 'none' } : { attemptId, marks, decision: 'refused', record },
  )
  if (committed.outcome === 'refused') {
    return { refusal: refuse(committed.code, commitDetail(committed.code)), isClientKnown: true }
  }
  if (authenticated.refusal !== undefined) return { refusal: authenticated.refusal, isClientKnown: true }
  const { client: shown, jkt } = authenticated
  return jkt === undefined ? { client: shown } : { client: shown, jkt }
}
