import { LRUCache } from 'lru-cache'
import type { Resource } from '../../core/action/resource.ts'
import type { AgentInstance, Client, ClientKey, ClientKind, PublicJwk, Status } from '../../core/agent/client.ts'
import { readApprovalColumn } from '../../core/delegation/approval-rule.ts'
import { type ChainedDelegation, type Delegable, NOT_DELEGABLE } from '../../core/delegation/delegation.ts'
import type { DownstreamRule, DownstreamRules } from '../../core/delegation/downstream.ts'
import type { Limits } from '../../core/delegation/limits.ts'
import { sha256Base64url } from '../../core/hash.ts'
import type { JsonValue } from '../../core/json.ts'
import type { Directory } from '../../ports.ts'
import type { Catalogue } from './catalogue.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import { grouped } from './grouped.ts'
import type { Query } from './open-database.ts'

/** Of each kind. An agent at work takes about 12 kB in all of what is remembered here and elsewhere (`npm run bench -- mem`). */
const REMEMBERED = 10_000
/** `action_types` of a resource that its administrator did not narrow. */
export const ANY_ACTION_TYPE = '*'

/**
 * What issuances rest on, remembered; those that are asked for at once are read together, by one statement of each kind.
 *
 * Nothing here has to be invalidated: a remembered yes is checked again by the commit, a remembered no is read afresh by
 * the command before it is said.
 */
export function directory(query: Query, catalogue: Catalogue): Directory {
  const instance = remembering(query, INSTANCES)
  return {
    client: remembering(query, CLIENTS),
    // A thumbprint is of one key, whoever has it: found by it alone, and then by whose it is.
    instance: async (agentId, kid, freshness) => {
      const found = await instance(kid, freshness)
      return found?.agentId === agentId ? found : undefined
    },
    delegation: remembering(query, DELEGATIONS),
    resource: remembering(query, RESOURCES),
    actionType: catalogue.find,
    downstream: remembering(query, DOWNSTREAM),
  }
}

/** How one kind is read. */
interface Kind<Row extends { readonly asked: string }, Value> {
  readonly name: string
  /** With `$1`, the ids that are asked for; every row says in `asked` for which of them it is. */
  readonly sql: string
  /** @param rows of one id, at least one. */
  readonly read: (rows: readonly [Row, ...Row[]], id: string) => Value
}

function remembering<Row extends { readonly asked: string }, Value extends object>(
  query: Query,
  { name, sql, read }: Kind<Row, Value>,
): (id: string, freshness: 'cached' | 'fresh') => Promise<Value | undefined> {
  const cache = new LRUCache<string, { readonly digest: string; readonly value: Value }>({ max: REMEMBERED })
  const { ask } = grouped<string, readonly Row[]>({
    isUnavailable: isDatabaseUnavailable,
    askAll: async (ids) => {
      const byId = new Map<string, Row[]>(ids.map((id) => [id, []]))
      for (const row of await query<Row>(sql, [[...byId.keys()]], name)) byId.get(row.asked)?.push(row)
      return ids.map((id) => byId.get(id) ?? [])
    },
  })
  return async (id, freshness) => {
    const known = cache.get(id)
    if (known !== undefined && freshness === 'cached') return known.value
    const rows = await ask(id)
    if (rows.length === 0) {
      cache.delete(id)
      return undefined
    }
    // What is as it was stays the same object: what was made of it, such as its parsed bounds, is found by it.
    const digest = sha256Base64url(JSON.stringify(rows))
    if (known?.digest === digest) return known.value
    const value = read(rows as readonly [Row, ...Row[]], id)
    cache.set(id, { digest, value })
    return value
  }
}

interface ClientRow {
  readonly asked: string
  readonly kind: ClientKind
  readonly status: Status
  readonly scope: readonly string[] | null
  readonly identifier: string | null
  readonly keys: readonly { readonly kid: string; readonly jwk: PublicJwk; readonly expires_at: string | null }[]
}

const CLIENTS: Kind<ClientRow, Client> = {
  name: 'read_clients',
  sql: `SELECT i.id AS asked, i.kind::text AS kind, coalesce(a.status, r.status, d.status)::text AS status, d.scope, r.identifier, (
       SELECT coalesce(json_agg(json_build_object('kid', k.kid, 'jwk', k.jwk, 'expires_at', k.expires_at) ORDER BY k.created_at), '[]')
       FROM key k WHERE k.owner_id = i.id AND k.status = 'active' AND k.vouched_by IS NULL) AS keys
     FROM identity i
     LEFT JOIN agent a ON a.id = i.id LEFT JOIN resource r ON r.id = i.id LEFT JOIN administrator d ON d.id = i.id
     WHERE i.id = ANY ($1::text[]) AND i.kind <> 'principal'`,
  read: ([row], id) => ({
    id,
    kind: row.kind,
    status: row.status,
    scope: row.scope ?? [],
    ...(row.identifier !== null && { identifier: row.identifier }),
    keys: row.keys.map(
      ({ kid, jwk, expires_at }): ClientKey =>
        expires_at === null ? { kid, jwk } : { kid, jwk, expiresAt: new Date(expires_at) },
    ),
  }),
}

/** An instance and whose it is. */
type OwnedInstance = AgentInstance & { readonly agentId: string }

interface InstanceRow {
  readonly asked: string
  readonly owner_id: string
  readonly vouched_by: string
  readonly expires_at: Date
}

