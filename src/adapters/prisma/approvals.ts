import type { Answered, ApprovalFilter, ApprovalState, Approvals, StoredApproval } from '../../approval-ports.ts'
import type { ApprovalNeed } from '../../core/policy/approval-need.ts'
import type { Query } from './open-database.ts'

/** Seconds that each poll too many adds to the interval, and where that ends (CIBA Core §11). */
const SLOWER_SECONDS = 5
const MAX_INTERVAL_SECONDS = 300
/** Clocks and networks differ: a poll may come so much too early. Unit: seconds. */
const TOLERANCE_SECONDS = 0.5

/** Approvals as the database keeps them; what decides is decided there, in functions of the migrations. */
export function approvals(query: Query): Approvals {
  const findBy = async (column: 'id' | 'auth_req_id', value: string) => {
    const [row] = await query<ApprovalRow>(`${SELECT} WHERE a.${column} = $1`, [value])
    return row && toApproval(row)
  }
  return {
    find: (id) => findBy('id', id),
    findByAuthReqId: (authReqId) => findBy('auth_req_id', authReqId),
    page: async (filter, { after, limit }) => {
      const { conditions, params } = conditionsOf(filter, after)
      const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
      const rows = await query<ApprovalRow>(`${SELECT} ${where} ORDER BY a.id DESC LIMIT ${Math.trunc(limit)}`, params)
      return rows.map(toApproval)
    },
    answer: async ({ id, approver, administrator, isYes, loginId, recordId, requestId }) => {
      const [answered] = await query<Answered>(
        'SELECT outcome, state FROM writ_answer_approval($1, $2, $3, $4, $5, $6::uuid, $7)',
        [id, approver, administrator ?? null, isYes, loginId ?? null, recordId, requestId],
      )
      if (answered === undefined) throw new Error('the database did not say what became of an answer')
      return answered
    },
    countPoll: async (id) => {
      const [row] = await query<PollRow>(COUNT_POLL, [id])
      // Decided between two statements: the next poll is told so.
      if (row === undefined) return { isTooSoon: false, intervalSeconds: SLOWER_SECONDS, expiresInSeconds: 1 }
      const { too_soon, interval_seconds, expires_in } = row
      return { isTooSoon: too_soon, intervalSeconds: interval_seconds, expiresInSeconds: expires_in }
    },
    makeVoid: async (id) => {
      await query(
        `UPDATE approval a SET state = 'void', decided_at = clock_timestamp() WHERE a.id = $1 AND a.state IN ('pending', 'approved')
           AND (NOT writ_approval_stands(a, clock_timestamp()) OR (a.state = 'approved' AND NOT writ_approval_is_backed(a)))`,
        [id],
      )
    },
    pingWith: async (id, sealed) => {
      const hex = Buffer.from(sealed).toString('hex')
      const changed = await query(
        `UPDATE approval SET notification_token = decode($2, 'hex') WHERE id = $1 AND state = 'pending' RETURNING id`,
        [id, hex],
      )
      if (changed.length > 0) return
      const replaced = await query(REPLACE_PING, [id, hex])
      if (replaced.length === 0) await query(PING_DECIDED, [id, hex])
    },
  }
}

interface PollRow {
  readonly too_soon: boolean
  readonly interval_seconds: number
  readonly expires_in: number
}

/** Sent to where the agent is pinged now, with what it expects now, and soon: its own earlier endpoint may be somebody else's. */
const REPLACE_PING = `
  UPDATE notification n SET sealed = decode($2, 'hex'), url = g.backchannel_client_notification_endpoint,
    next_try_at = least(n.next_try_at, now())
  FROM approval a JOIN agent g ON g.id = a.agent_id AND g.status = 'active' AND g.backchannel_token_delivery_mode = 'ping'
    AND g.backchannel_client_notification_endpoint IS NOT NULL
  WHERE n.approval_id = $1 AND a.id = n.approval_id AND n.kind = 'ping' AND n.delivered_at IS NULL
    AND n.expires_at > clock_timestamp() RETURNING n.id`

/** One at a time: whoever asks again and again is told once. */
const PING_DECIDED = `
  INSERT INTO notification (id, kind, approval_id, url, sealed, expires_at)
  SELECT 'ntf_' || gen_random_uuid(), 'ping', a.id, g.backchannel_client_notification_endpoint, decode($2, 'hex'), a.expires_at
  FROM approval a JOIN agent g ON g.id = a.agent_id AND g.status = 'active' AND g.backchannel_token_delivery_mode = 'ping'
    AND g.backchannel_client_notification_endpoint IS NOT NULL
  WHERE a.id = $1 AND a.state IN ('approved', 'denied', 'void') AND NOT EXISTS (
    SELECT 1 FROM notification WHERE approval_id = a.id AND kind = 'ping' AND delivered_at IS NULL
      AND expires_at > clock_timestamp())`

