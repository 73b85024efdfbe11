import type { Client } from '../core/agent/client.ts'
import { type Refusal, type RefusalCode, refuse } from '../core/refusal.ts'
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
  Unauthenticated,
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

export type AuthenticateOutcome = (AuthenticatedClient & { readonly refusal?: never }) | RefusedClient

export interface RefusedClient {
  readonly refusal: Refusal
  /** False: the caller is a stranger. */
  readonly isClientKnown: boolean
}

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
  return refuseAtOnce(ports, authenticated, now) ?? useUp(ports, authenticated, { attemptId, requestId, now })
}

/** What is refused before anything is written: a stranger, and whoever asks too often. */
export function refuseAtOnce(
  ports: AuthenticatePorts,
  { client, refusal }: Authentication | Unauthenticated,
  now: Date,
): RefusedClient | undefined {
  if (client === undefined) {
    ports.strangers.count(refusal.code)
    return { refusal, isClientKnown: false }
  }
  const { admits, admitsFailure } = ports.admission
  // A replay is no failure of the client's own: it takes nothing of what the client may ask or get wrong.
  if (refusal !== undefined && isReplayed(refusal.code)) return undefined
  return (refusal === undefined ? admits : admitsFailure)(client.id, now)
    ? undefined
    : { refusal: refuse('rate_exceeded', 'too many requests'), isClientKnown: true }
}

/** Step 2: use up the assertion and the proof, whatever the decision, and find out whether they were used before. */
export async function useUp(
  ports: AuthenticatePorts,
  authenticated: Authentication | Unauthenticated,
  { attemptId, requestId, now }: { readonly attemptId: string; readonly requestId: string; readonly now: Date },
): Promise<AuthenticateOutcome> {
  const { client, marks, refusal } = authenticated
  if (client === undefined) return { refusal, isClientKnown: false }
  const committed = await ports.issuance.commit(
    refusal === undefined
      ? { attemptId, marks, decision: 'none' }
      : { attemptId, marks, decision: 'refused', record: recordOf(attemptId, client, refusal, requestId) },
  )
  if (committed.outcome === 'refused') {
    return refuseUsedUp(ports, client, committed.code, refusal === undefined, now)
  }
  if (authenticated.refusal !== undefined) {
    return { refusal: authenticated.refusal, isClientKnown: !isReplayed(authenticated.refusal.code) }
  }
  const { marks: _, ...shown } = authenticated
  return shown
}

/** What the database says of marks that were used before. @param wasAdmitted whether it took one of the client's requests. */
export function refuseUsedUp(
  { admission }: Pick<AuthenticatePorts, 'admission'>,
  client: Client,
  code: RefusalCode,
  wasAdmitted: boolean,
  now: Date,
): RefusedClient {
  // Whoever sends again what was sent before has not shown that he is the client.
  const isReplay = isReplayed(code)
  if (isReplay && wasAdmitted) admission.giveBack(client.id, now)
  return { refusal: refuse(code, commitDetail(code)), isClientKnown: !isReplay }
}

const recordOf = (id: string, client: Client, refusal: Refusal, requestId: string): RecordEntry => ({
  id,
  kind: 'client_authentication',
  refusal: refusal.code,
  detail: refusal.detail,
  client: client.id,
  requestId,
})
