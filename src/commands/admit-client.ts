import { type Refusal, refuse } from '../core/refusal.ts'
import type {
  Admission,
  Authentication,
  Authenticator,
  ClientEvidence,
  Clock,
  CommitEntry,
  DecidedOn,
  Ids,
  Issuance,
  RecordEntry,
  StrangerTally,
} from '../ports.ts'
import { commitDetail, isReplayed } from './commit-detail.ts'

export interface AdmitPorts {
  readonly now: Clock
  readonly ids: Ids
  readonly authenticator: Authenticator
  readonly admission: Admission
  readonly issuance: Issuance
  readonly strangers: StrangerTally
}

export interface Refused {
  readonly kind: 'refused'
  readonly refusal: Refusal
  /** The record of the refusal, when one was stored. */
  readonly decisionId?: string
  /** False: who asks was not shown, or by what somebody has used before: the caller is a stranger. */
  readonly isClientKnown: boolean
}

/** A client that was authenticated and has not asked too often; its marks are not committed yet. */
export interface Admitted {
  readonly kind: 'admitted'
  readonly attemptId: string
  readonly authentication: Authentication
}

/**
 * Who is asking? Key possession is proved here or nowhere. What was presented is used up by the commit that follows.
 *
 * @param requests how many of the client's requests this one is.
 */
export async function admitClient(
  ports: AdmitPorts,
  { evidence, requestId }: { readonly evidence: ClientEvidence; readonly requestId: string },
  requests: number,
  now: Date,
): Promise<Admitted | Refused> {
  const attemptId = ports.ids.recordId()
  const authentication = await ports.authenticator.authenticate(evidence, 'required', 'cached', now)
  if (authentication.refusal !== undefined) {
    const { refusal, client, marks } = authentication
    if (client === undefined) {
      ports.strangers.count(refusal.code)
      return { kind: 'refused', refusal, isClientKnown: false }
    }
    // A replay is no failure of the client's own: it takes nothing of what the client may ask or get wrong.
    if (!isReplayed(refusal.code) && !ports.admission.admitsFailure(client.id, now)) return TOO_MANY
    const about = { client: client.id, ...(client.kind === 'agent' && { agent: client.id }), requestId }
    return refuseOnRecord(ports, { attemptId, marks }, refusal, about, false)
  }
  for (let n = 0; n < requests; n++) if (!ports.admission.admits(authentication.client.id, now)) return TOO_MANY
  return { kind: 'admitted', attemptId, authentication }
}

/** Says no, on record: the marks are written whatever the decision, and a replay is told before anything else. */
export async function refuseOnRecord(
  ports: AdmitPorts,
  attempt: Pick<CommitEntry, 'attemptId' | 'marks'>,
  refusal: Refusal,
  about: Omit<RecordEntry, 'id' | 'kind'>,
  wasAdmitted: boolean,
): Promise<Refused> {
  const refused = await refuseUnlessStale(ports, attempt, refusal, about, wasAdmitted)
  if (refused === 'stale') throw new Error('a refusal is decided on nothing that could be stale')
  return refused
}

/** The same, where the refusal says what it was decided on: `stale` when that is no longer so, and nothing was recorded. */
export async function refuseUnlessStale(
  ports: AdmitPorts,
  { attemptId, marks, decidedOn }: Pick<CommitEntry, 'attemptId' | 'marks'> & { readonly decidedOn?: DecidedOn },
  refusal: Refusal,
  about: Omit<RecordEntry, 'id' | 'kind'>,
  wasAdmitted: boolean,
): Promise<Refused | 'stale'> {
  const record: RecordEntry = {
    kind: 'action_token',
    ...about,
    id: ports.ids.recordId(),
    refusal: refusal.code,
    detail: recordedDetail(refusal),
  }
  const committed = await ports.issuance.commit({
    ...{ attemptId, marks, decision: 'refused', record },
    ...(decidedOn !== undefined && { decidedOn }),
  })
  if (committed.outcome === 'stale') return 'stale'
  if (committed.outcome === 'repeat' || committed.outcome === 'pending')
    throw new Error('a refusal repeats and opens nothing')
  const said = committed.outcome === 'refused' ? refuse(committed.code, commitDetail(committed.code)) : refusal
  return refusedByCommit(ports, said, record, committed.isStored, wasAdmitted)
}

/** The account names the member too, cut: an agent chooses the names of members. Unit of the limit: code points. */
const recordedDetail = ({ detail, member }: Refusal) =>
  member === undefined ? detail : `${detail}: ${[...member.slice(0, 400)].slice(0, 200).join('')}`

export function refusedByCommit(
  { admission, now }: Pick<AdmitPorts, 'admission' | 'now'>,
  refusal: Refusal,
  record: RecordEntry,
  isStored: boolean,
  wasAdmitted: boolean,
): Refused {
  // Whoever sends again what was sent before has not shown that he is the client.
  const isReplay = isReplayed(refusal.code)
  if (isReplay && wasAdmitted) admission.giveBack(record.client, now())
  return { kind: 'refused', refusal, isClientKnown: !isReplay, ...(isStored && { decisionId: record.id }) }
}

const TOO_MANY: Refused = {
  kind: 'refused',
  refusal: refuse('rate_exceeded', 'too many requests'),
  isClientKnown: true,
}
