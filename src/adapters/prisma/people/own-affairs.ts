import type { AuditRecord, Page, RegisteredDelegation } from '../../../admin-ports.ts'
import type { Status } from '../../../core/agent/client.ts'
import type { OwnAffairs, OwnAgent, OwnDelegation, OwnEntry } from '../../../me-ports.ts'
import type { Database } from '../open-database.ts'
import { delegationStore } from '../registry/delegations.ts'
import { recordStore } from '../registry/records.ts'
import { openApprovals, openConsents } from './waiting.ts'

/** Of a tree no more is counted; beyond it a page says "at least". */
const MAX_COUNTED = 1_000

/** What a principal sees of its own. Read each time: a page shows how things stand, not how they stood. */
export function ownAffairs({ prisma, query }: Pick<Database, 'prisma' | 'query'>): OwnAffairs {
  const delegations = delegationStore(prisma)
  const records = recordStore(prisma)

  const known = async (found: readonly RegisteredDelegation[], now: Date): Promise<readonly OwnDelegation[]> => {
    if (found.length === 0) return []
    const rows = await query<FactsRow>(FACTS, [found.map(({ id }) => id), now, MAX_COUNTED])
    const byId = new Map(rows.map((row) => [row.id, row]))
    return found.flatMap((delegation) => {
      const row = byId.get(delegation.id)
      if (row === undefined) return []
      return {
        delegation,
        agent: { id: delegation.agentId, name: row.agent_name, status: row.agent_status },
        givenOnBy: row.given_on_by,
        openBelow: Number(row.open_below),
        isInForce: row.is_in_force,
      }
    })
  }
  const agentNames = async (ids: readonly string[]) => {
    if (ids.length === 0) return new Map<string, string>()
    const rows = await query<{ id: string; name: string }>('SELECT id, name FROM agent WHERE id = ANY ($1::text[])', [
      ids,
    ])
    return new Map(rows.map(({ id, name }) => [id, name]))
  }
  const find = async (principalId: string, id: string) => {
    const found = await delegations.find(id)
    return found?.principal.id === principalId ? found : undefined
  }
  const entriesOf = async (found: readonly AuditRecord[]): Promise<readonly OwnEntry[]> => {
    if (found.length === 0) return []
    const [names, uses] = await Promise.all([
      agentNames(unique(found.map(({ agent }) => agent))),
      query<UseRow>(
        `SELECT jti, consumed_at, receipt_outcome, receipt_detail, receipt_at FROM token_use WHERE jti = ANY ($1::text[])`,
        [unique(found.map(({ jti }) => jti))],
      ),
    ])
    const useOf = new Map(uses.map((use) => [use.jti, use]))
    return found.map((record) => {
      // The record of a receipt names the token as well; the use is that of the issuance.
      const use = record.kind === 'action_token' && record.jti !== null ? useOf.get(record.jti) : undefined
      const { receipt_outcome: outcome = null, receipt_at: at = null } = use ?? {}
      return {
        record,
        agentName: record.agent === null ? null : (names.get(record.agent) ?? record.agent),
        consumedAt: use?.consumed_at ?? null,
        receipt: outcome === null || at === null ? null : { outcome, at, detail: use?.receipt_detail ?? null },
      }
    })
  }

  return {
    agentNames,
    waiting: async (principalId) => {
      const rows = await query(WAITING, [principalId])
      return rows.length
    },
    agents: (principalId, now, { after, limit }) =>
      query<AgentRow>(`${AGENTS} WHERE ($3::text IS NULL OR o.agent_id > $3) ORDER BY o.agent_id LIMIT $4::int`, [
        ...[principalId, now, after ?? null, limit],
      ]).then((rows) => rows.map(toAgent)),
    agent: async (principalId, agentId, now) => {
      const [row] = await query<AgentRow>(ONE_AGENT, [principalId, now, agentId])
      return row && toAgent(row)
    },
    delegations: async (principalId, { agent, openAt }, now, page: Page) =>
      known(await delegations.page({ principal: principalId, agent, openAt }, page), now),
    delegation: async (principalId, id, now) => {
      const found = await find(principalId, id)
      return found && (await known([found], now))[0]
    },
    below: async (principalId, id, now, limit) => {
      if ((await find(principalId, id)) === undefined) return []
      const [, ...nodes] = await delegations.tree(id, { after: undefined, limit: limit + 1 }, now)
      return known(
        nodes.map(({ delegation }) => delegation),
        now,
      )
    },
    entries: async (principalId, { agent, delegation, isRefused }, page) =>
      entriesOf(
        await records.page(
          { principal: principalId, agent, delegation, ...(isRefused === true && { decision: 'refused' }) },
          page,
        ),
      ),
  }
}