const INSTANCES: Kind<InstanceRow, OwnedInstance> = {
  name: 'read_instances',
  sql: `SELECT kid AS asked, owner_id, vouched_by, expires_at FROM key
     WHERE kid = ANY ($1::text[]) AND status = 'active' AND vouched_by IS NOT NULL`,
  read: ([row], kid) => ({ kid, agentId: row.owner_id, vouchedBy: row.vouched_by, expiresAt: row.expires_at }),
}

interface DelegationRow {
  readonly asked: string
  readonly id: string
  readonly agent_id: string
  readonly agent_status: Status
  readonly agent_version: number
  readonly agent_limits: Limits | null
  readonly principal_id: string
  readonly principal_status: Status
  readonly resource: string | null
  readonly authorization_details: readonly JsonValue[]
  readonly limits: Limits | null
  readonly delegable: DelegableColumn | null
  readonly approval: unknown
  readonly not_before: Date | null
  readonly expires_at: Date
  readonly lineage: readonly string[]
  readonly status: 'active' | 'revoked'
}

/** Delegations, each with all its ancestors. */
const DELEGATIONS: Kind<DelegationRow, ChainedDelegation> = {
  name: 'read_delegations',
  sql: `SELECT leaf.id AS asked, d.id, d.agent_id, a.status::text AS agent_status, a.version AS agent_version,
       a.limits AS agent_limits, d.principal_id, p.status::text AS principal_status, d.resource, d.authorization_details,
       d.limits, d.delegable, d.approval, d.not_before, d.expires_at, d.lineage, d.status::text AS status
     FROM delegation leaf JOIN delegation d ON d.id = ANY (leaf.lineage)
     JOIN principal p ON p.id = d.principal_id JOIN agent a ON a.id = d.agent_id
     WHERE leaf.id = ANY ($1::text[]) ORDER BY cardinality(d.lineage)`,
  read: (rows, id) => {
    const chain = rows.map(toLink)
    const leaf = chain.pop()
    // A chain that is not whole is none.
    if (leaf === undefined || chain.length + 1 !== leaf.lineage.length) {
      throw new Error(`the lineage of delegation ${id} is not whole`)
    }
    return { ...leaf, ancestors: chain }
  },
}

const toLink = (row: DelegationRow): ChainedDelegation => ({
  id: row.id,
  agentId: row.agent_id,
  agent: {
    ...{ id: row.agent_id, status: row.agent_status, version: row.agent_version },
    ...(row.agent_limits !== null && { limits: row.agent_limits }),
  },
  principal: { id: row.principal_id, status: row.principal_status },
  ...(row.resource !== null && { resource: row.resource }),
  authorizationDetails: row.authorization_details,
  ...(row.limits !== null && { limits: row.limits }),
  delegable: row.delegable === null ? NOT_DELEGABLE : readDelegable(row.delegable),
  approval: readApprovalColumn(row.approval),
  ...(row.not_before !== null && { notBefore: row.not_before }),
  expiresAt: row.expires_at,
  lineage: row.lineage,
  status: row.status,
  ancestors: [],
})

/** How `delegable` is stored. */
export interface DelegableColumn {
  readonly max_depth: number
  readonly agents?: readonly string[]
}

export const readDelegable = ({ max_depth, agents }: DelegableColumn): Delegable => ({
  maxDepth: max_depth,
  ...(agents !== undefined && { agents }),
})

interface ResourceRow {
  readonly asked: string
  readonly id: string
  readonly status: Status
  readonly version: number
  readonly action_types: readonly string[]
  readonly token_lifetime_seconds: number | null
  readonly token_content: 'full' | 'digest'
  readonly limits: Limits | null
}

const RESOURCES: Kind<ResourceRow, Resource> = {
  name: 'read_resources',
  sql: `SELECT identifier AS asked, id, status::text AS status, version, action_types, token_lifetime_seconds,
       token_content::text AS token_content, limits
     FROM resource WHERE identifier = ANY ($1::text[])`,
  read: ([row], identifier) => ({
    id: row.id,
    identifier,
    status: row.status,
    version: row.version,
    actionTypes: row.action_types.includes(ANY_ACTION_TYPE) ? 'all' : row.action_types,
    ...(row.token_lifetime_seconds !== null && { tokenLifetimeSeconds: row.token_lifetime_seconds }),
    tokenContent: row.token_content,
    ...(row.limits !== null && { limits: row.limits }),
  }),
}

interface DownstreamRow {
  readonly asked: string
  readonly version: number
  readonly rules: readonly DownstreamRule[]
}

/** Rules and the version that they are part of, by one statement: a commit notices when either changed. */
const DOWNSTREAM: Kind<DownstreamRow, DownstreamRules> = {
  name: 'read_downstream',
  sql: `SELECT r.id AS asked, r.version, (
       SELECT coalesce(json_agg(json_build_object('id', d.id, 'from', d.from_bound, 'toResource', d.to_resource,
         'authorizationDetails', d.authorization_details, 'maxPerToken', d.max_per_token) ORDER BY d.id), '[]')
       FROM downstream_rule d WHERE d.resource_id = r.id AND d.removed_at IS NULL) AS rules
     FROM resource r WHERE r.id = ANY ($1::text[])`,
  read: ([{ version, rules }]) => ({ version, rules }),
}
