import type { Action } from '../core/action/parse-action.ts'
import { sha256Base64url } from '../core/hash.ts'
import type { JsonObject } from '../core/json.ts'
import { type Refusal, type RefusalCode, refuse } from '../core/refusal.ts'
import type { ActionTokenClaims } from '../core/token/action-token.ts'
import { turnKey } from '../core/token/turn.ts'
import type {
  Admission,
  Authentication,
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

export interface Issued {
  readonly kind: 'issued'
  readonly token: string
  readonly expiresInSeconds: number
  readonly authorizationDetails: readonly [JsonObject]
}

export interface Refused {
  readonly kind: 'refused'
  readonly refusal: Refusal
  /** The record of the refusal, when one was stored. */
  readonly decisionId?: string
  /** False: who asks was not shown, or by what somebody has used before: the caller is a stranger. */
  readonly isClientKnown: boolean
}

export type IssueOutcome = Issued | Refused

/** Two attempts on cached facts and fresh ones, and one more for a change that came in between. */
const ATTEMPTS: readonly Freshness[] = ['cached', 'fresh', 'fresh']

/**
 * Issues one action token for one agent: the whole path, top to bottom.
 *
 * @throws only when a port fails (database, signer). Saying no is a return value.
 */
export async function issueActionToken(ports: IssuePorts, request: IssueRequest): Promise<IssueOutcome> {
  const now = ports.now()
  const admitted = await admitClient(ports, request, 1, now)
  return admitted.kind === 'refused' ? admitted : mint(ports, request, admitted, now)
}

/**
 * Issues one action token for each of several wishes of one request: its assertion and proof are good for all of them.
 *
 * What is wrong with the client, its proof or its subject token refuses the whole; every other refusal is one wish's own.
 */
export async function issueActionTokens(
  ports: IssuePorts,
  { evidence, requestId }: Pick<IssueRequest, 'evidence' | 'requestId'>,
  wishes: readonly ExchangeWish[],
): Promise<Refused | readonly IssueOutcome[]> {
  const now = ports.now()
  const admitted = await admitClient(ports, { evidence, requestId }, wishes.length, now)
  if (admitted.kind === 'refused') return admitted
  const outcomes = await Promise.all(wishes.map((wish) => mint(ports, wish, admitted, now)))
  return outcomes.find(isAboutTheWhole) ?? outcomes
}

const isAboutTheWhole = (outcome: IssueOutcome): outcome is Refused =>
  outcome.kind === 'refused' && WHOLE.has(outcome.refusal.code)

/** Refusals that say nothing of an action: who asks, by which key, for whom. */
const WHOLE: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  ...(['client_unknown', 'client_inactive', 'assertion_invalid', 'assertion_replayed', 'grant_not_allowed'] as const),
  ...(['proof_replayed', 'proof_key_mismatch'] as const),
  ...(['subject_token_invalid', 'delegation_inactive', 'principal_inactive', 'actor_inactive', 'stopped'] as const),
])

/** A client that was authenticated and has not asked too often; its marks are not committed yet. */
interface Admitted {
  readonly kind: 'admitted'
  readonly attemptId: string
  readonly authentication: Authentication
}

/** Step 1: who is asking? Key possession is proved here or nowhere. */
async function admitClient(
  ports: IssuePorts,
  { evidence, requestId }: Pick<IssueRequest, 'evidence' | 'requestId'>,
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
    if (!ports.admission.admitsFailure(client.id, now)) return TOO_MANY
    return refuseOnRecord(ports, { attemptId, marks }, refusal, { client: client.id, requestId }, false)
  }
  for (let n = 0; n < requests; n++) if (!ports.admission.admits(authentication.client.id, now)) return TOO_MANY
  return { kind: 'admitted', attemptId, authentication }
}

/** Steps 2 to 6, for one action. */
async function mint(
  ports: IssuePorts,
  wish: ExchangeWish,
  { attemptId, authentication }: Admitted,
  now: Date,
): Promise<IssueOutcome> {
  const { marks } = authentication
  const recordId = ports.ids.recordId()
  for (const freshness of ATTEMPTS) {
    // Steps 2 to 4: what exactly, for whom and how far, may it now?
    const considered = await considerAction(ports, wish, authentication, freshness, now)
    if (considered.refusal !== undefined) {
      // What is remembered may be old. A yes is checked again by the commit; a no is read afresh before it is said.
      if (freshness === 'cached') continue
      return refuseOnRecord(ports, { attemptId, marks }, considered.refusal, considered.about, true)
    }

    // Step 5: write down what we are about to sign, count it, and re-check, in the same transaction. If the process dies
    // after this line we can still name and revoke the token; if it dies before, no token exists.
    const { about, claims, decidedOn, charges, turnsUntil } = considered
    const claimsJson = JSON.stringify(claims)
    const record = { ...about, id: recordId, claimsDigest: sha256Base64url(claimsJson) }
    const turn =
      wish.turn === undefined ? undefined : { key: keyOf(considered, wish.turn), until: turnsUntil, claimsJson }
    const committed = await ports.issuance.commit({
      ...{ attemptId, marks, decision: 'issued', record, decidedOn, charges },
      ...(turn !== undefined && { turn }),
    })
    if (committed.outcome === 'stale') continue
    if (committed.outcome === 'refused') {
      const { code, isStored, reached } = committed
      const charge = reached === undefined ? undefined : charges[reached]
      const refusal = charge ? refuse(code, charge.label, charge.member) : refuse(code, commitDetail(code))
      return refusedByCommit(ports, refusal, record, isStored, true)
    }

    // Step 6: sign exactly what was recorded: now, or when this turn was taken first.
    const recorded = committed.outcome === 'repeat' ? committed.claimsJson : claimsJson
    const token = await ports.signer.signAccessToken(recorded)
    const { exp } = committed.outcome === 'repeat' ? (JSON.parse(recorded) as ActionTokenClaims) : claims
    const expiresInSeconds = exp - Math.floor(now.getTime() / 1_000)
    return { kind: 'issued', token, expiresInSeconds, authorizationDetails: [considered.action.details] }
  }
  throw new Error('what the decision rests on changed at every attempt')
}

const keyOf = ({ claims, action }: { readonly claims: ActionTokenClaims; readonly action: Action }, turn: string) =>
  turnKey({ delegationId: claims.delegation_id, resource: claims.aud, turn, actionDigest: action.digest })

/** Says no, on record: the marks are written whatever the decision, and a replay is told before anything else. */
async function refuseOnRecord(
  ports: IssuePorts,
  { attemptId, marks }: Pick<CommitEntry, 'attemptId' | 'marks'>,
  refusal: Refusal,
  about: Omit<RecordEntry, 'id' | 'kind'>,
  wasAdmitted: boolean,
): Promise<Refused> {
  const record: RecordEntry = {
    kind: 'action_token',
    ...about,
    id: ports.ids.recordId(),
    refusal: refusal.code,
    detail: recordedDetail(refusal),
  }
  const committed = await ports.issuance.commit({ attemptId, marks, decision: 'refused', record })
  if (committed.outcome === 'stale' || committed.outcome === 'repeat') {
    throw new Error('a refusal is decided on nothing that could be stale or repeated')
  }
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
