import { ownerKey } from '../../core/delegation/charge.ts'
import type { RefusalCode } from '../../core/refusal.ts'
import type { CommitEntry, CommitOutcome, Issuance } from '../../ports.ts'
import type { Query } from './open-database.ts'

/** Entries of one flush at most; more wait for the next. */
const MAX_FLUSH = 128
const COMMIT = 'SELECT n, outcome, stored, reached, claims FROM writ_commit($1::jsonb, $2::jsonb, $3::int)'

/** Entries that may wait; one more is refused at once, as if the database were away. */
const MAX_WAITING = 10_000

/** The database does not keep up: nothing was written for this entry. */
export class CommitQueueFull extends Error {
  override readonly name = 'CommitQueueFull'
}

interface Waiting {
  readonly entry: CommitEntry
  /** As `performance.now()` tells it. */
  readonly since: number
  readonly resolve: (outcome: CommitOutcome) => void
  readonly reject: (error: unknown) => void
}

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
 * Concurrent issuances share one round trip: entries are collected while a flush is under way, then go together.
 *
 * An entry that PostgreSQL rejects must refuse only its own caller, so a flush that fails as a whole is repeated entry by
 * entry; it was rolled back, so nothing is done twice. When the database went away nobody knows whether it was committed:
 * then nothing is repeated and nothing is signed.
 */
export function groupCommit(
  query: Query,
  storedRefusalsPerHour: number,
  isUnavailable: (error: unknown) => boolean,
): GroupCommit {
  const waiting: Waiting[] = []
  let flushing: Promise<void> | undefined

  const commit = async (entries: readonly CommitEntry[]): Promise<CommitOutcome[]> => {
    const [rows, marks] = [entries.map(toRow), entries.flatMap(toMarks)]
    const answers = await query<OutcomeRow>(
      COMMIT,
      [JSON.stringify(rows), JSON.stringify(marks), storedRefusalsPerHour],
      'writ_commit',
    )
    const outcomes = entries.map((_, n) => answers.find((answer) => answer.n === n))
    return outcomes.map((answer) => {
      if (answer === undefined) throw new Error('the commit did not answer for every entry')
      return toOutcome(answer)
    })
  }
  const flush = async (batch: readonly Waiting[]) => {
    try {
      const outcomes = await commit(batch.map(({ entry }) => entry))
      for (const [n, { resolve }] of batch.entries()) resolve(outcomes[n] as CommitOutcome)
    } catch (error) {
      if (isUnavailable(error)) {
        // Whoever waits would only wait for the same: nobody is served by standing in line for a database that is away.
        for (const { reject } of [...batch, ...waiting.splice(0)]) reject(error)
      } else if (batch.length > 1) {
        for (const one of batch) await flush([one])
      } else {
        await keepMarks(batch[0] as Waiting, error)
      }
    }
  }
  /** An entry that the database rejects is a fault; what it had used up is used up all the same. */
  const keepMarks = async ({ entry, reject }: Waiting, error: unknown) => {
    const { attemptId, marks } = entry
    if (marks.length > 0) await commit([{ attemptId, marks, decision: 'none' }]).catch(() => undefined)
    reject(error)
  }
  const flushAll = async () => {
    // What arrived in this turn of the event loop goes together.
    await new Promise(setImmediate)
    while (waiting.length > 0) {
      await flush(waiting.splice(0, MAX_FLUSH))
    }
    flushing = undefined
  }
  return {
    commit: (entry) =>
      new Promise((resolve, reject) => {
        if (waiting.length >= MAX_WAITING) return reject(new CommitQueueFull('too many requests wait for the database'))
        waiting.push({ entry, since: performance.now(), resolve, reject })
        flushing ??= flushAll()
      }),
    drain: async () => {
      while (flushing !== undefined) await flushing
    },
    waiting: () => waiting.length,
    behindMs: () => (waiting.length > MAX_FLUSH ? performance.now() - (waiting[0] as Waiting).since : 0),
  }
}

function toOutcome({ outcome, stored, reached, claims }: OutcomeRow): CommitOutcome {
  if (outcome === 'stale') return { outcome: 'stale' }
  if (outcome === 'ok') return { outcome: 'committed', isStored: stored }
  if (outcome === 'repeat' && claims !== null) return { outcome: 'repeat', claimsJson: claims }
  return { outcome: 'refused', code: outcome as RefusalCode, isStored: stored, ...(reached !== null && { reached }) }
}

/** The entry as the function's `entries` parameter names its members. */
function toRow(entry: CommitEntry, n: number): object {
  if (entry.decision === 'none') return { n, decision: 'none' }
  const { record } = entry
  return {
    n,
    decision: entry.decision,
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
    token_lineage: record.tokenLineage,
    request_id: record.requestId,
    ...(entry.decision === 'issued' && toGrounds(entry)),
  }
}

const toGrounds = ({ attemptId, decidedOn, charges, turn }: CommitEntry & { readonly decision: 'issued' }) => ({
  request: attemptId,
  assertion_kid: decidedOn.assertionKid,
  lineage: decidedOn.lineage,
  actors: decidedOn.actors.map(({ id }) => id),
  actor_versions: decidedOn.actors.map(({ version }) => version),
  resource_id: decidedOn.resourceId,
  resource_version: decidedOn.resourceVersion,
  client_version: decidedOn.clientVersion,
  charges: charges.map(({ owner, rule, max, amount, seconds, label }) => ({
    ...{ owner: ownerKey(owner), rule, max, amount, seconds, label },
    ...(owner.until !== undefined && { until: owner.until.getTime() / 1_000 }),
  })),
  ...(turn !== undefined && { turn_key: turn.key, turn_until: turn.until, claims: turn.claimsJson }),
})

const toMarks = (entry: CommitEntry, n: number) =>
  entry.marks.map(({ kind, key, until, issuedAt }) => ({
    n,
    request: entry.attemptId,
    kind,
    key,
    until,
    issued: issuedAt,
  }))
