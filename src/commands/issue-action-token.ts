import { sha256Base64url } from '../core/hash.ts'
import type { JsonObject } from '../core/json.ts'
import { covers } from '../core/policy/approval-need.ts'
import { type RefusalCode, refuse } from '../core/refusal.ts'
import type { ActionTokenClaims } from '../core/token/action-token.ts'
import { APPROVAL_DETAILS } from '../core/token/approval-detail.ts'
import { turnKey } from '../core/token/turn.ts'
import type { ClientEvidence, Freshness, RecordEntry, Signer } from '../ports.ts'
import {
  type AdmitPorts,
  type Admitted,
  admitClient,
  type Refused,
  refusedByCommit,
  refuseOnRecord,
  refuseUnlessStale,
} from './admit-client.ts'
import { type Asked, approvalToOpen, needsOf, type OpenPorts } from './approvals/open-approval.ts'
import { commitRefusal } from './commit-detail.ts'
import {
  type ApprovedAction,
  type Considered,
  type ConsiderPorts,
  considerAction,
  type ExchangeWish,
} from './consider-action.ts'

export type { Refused }

export interface IssuePorts extends ConsiderPorts, AdmitPorts, OpenPorts {
  readonly signer: Signer
}

/** One exchange, as the front door read it: nothing in it is believed yet. */
export interface IssueRequest extends ExchangeWish, Asked {
  readonly evidence: ClientEvidence
}

export interface Issued {
  readonly kind: 'issued'
  readonly token: string
  readonly expiresInSeconds: number
  readonly authorizationDetails: readonly [JsonObject]
}

/** Somebody is asked first: the agent comes back with `authReqId`. */
export interface Pending {
  readonly kind: 'pending'
  readonly approvalId: string
  readonly authReqId: string
  readonly expiresInSeconds: number
  readonly intervalSeconds: number
  /** Whether it was opened by this very request. */
  readonly isNew?: boolean
}

export type IssueOutcome = Issued | Pending | Refused

/** Two attempts on cached facts and fresh ones, and one more for a change that came in between. */
const ATTEMPTS: readonly Freshness[] = ['cached', 'fresh', 'fresh']

/**
 * Issues one action token, for an agent or for a resource server that calls another: the whole path, top to bottom.
 *
 * @throws only when a port fails (database, signer). Saying no is a return value.
 */
export async function issueActionToken(ports: IssuePorts, request: IssueRequest): Promise<IssueOutcome> {
  const now = ports.now()
  // Step 1: who is asking?
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
  wishes: readonly (ExchangeWish & Asked)[],
): Promise<Refused | readonly IssueOutcome[]> {
  const now = ports.now()
  const admitted = await admitClient(ports, { evidence, requestId }, wishes.length, now)
  if (admitted.kind === 'refused') return admitted
  const outcomes = await Promise.all(wishes.map((wish) => mint(ports, wish, admitted, now)))
  return outcomes.find(isAboutTheWhole) ?? outcomes
}

/** Issues the token for what was approved, to whoever was admitted: everything is decided again, as of now. */
export const issueApproved = (
  ports: IssuePorts,
  wish: ExchangeWish & { readonly approved: ApprovedAction },
  admitted: Admitted,
): Promise<IssueOutcome> => mint(ports, wish, admitted, ports.now())

const isAboutTheWhole = (outcome: IssueOutcome): outcome is Refused =>
  outcome.kind === 'refused' && WHOLE.has(outcome.refusal.code)

/** Refusals that say nothing of an action: who asks, by which key, for whom. */
const WHOLE: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  ...(['client_unknown', 'client_inactive', 'assertion_invalid', 'assertion_replayed', 'grant_not_allowed'] as const),
  ...(['proof_replayed', 'proof_key_mismatch'] as const),
  ...(['subject_token_invalid', 'delegation_inactive', 'principal_inactive', 'actor_inactive', 'stopped'] as const),
])

