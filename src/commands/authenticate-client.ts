import type { Client } from '../core/agent/client.ts'
import { type Refusal, refuse } from '../core/refusal.ts'
import type {
  Admission,
  Authentication,
  Authenticator,
  ClientEvidence,
  Clock,
  Ids,
  Issuance,
  ProofMode,
  RecordEntry,
  StrangerTally,
} from '../ports.ts'
import { commitDetail, isReplayed } from './commit-detail.ts'

export type { ClientEvidence }

export interface AuthenticatePorts {
  readonly now: Clock
  readonly ids: Ids
  readonly authenticator: Authenticator
  readonly admission: Admission
  readonly issuance: Issuance
  readonly strangers: StrangerTally
}

/** A client whose assertion or attestation, and proof if one was asked for, are accepted and used up. */
export type AuthenticatedClient = Omit<Authentication, 'marks' | 'refusal'>

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
  proof: ProofMode,
  requestId: string,
): Promise<AuthenticateOutcome> {
  const now = ports.now()
  const attemptId = ports.ids.recordId()

  // Step 1: who is asking? Read afresh: the commit below uses up the marks and does not look at client or keys again.
  const authenticated = await ports.authenticator.authenticate(evidence, proof, 'fresh', now)
  const { client, marks, refusal } = authenticated
  if (client === undefined) {
    ports.strangers.count(refusal.code)
    return { refusal, isClientKnown: false }
  }
  const { admits, admitsFailure, giveBack } = ports.admission
  // A replay is no failure of the client's own: it takes nothing of what the client may ask or get wrong.
  const isKnownReplay = refusal !== undefined && isReplayed(refusal.code)
  if (!isKnownReplay && !(refusal === undefined ? admits : admitsFailure)(client.id, now)) {
    return { refusal: refuse('rate_exceeded', 'too many requests'), isClientKnown: true }
  }

  // Step 2: use up the assertion and the proof, whatever the decision, and find out whether they were used before.
  const committed = await ports.issuance.commit(
    refusal === undefined
      ? { attemptId, marks, decision: 'none' }
      : { attemptId, marks, decision: 'refused', record: recordOf(attemptId, client, refusal, requestId) },
  )
  if (committed.outcome === 'refused') {
    // Whoever sends again what was sent before has not shown that he is the client.
    const isReplay = isReplayed(committed.code)
    if (isReplay && refusal === undefined) giveBack(client.id, now)
    return { refusal: refuse(committed.code, commitDetail(committed.code)), isClientKnown: !isReplay }
  }
  if (authenticated.refusal !== undefined) return { refusal: authenticated.refusal, isClientKnown: !isKnownReplay }
  const { marks: _, ...shown } = authenticated
  return shown
}

const recordOf = (id: string, client: Client, refusal: Refusal, requestId: string): RecordEntry => ({
  id,
  kind: 'client_authentication',
  refusal: refusal.code,
  detail: refusal.detail,
  client: client.id,
  requestId,
})
