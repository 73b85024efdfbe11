import { sha256Base64url } from '../core/hash.ts'
import type { JsonObject } from '../core/json.ts'
import { type Refusal, refuse } from '../core/refusal.ts'
import type {
  Admission,
  Authenticator,
  ClientEvidence,
  CommitEntry,
  Freshness,
  Issuance,
  RecordEntry,
  Signer,
  StrangerTally,
} from '../ports.ts'
import { commitDetail, isReplayed } from './commit-detail.ts'
import { type ConsiderPorts, considerAction, type ExchangeWish } from './consider-action.ts'

export interface IssuePorts extends ConsiderPorts {
  readonly authenticator: Authenticator
  readonly admission: Admission
  readonly issuance: Issuance
  readonly signer: Signer
  readonly strangers: StrangerTally
}

/** One exchange, as the front door read it: nothing in it is believed yet. */
export interface IssueRequest extends ExchangeWish {
  readonly evidence: ClientEvidence
}

export type IssueOutcome =
  | {
      readonly kind: 'issued'
      readonly token: string
      readonly expiresInSeconds: number
      readonly authorizationDetails: readonly [JsonObject]
    }
  | {
      readonly kind: 'refused'
      readonly refusal: Refusal
      /** The record of the refusal, when one was stored. */
      readonly decisionId?: string
      /** False: who asks was not shown, or by what somebody has used before: the caller is a stranger. */
      readonly isClientKnown: boolean
    }

/** Two attempts on cached facts and fresh ones, and one more for a change that came in between. */
const ATTEMPTS: readonly Freshness[] = ['cached', 'fresh', 'fresh']

/**
 * Issues one action token for one agent: the whole path, top to bottom.
 *
 * @throws only when a port fails (database, signer). Saying no is a return value.
 */
export async function issueActionToken(ports: IssuePorts, request: IssueRequest): Promise<IssueOutcome> {
  const now = ports.now()
  const attemptId = ports.ids.recordId()

  // Step 1: who is asking? Key possession is proved here or nowhere.
  const authenticated = await ports.authenticator.authenticate(request.evidence, 'required', 'cached', now)
  const { client, marks } = authenticated
  if (authenticated.refusal !== undefined) {
    const { refusal } = authenticated
    if (client === undefined) {
      ports.strangers.count(refusal.code)
      return { kind: 'refused', refusal, isClientKnown: false }
    }
    if (!ports.admission.admitsFailure(client.id, now)) return TOO_MANY
    const about = { client: client.id, requestId: request.requestId }
    return refuseOnRecord(ports, { attemptId, marks }, refusal, about, false)
  }
  if (!ports.admission.admits(authenticated.client.id, now)) return TOO_MANY

  for (const freshness of ATTEMPTS) {
    // Steps 2 to 4: what exactly, for whom and how far, may it now?
    const considered = await considerAction(ports, request, authenticated, freshness, now)
    if (considered.refusal !== undefined) {
      // What is remembered may be old. A yes is checked again by the commit; a no is read afresh before it is said.
      if (freshness === 'cached') continue
      return refuseOnRecord(ports, { attemptId, marks }, considered.refusal, considered.about, true)
    }

    // Step 5: write down what we are about to sign, and re-check in the same transaction. If the process dies after this
    // line we can still name and revoke the token; if it dies before, no token exists.
    const claimsJson = JSON.stringify(considered.claims)
    const record = { ...considered.about, id: attemptId, claimsDigest: sha256Base64url(claimsJson) }
    const committed = await ports.issuance.commit({
      attemptId,
      marks,
      decision: 'issued',
      record,
      decidedOn: considered.decidedOn,
    })
    if (committed.outcome === 'stale') continue
    if (committed.outcome === 'refused') {
      return refusedByCommit(
        ports,
        refuse(committed.code, commitDetail(committed.code)),
        record,
        committed.isStored,
        true,
      )
    }

    // Step 6: sign exactly what was recorded, once.
    const token = await ports.signer.signAccessToken(claimsJson)
    const { iat, exp } = considered.claims
    return { kind: 'issued', token, expiresInSeconds: exp - iat, authorizationDetails: [considered.action.details] }
  }
  throw new Error('what the decision rests on changed at every attempt')
}

/** Says no, on record: the marks are written whatever the decision, and a replay is told before anything else. */
async function refuseOnRecord(
  ports: IssuePorts,
  { attemptId, marks }: Pick<CommitEntry, 'attemptId' | 'marks'>,
  refusal: Refusal,
  about: Omit<RecordEntry, 'id' | 'kind'>,
  wasAdmitted: boolean,
): Promise<IssueOutcome> {
  const record: RecordEntry = {
    kind: 'action_token',
    ...about,
    id: attemptId,
    refusal: refusal.code,
    detail: recordedDetail(refusal),
  }
  const committed = await ports.issuance.commit({ attemptId, marks, decision: 'refused', record })
  if (committed.outcome === 'stale') throw new Error('a refusal is decided on nothing that could be stale')
  const said = committed.outcome === 'refused' ? refuse(committed.code, commitDetail(committed.code)) : refusal
  return refusedByCommit(ports, said, record, committed.isStored, wasAdmitted)
}

/** The account names the member too, cut: an agent chooses the names of members. Unit of the limit: code points. */
const recordedDetail = ({ detail, member }: Refusal) =>
  member === undefined ? detail : `${detail}: ${[...member.slice(0, 400)].slice(0, 200).join('')}`

function refusedByCommit(
  { admission, now }: Pick<IssuePorts, 'admission' | 'now'>,
  refusal: Refusal,
  record: RecordEntry,
  isStored: boolean,
  wasAdmitted: boolean,
): IssueOutcome {
  // Whoever sends again what was sent before has not shown that he is the client.
  const isReplay = isReplayed(refusal.code)
  if (isReplay && wasAdmitted) admission.giveBack(record.client, now())
  return { kind: 'refused', refusal, isClientKnown: !isReplay, ...(isStored && { decisionId: record.id }) }
}

const TOO_MANY: IssueOutcome = {
  kind: 'refused',
  refusal: refuse('rate_exceeded', 'too many requests'),
  isClientKnown: true,
}
