import { LRUCache } from 'lru-cache'
import type { Resource } from '../../core/action/resource.ts'
import type { AgentInstance, Client, ClientKey, ClientKind, PublicJwk, Status } from '../../core/agent/client.ts'
import { type ChainedDelegation, type Delegable, NOT_DELEGABLE } from '../../core/delegation/delegation.ts'
import type { DownstreamRule, DownstreamRules } from '../../core/delegation/downstream.ts'
import type { Limits } from '../../core/delegation/limits.ts'
import type { JsonValue } from '../../core/json.ts'
import type { Directory } from '../../ports.ts'
import type { Catalogue } from './catalogue.ts'
import type { Query } from './open-database.ts'

/** About 2 kB an entry. */
const REMEMBERED = 20_000
/** `action_types` of a resource that its administrator did not narrow. */
export const ANY_ACTION_TYPE = '*'

/**
 * What issuances rest on, read by one statement each and remembered.
 *
 * Nothing here has to be invalidated: a remembered yes is checked again by the commit, a remembered no is read afresh by
 * the command before it is said.
 */
export function directory(query: Query, catalogue: Catalogue): Directory {
  const clients = new LRUCache<string, Client>({ max: REMEMBERED })
  const instances = new LRUCache<string, OwnedInstance>({ max: REMEMBERED })
  const delegations = new LRUCache<string, ChainedDelegation>({ max: REMEMBERED })
  const resources = new LRUCache<string, Resource>({ max: REMEMBERED })
  const downstream = new LRUCache<string, DownstreamRules>({ max: REMEMBERED })
  const instance = remembering(instances, (kid) => readInstance(query, kid))
  return {
    client: remembering(clients, (id) => readClient(query, id)),
    // A thumbprint is of one key, whoever has it: found by it alone, and then by whose it is.
    instance: async (agentId, kid, freshness) => {
      const found = await instance(kid, freshness)
      return found?.agentId === agentId ? found : undefined
    },
    delegation: remembering(delegations, (id) => readDelegation(query, id)),
    resource: remembering(resources, (identifier) => readResource(query, identifier)),
    actionType: catalogue.find,
    downstream: remembering(downstream, (id) => readDownstream(query, id)),
  }
}

function remembering<Value extends object>(
  cache: LRUCache<string, Value>,
  read: (id: string) => Promise<Value | undefined>,
): (id: string, freshness: 'cached' | 'fresh') => Promise<Value | undefined> {
  return async (id, freshness) => {
    const known = freshness === 'cached' ? cache.get(id) : undefined
    if (known !== undefined) return known
    const value = await read(id)
    if (value === undefined) cache.delete(id)
    else cache.set(id, value)
    return value
  }
}

interface ClientRow {
  readonly id: string
  readonly kind: ClientKind
  readonly status: Status
  readonly scope: readonly string[] | null
  readonly identifier: string | null
  readonly keys: readonly { readonly kid: string; readonly jwk: PublicJwk; readonly expires_at: string | null }[]
}

export async function readClient(query: Query, id: string): Promise<Client | undefined> {
  const [row] = await query<ClientRow>(
    `SELECT i.id, i.kind::text AS kind, coalesce(a.status, r.status, d.status)::text AS status, d.scope, r.identifier, (
       SELECT coalesce(json_agg(json_build_object('kid', k.kid, 'jwk', k.jwk, 'expires_at', k.expires_at) ORDER BY k.created_at), '[]')
       FROM key k WHERE k.owner_id = i.id AND k.status = 'active' AND k.vouched_by IS NULL) AS keys
     FROM identity i
     LEFT JOIN agent a ON a.id = i.id LEFT JOIN resource r ON r.id = i.id LEFT JOIN administrator d ON d.id = i.id
     WHERE i.id = $1 AND i.kind <> 'principal'`,
    [id],
    'read_client',
  )
  if (row === undefined) return undefined
  return {
    id: row.id,
    kind: row.kind,
    status: row.status,
    scope: row.scope ?? [],
    ...(row.identifier !== null && { identifier: row.identifier }),
    keys: row.keys.map(
      ({ kid, jwk, expires_at }): ClientKey =>
        expires_at === null ? { kid, jwk } : { kid, jwk, expiresAt: new Date(expires_at) },
    ),
  }
}