/** The row is locked before the clock is read: of polls that come at once one is in time. */
const COUNT_POLL = `
  WITH held AS (SELECT a.id, a.next_poll_at, a.interval_seconds FROM approval a WHERE a.id = $1 AND a.state = 'pending' FOR UPDATE),
  poll AS (
    SELECT h.id, coalesce(h.next_poll_at > clock_timestamp(), false) AS too_soon, h.interval_seconds FROM held h),
  paced AS (
    SELECT p.id, p.too_soon, CASE WHEN p.too_soon
      THEN least(p.interval_seconds + ${SLOWER_SECONDS}, ${MAX_INTERVAL_SECONDS}) ELSE p.interval_seconds END AS seconds FROM poll p)
  UPDATE approval a SET interval_seconds = p.seconds,
    next_poll_at = clock_timestamp() + make_interval(secs => p.seconds - ${TOLERANCE_SECONDS})
  FROM paced p WHERE a.id = p.id
  RETURNING p.too_soon, a.interval_seconds, greatest(1, floor(extract(epoch FROM a.expires_at - clock_timestamp())))::int AS expires_in`

/** `expired` is no state of its own in the database. */
const STATE = `CASE WHEN a.state IN ('pending', 'approved') AND a.expires_at <= clock_timestamp() THEN 'expired' ELSE a.state::text END`

const SELECT = `
  SELECT a.id, a.auth_req_id, ${STATE} AS state, writ_approval_stands(a, clock_timestamp()) AS stands, a.delegation_id,
    a.principal_id, p.name AS principal_name, p.kind::text AS principal_kind, a.agent_id, g.name AS agent_name, a.jkt, a.resource,
    a.action, a.action_digest, a.action_type, a.action_type_version, a.turn, a.purpose, a.needs, a.created_at, a.expires_at,
    a.decided_at, a.jti, a.interval_seconds,
    (SELECT coalesce(json_agg(json_build_object('id', x.id, 'name', x.name) ORDER BY l.place), '[]')
      FROM delegation d CROSS JOIN LATERAL unnest(d.lineage) WITH ORDINALITY AS l (id, place)
      JOIN delegation e ON e.id = l.id JOIN agent x ON x.id = e.agent_id WHERE d.id = a.delegation_id) AS chain,
    (SELECT coalesce(json_agg(json_build_object('id', l.id, 'name', coalesce(x.name, l.id)) ORDER BY l.place), '[]')
      FROM unnest(a.approvers) WITH ORDINALITY AS l (id, place) LEFT JOIN principal x ON x.id = l.id) AS approvers,
    (SELECT coalesce(json_agg(json_build_object('approver', v.approver, 'answeredBy', v.answered_by, 'isYes', v.is_yes,
        'at', extract(epoch FROM v.at)) ORDER BY v.at, v.approver), '[]')
      FROM approval_vote v WHERE v.approval_id = a.id) AS votes
  FROM approval a JOIN principal p ON p.id = a.principal_id JOIN agent g ON g.id = a.agent_id`

interface ApprovalRow {
  readonly id: string
  readonly auth_req_id: string
  readonly state: ApprovalState
  readonly stands: boolean
  readonly delegation_id: string
  readonly principal_id: string
  readonly principal_name: string
  readonly principal_kind: StoredApproval['principal']['kind']
  readonly agent_id: string
  readonly agent_name: string
  readonly jkt: string
  readonly resource: string
  readonly action: string
  readonly action_digest: string
  readonly action_type: string
  readonly action_type_version: number
  readonly turn: string | null
  readonly purpose: string | null
  readonly needs: readonly ApprovalNeed[]
  readonly created_at: Date
  readonly expires_at: Date
  readonly decided_at: Date | null
  readonly jti: string | null
  readonly interval_seconds: number
  readonly chain: StoredApproval['chain']
  readonly approvers: StoredApproval['approvers']
  readonly votes: readonly (Omit<StoredApproval['votes'][number], 'at'> & { readonly at: number })[]
}

const toApproval = (row: ApprovalRow): StoredApproval => ({
  id: row.id,
  authReqId: row.auth_req_id,
  state: row.state,
  isStanding: row.stands,
  delegationId: row.delegation_id,
  principal: { id: row.principal_id, name: row.principal_name, kind: row.principal_kind },
  agent: { id: row.agent_id, name: row.agent_name },
  chain: row.chain,
  jkt: row.jkt,
  resource: row.resource,
  action: row.action,
  actionDigest: row.action_digest,
  actionType: row.action_type,
  actionTypeVersion: row.action_type_version,
  turn: row.turn,
  purpose: row.purpose,
  needs: row.needs,
  approvers: row.approvers,
  votes: row.votes.map(({ at, ...vote }) => ({ ...vote, at: new Date(at * 1_000) })),
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  decidedAt: row.decided_at,
  jti: row.jti,
  intervalSeconds: row.interval_seconds,
})

function conditionsOf({ approver, agent, principal, state }: ApprovalFilter, after: string | undefined) {
  const params: unknown[] = []
  const conditions: string[] = []
  const add = (value: unknown, condition: (place: string) => string) => {
    if (value === undefined) return
    params.push(value)
    conditions.push(condition(`$${params.length}`))
  }
  add(approver, (place) => `a.approvers @> ARRAY[${place}]::text[]`)
  add(agent, (place) => `a.agent_id = ${place}`)
  add(principal, (place) => `a.principal_id = ${place}`)
  add(state, (place) => `${STATE} = ${place}`)
  add(after, (place) => `a.id < ${place}`)
  return { conditions, params }
}