const unique = (values: readonly (string | null)[]) => [...new Set(values.filter((value) => value !== null))]

interface FactsRow {
  readonly id: string
  readonly agent_name: string
  readonly agent_status: Status
  readonly given_on_by: readonly { readonly id: string; readonly name: string }[]
  readonly open_below: bigint | number
  readonly is_in_force: boolean
}

const FACTS = `SELECT d.id, a.name AS agent_name, a.status::text AS agent_status,
    coalesce((SELECT json_agg(json_build_object('id', x.id, 'name', x.name) ORDER BY l.place)
      FROM unnest(d.lineage) WITH ORDINALITY AS l (id, place) JOIN delegation e ON e.id = l.id JOIN agent x ON x.id = e.agent_id
      WHERE l.id <> d.id), '[]') AS given_on_by,
    (SELECT count(*) FROM (SELECT 1 FROM delegation c WHERE c.lineage @> ARRAY[d.id] AND c.id <> d.id
      AND c.status = 'active' AND c.expires_at > $2::timestamptz LIMIT $3::int) b) AS open_below,
    p.status = 'active' AND NOT EXISTS (
      SELECT 1 FROM unnest(d.lineage) AS l (id) LEFT JOIN delegation e ON e.id = l.id LEFT JOIN agent x ON x.id = e.agent_id
      WHERE e.status IS DISTINCT FROM 'active' OR e.expires_at <= $2::timestamptz OR e.not_before > $2::timestamptz
        OR x.status IS DISTINCT FROM 'active') AS is_in_force
  FROM delegation d JOIN agent a ON a.id = d.agent_id JOIN principal p ON p.id = d.principal_id
  WHERE d.id = ANY ($1::text[])`

interface UseRow {
  readonly jti: string
  readonly consumed_at: Date
  readonly receipt_outcome: 'succeeded' | 'failed' | 'refused' | null
  readonly receipt_detail: string | null
  readonly receipt_at: Date | null
}

interface AgentRow {
  readonly id: string
  readonly name: string
  readonly description: string | null
  readonly owner: string | null
  readonly status: Status
  readonly open_count: bigint | number
  readonly last_issued_at: Date | null
}

const WAITING = `SELECT 1 AS one FROM (SELECT 1 FROM ${openApprovals('$1')}
    AND NOT EXISTS (SELECT 1 FROM approval_vote v WHERE v.approval_id = a.id AND v.approver = $1) LIMIT 100) x
  UNION ALL SELECT 1 FROM (SELECT 1 FROM ${openConsents('$1')} LIMIT 100) y`

const AGENT_COLUMNS = `a.id, a.name, a.description, a.owner, a.status::text AS status, o.open_count,
    (SELECT r.at FROM record r WHERE r.principal = $1 AND r.agent = a.id AND r.kind = 'action_token' AND r.decision = 'issued'
     ORDER BY r.id DESC LIMIT 1) AS last_issued_at`

const OPEN = `status = 'active' AND expires_at > $2::timestamptz`

const AGENTS = `SELECT ${AGENT_COLUMNS} FROM (
    SELECT agent_id, count(*) AS open_count FROM delegation WHERE principal_id = $1 AND ${OPEN} GROUP BY agent_id) o
  JOIN agent a ON a.id = o.agent_id`

const ONE_AGENT = `SELECT ${AGENT_COLUMNS} FROM (
    SELECT agent_id, count(*) FILTER (WHERE ${OPEN}) AS open_count FROM delegation
    WHERE principal_id = $1 AND agent_id = $3 GROUP BY agent_id) o
  JOIN agent a ON a.id = o.agent_id`

const toAgent = ({ open_count, last_issued_at, ...row }: AgentRow): OwnAgent => ({
  ...row,
  openCount: Number(open_count),
  lastIssuedAt: last_issued_at,
})