/** An instance and whose it is. */
type OwnedInstance = AgentInstance & { readonly agentId: string }

async function readInstance(query: Query, kid: string): Promise<OwnedInstance | undefined> {
  const [row] = await query<{ owner_id: string; vouched_by: string; expires_at: Date }>(
    `SELECT owner_id, vouched_by, expires_at FROM key WHERE kid = $1 AND status = 'active' AND vouched_by IS NOT NULL`,
    [kid],
    'read_instance',
  )
  return row && { kid, agentId: row.owner_id, vouchedBy: row.vouched_by, expiresAt: row.expires_at }
}

interface DelegationRow {
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
  readonly not_before: Date | null
  readonly expires_at: Date
  readonly lineage: readonly string[]
  readonly status: 'active' | 'revoked'
}

/** A delegation and all its ancestors, by one statement. */
async function readDelegation(query: Query, id: string): Promise<ChainedDelegation | undefined> {
  const rows = await query<DelegationRow>(
    `SELECT d.id, d.agent_id, a.status::text AS agent_status, a.version AS agent_version, a.limits AS agent_limits,
       d.principal_id, p.status::text AS principal_status, d.resource, d.authorization_details, d.limits, d.delegable,
       d.not_before, d.expires_at, d.lineage, d.status::text AS status
     FROM delegation leaf JOIN delegation d ON d.id = ANY (leaf.lineage)
     JOIN principal p ON p.id = d.principal_id JOIN agent a ON a.id = d.agent_id
     WHERE leaf.id = $1 ORDER BY cardinality(d.lineage)`,
    [id],
    'read_delegation',
  )
  const chain = rows.map(toLink)
  const leaf = chain.pop()
  if (leaf === undefined) return undefined
  // A chain that is not whole is none.
  if (chain.length + 1 !== leaf.lineage.length) throw new Error(`the lineage of delegation ${id} is not whole`)
  return { ...leaf, ancestors: chain }
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
  readonly id: string
  readonly identifier: string
  readonly status: Status
  readonly version: number
  readonly action_types: readonly string[]
  readonly token_lifetime_seconds: number | null
  readonly token_content: 'full' | 'digest'
  readonly limits: Limits | null
}

async function readResource(query: Query, identifier: string): Promise<Resource | undefined> {
  const [row] = await query<ResourceRow>(
    `SELECT id, identifier, status::text AS status, version, action_types, token_lifetime_seconds,
       token_content::text AS token_content, limits
     FROM resource WHERE identifier = $1`,
    [identifier],
    'read_resource',
  )
  if (row === undefined) return undefined
  return {
    id: row.id,
    identifier: row.identifier,
    status: row.status,
    version: row.version,
    actionTypes: row.action_types.includes(ANY_ACTION_TYPE) ? 'all' : row.action_types,
    ...(row.token_lifetime_seconds !== null && { tokenLifetimeSeconds: row.token_lifetime_seconds }),
    tokenContent: row.token_content,
    ...(row.limits !== null && { limits: row.limits }),
  }
}

/** Rules and the version that they are part of, by one statement: a commit notices when either changed. */
async function readDownstream(query: Query, id: string): Promise<DownstreamRules | undefined> {
  const [row] = await query<{ version: number; rules: readonly DownstreamRule[] }>(
    `SELECT r.version, (
       SELECT coalesce(json_agg(json_build_object('id', d.id, 'from', d.from_bound, 'toResource', d.to_resource,
         'authorizationDetails', d.authorization_details, 'maxPerToken', d.max_per_token) ORDER BY d.id), '[]')
       FROM downstream_rule d WHERE d.resource_id = r.id AND d.removed_at IS NULL) AS rules
     FROM resource r WHERE r.id = $1`,
    [id],
    'read_downstream',
  )
  return row
}
