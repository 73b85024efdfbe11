import type { ApprovalToOpen, OpenedApproval } from '../../approval-ports.ts'
import { type Charge, ownerKey } from '../../core/delegation/charge.ts'
import { allApprovers } from '../../core/policy/approval-need.ts'
import type { RefusalCode } from '../../core/refusal.ts'
import type { CommitEntry, CommitOutcome, Issuance } from '../../ports.ts'
import { grouped } from './grouped.ts'
import type { Query } from './open-database.ts'

const COMMIT = 'SELECT n, outcome, stored, reached, claims FROM writ_commit($1::jsonb, $2::jsonb, $3::int)'

interface OutcomeRow {
  readonly n: number
  readonly outcome: string
  readonly stored: boolean
  readonly reached: number | null
  readonly claims: string | null
}

export interface GroupCommit extends Issuance {
  /** Waits until everything that was handed in has its answer. */
  readonly drain: () => Promise<void>
  /** Entries that wait for the next flush. */
  readonly waiting: () => number
  /** How long the first has waited, where more wait than the next flush takes; else 0. Unit: ms. */
  readonly behindMs: () => number
}

/**
 * Concurrent issuances share one round trip (`grouped`).
 *
 * A flush that fails as a whole was rolled back, so nothing is done twice when it is repeated entry by entry. When the database
 * went away nobody knows whether it was committed: then nothing is repeated and nothing is signed.
 */
export function groupCommit(
  query: Query,
  storedRefusalsPerHour: number,
  isUnavailable: (error: unknown) => boolean,
): GroupCommit {
  const askAll = async (entries: readonly CommitEntry[]): Promise<CommitOutcome[]> => {
    const [rows, marks] = [entries.map(toRow), entries.flatMap(toMarks)]
    const answers = await query<OutcomeRow>(
      COMMIT,
      [JSON.stringify(rows), JSON.stringify(marks), storedRefusalsPerHour],
      'writ_commit',
    )
    const byEntry = new Map(answers.map((answer) => [answer.n, answer]))
    return entries.map((_, n) => {
      const answer = byEntry.get(n)
      if (answer === undefined) throw new Error('the commit did not answer for every entry')
      return toOutcome(answer)
    })
  }
  /** An entry that the database rejects is a fault; what it had used up is used up all the same. */
  const afterRejection = async ({ attemptId, marks }: CommitEntry) => {
    if (marks.length > 0) await askAll([{ attemptId, marks, decision: 'none' }])
  }
  const { ask, ...queue } = grouped({ askAll, isUnavailable, afterRejection })
  return { commit: ask, ...queue }
}

function toOutcome({ outcome, stored, reached, claims }: OutcomeRow): CommitOutcome {
  if (outcome === 'stale') return { outcome: 'stale' }
  if (outcome === 'ok') return { outcome: 'committed', isStored: stored }
  if (outcome === 'repeat' && claims !== null) return { outcome: 'repeat', claimsJson: claims }
  if ((outcome === 'pending' || outcome === 'pending_again') && claims !== null) {
    return { outcome: 'pending', opened: toOpened(claims, outcome === 'pending') }
  }
  return { outcome: 'refused', code: outcome as RefusalCode, isStored: stored, ...(reached !== null && { reached }) }
}

function toOpened(json: string, isNew: boolean): OpenedApproval {
  const { id, auth_req_id: authReqId, expires_in, interval } = JSON.parse(json)
  return { id, authReqId, expiresInSeconds: Number(expires_in), intervalSeconds: Number(interval), isNew }
}

/**
 * The entry as the function's `entries` parameter names its members.
 *
 * One object literal, whatever the decision: what is undefined is left out of the JSON text, and objects that are put together
 * from parts would cost several times as much for every exchange.
 */
function toRow(entry: CommitEntry, n: number): object {
  if (entry.decision === 'none') return { n, decision: 'none' }
  const { record, decision } = entry
  const issued = decision === 'refused' ? undefined : entry
  const { decidedOn } = entry
  const turn = issued?.turn
  return {
    n,
    decision,
    id: record.id,
    kind: record.kind,
    refusal: record.refusal,
    detail: record.detail,
    client: record.client,
    agent: record.agent,
    principal: record.principal,
    delegation: record.delegation,
    resource: record.resource,
    action_type: record.actionType,
    action_type_version: record.actionTypeVersion,
    action: record.action,
    action_digest: record.actionDigest,
    claims_digest: record.claimsDigest,
    jti: record.jti,
    jkt: record.jkt,
    txn: record.txn,
    turn: record.turn,
    because: record.because,
    token_issued_at: record.tokenIssuedAt,
    token_expires_at: record.tokenExpiresAt,
    // Never left out: of an array that is not there SQL does not know whether it is empty, and would look for its last token.
    token_lineage: record.tokenLineage ?? [],
    request_id: record.requestId,
    request: issued?.attemptId,
    assertion_kid: decidedOn?.assertionKid,
    lineage: decidedOn?.lineage,
    actors: decidedOn?.actors.map(({ id }) => id),
    actor_versions: decidedOn?.actors.map(({ version }) => version),
    resource_id: decidedOn?.resourceId,
    resource_version: decidedOn?.resourceVersion,
    client_version: decidedOn?.clientVersion,
    knows_rule: decidedOn?.knowsRule,
    approval: decision === 'issued' ? entry.approval : undefined,
    opens: decision === 'pending' ? toOpens(entry.opens) : undefined,
    charges: issued?.charges.map(toCharge),
    turn_key: turn?.key,
    turn_until: turn?.until,
    claims: turn?.claimsJson,
  }
}

/** Approvals of one agent and principal that may wait at once (wire contract, section 9). */
const MAX_PENDING = 20

const toOpens = ({ id, authReqId, needs, purpose, lifetimeSeconds, until, notificationToken }: ApprovalToOpen) => ({
  ...{ id, auth_req_id: authReqId, needs, approvers: allApprovers(needs), purpose, seconds: lifetimeSeconds, until },
  notification_token: notificationToken && Buffer.from(notificationToken).toString('hex'),
  max_pending: MAX_PENDING,
})

const toCharge = ({ owner, rule, max, amount, seconds, label }: Charge) => ({
  owner: ownerKey(owner),
  rule,
  max,
  amount,
  seconds,
  label,
  until: owner.until === undefined ? undefined : owner.until.getTime() / 1_000,
})

/** The marks of the entry with this place, as `marks` of writ_commit and writ_introspect. */
export const toMarks = (entry: Pick<CommitEntry, 'attemptId' | 'marks'>, n: number) =>
  entry.marks.map(({ kind, key, until, issuedAt }) => ({
    n,
    request: entry.attemptId,
    kind,
    key,
    until,
    issued: issuedAt,
  }))