/** Steps 2 to 6, for one action. */
async function mint(
  ports: IssuePorts,
  wish: ExchangeWish & Asked,
  { attemptId, authentication }: Admitted,
  now: Date,
): Promise<IssueOutcome> {
  const { marks } = authentication
  const recordId = ports.ids.recordId()
  for (const freshness of ATTEMPTS) {
    // Steps 2 to 4: what exactly, for whom and how far, may it now?
    const considered = await considerAction(ports, wish, authentication, freshness, now)
    if (considered.refusal !== undefined) {
      // What is remembered may be old. A yes is checked again by the commit, and so is a no that says what it was decided
      // on; any other no is read afresh before it is said.
      const { refusal, about, decidedOn } = considered
      if (freshness === 'fresh') return refuseOnRecord(ports, { attemptId, marks }, refusal, about, true)
      if (decidedOn === undefined) continue
      const refused = await refuseUnlessStale(ports, { attemptId, marks, decidedOn }, refusal, about, true)
      if (refused === 'stale') continue
      return refused
    }

    const { approved } = wish
    if (wish.always && considered.askedWith !== undefined) {
      // What a resource server does rests on what was approved for the agent that called it.
      const refusal = refuse('grant_not_allowed', 'only an agent asks for an approval')
      return refuseOnRecord(ports, { attemptId, marks }, refusal, allowedBy(considered), true)
    }
    if (approved !== undefined && !isApproved(considered, approved)) {
      if (freshness === 'cached') continue
      const refusal = refuse('approval_void', APPROVAL_DETAILS.approval_void)
      return refuseOnRecord(ports, { attemptId, marks }, refusal, allowedBy(considered), true)
    }

    // Step 5: write down what we are about to sign, count it, and re-check, in the same transaction. If the process dies
    // after this line we can still name and revoke the token; if it dies before, no token exists.
    const { claims, decidedOn, charges, turnsUntil } = considered
    const claimsJson = JSON.stringify(claims)
    const needs = approved === undefined ? needsOf(considered.needs, wish, considered.principalId) : []
    const opens = needs.length === 0 ? undefined : approvalToOpen(ports, needs, wish, turnsUntil)
    const record = recordOf(considered, recordId, claimsJson, opens?.id ?? approved?.id)
    const turn =
      wish.turn === undefined ? undefined : { key: keyOf(considered, wish.turn), until: turnsUntil, claimsJson }
    const committed = await ports.issuance.commit(
      opens === undefined
        ? { attemptId, marks, record, decidedOn, charges, turn, decision: 'issued', approval: approved?.id }
        : { attemptId, marks, record, decidedOn, charges, turn, decision: 'pending', opens },
    )
    if (committed.outcome === 'stale') continue
    if (committed.outcome === 'refused') {
      const { code, isStored, reached } = committed
      const charge = reached === undefined ? undefined : charges[reached]
      const refusal = charge ? refuse(code, charge.label, charge.member) : commitRefusal(code, authentication)
      return refusedByCommit(ports, refusal, record, isStored, true)
    }

    if (committed.outcome === 'pending') {
      const { id: approvalId, ...opened } = committed.opened
      return { kind: 'pending', approvalId, ...opened }
    }

    if (committed.outcome === 'repeat' && wish.always) {
      // Its token is had where tokens are: by the exchange.
      const refusal = refuse('turn_over', 'the token of this turn was issued before')
      return refuseOnRecord(ports, { attemptId, marks }, refusal, allowedBy(considered), true)
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

/**
 * What stands in the account: with the approval, where there is one, beside the bounds.
 *
 * Member by member, for it is written for every token: put together from parts it would cost several times as much.
 */
const recordOf = (
  { about, claims, because }: Allowed,
  id: string,
  claimsJson: string,
  approval: string | undefined,
): RecordEntry => ({
  id,
  kind: about.kind,
  refusal: undefined,
  detail: undefined,
  client: about.client,
  agent: about.agent,
  principal: about.principal,
  delegation: about.delegation,
  resource: about.resource,
  actionType: about.actionType,
  actionTypeVersion: about.actionTypeVersion,
  action: about.action,
  actionDigest: about.actionDigest,
  claimsDigest: sha256Base64url(claimsJson),
  jti: claims.jti,
  jkt: about.jkt,
  txn: claims.txn,
  turn: about.turn,
  because: approval === undefined ? because : { bounds: because, approval },
  tokenIssuedAt: claims.iat,
  tokenExpiresAt: claims.exp,
  tokenLineage: about.tokenLineage,
  requestId: about.requestId,
})

/** Whether it is what somebody said yes to, and whoever would be asked now was asked then. */
const isApproved = ({ about, action, needs }: Allowed, approved: ApprovedAction): boolean =>
  action.digest === approved.actionDigest &&
  about.actionTypeVersion === approved.actionTypeVersion &&
  covers(approved.needs, needs)

/** What the account says of what the bounds allow, and something else does not. */
const allowedBy = ({ about, because }: Allowed) => ({ ...about, because })

type Allowed = Considered & { readonly refusal?: never }

const keyOf = ({ claims, action, askedWith }: Allowed, turn: string) =>
  turnKey({ delegationId: claims.delegation_id, resource: claims.aud, turn, actionDigest: action.digest, askedWith })
