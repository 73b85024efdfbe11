import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Query } from '../../src/adapters/prisma/open-database.ts'
import type { Charge } from '../../src/core/delegation/charge.ts'
import type { CommitEntry, DecidedOn, RecordEntry, ReplayMark, TurnClaim } from '../../src/ports.ts'
import { makeKey, type TestKey } from '../wire/signing.ts'

/** One story as rows: an agent with a key, a principal, a resource, an action type, and a delegation that has a parent. */
export interface Seed {
  readonly agent: string
  readonly key: TestKey
  readonly principal: string
  readonly resource: { readonly id: string; readonly identifier: string }
  readonly type: string
  readonly parent: string
  readonly delegation: string
}

/** Writes a story with names of its own. */
export async function seed(query: Query): Promise<Seed> {
  const tag = randomBytes(5).toString('hex')
  const [agent, principal, id, type] = [`agent-${tag}`, `alice-${tag}`, `mail-${tag}`, `send_${tag}`]
  const identifier = `https://mail-${tag}.example`
  const key = makeKey()
  const [parent, delegation] = [`parent-${tag}`, `child-${tag}`]
  await insertIdentity(query, agent, 'agent')
  await insertIdentity(query, principal, 'principal')
  await insertIdentity(query, id, 'resource')
  await query('INSERT INTO agent (id, name) VALUES ($1, $2)', [agent, 'Planner'])
  await query('INSERT INTO key (kid, owner_id, jwk) VALUES ($1, $2, $3::jsonb)', [
    key.jkt,
    agent,
    JSON.stringify(key.jwk),
  ])
  await query(`INSERT INTO principal (id, kind, name) VALUES ($1, 'person', 'Alice')`, [principal])
  await query(
    'INSERT INTO resource (id, identifier, identifier_folded, name, action_types) VALUES ($1, $2, $2, $3, $4)',
    [id, identifier, 'Mail', ['*']],
  )
  await insertActionType(query, type)
  await insertDelegation(query, { id: parent, agent, principal, lineage: [parent] })
  await insertDelegation(query, { id: delegation, agent, principal, lineage: [parent, delegation] })
  return { agent, key, principal, resource: { id, identifier }, type, parent, delegation }
}

export const insertIdentity = (query: Query, id: string, kind: string) =>
  query('INSERT INTO identity (id, kind) VALUES ($1, $2::identity_kind)', [id, kind])

/** A type whose only member is `to`. */
export const insertActionType = (query: Query, type: string) =>
  query(
    `INSERT INTO action_type (type, title, schema, digestible, template, risk, single_use)
     VALUES ($1, 'Send', $2::jsonb, '{}'::jsonb, 'Send to {to}', 'write', true)`,
    [
      type,
      JSON.stringify({
        type: 'object',
        properties: { to: { type: 'string', maxLength: 100 } },
        required: ['to'],
        additionalProperties: false,
      }),
    ],
  )

export const insertDelegation = (
  query: Query,
  { id, agent, principal, lineage }: { id: string; agent: string; principal: string; lineage: readonly string[] },
) =>
  query(
    `INSERT INTO delegation (id, principal_id, agent_id, authorization_details, granted_by, expires_at, lineage)
     VALUES ($1, $2, $3, $4::jsonb, 'principal', now() + interval '1 hour', $5)`,
    [id, principal, agent, JSON.stringify([{ type: 'email_send' }]), lineage],
  )

export const newMark = (kind: ReplayMark['kind'] = 'proof', name: string = randomUUID()): ReplayMark => ({
  kind,
  key: createHash('sha256').update(name).digest('hex'),
  until: Math.floor(Date.now() / 1_000) + 600,
  issuedAt: Math.floor(Date.now() / 1_000) + 1,
})

/** What an issuance may deviate in. */
export interface Change {
  readonly attemptId?: string
  readonly marks?: readonly ReplayMark[]
  readonly record?: Partial<RecordEntry>
  readonly decidedOn?: Partial<DecidedOn>
  readonly charges?: readonly Charge[]
  readonly turn?: TurnClaim
}

/** An issuance that rests on the seed, right but for its change. */
export function issued(from: Seed, change: Change = {}): CommitEntry & { readonly decision: 'issued' } {
  const attemptId = change.attemptId ?? randomUUID()
  const issuedAt = Math.floor(Date.now() / 1_000)
  return {
    attemptId,
    marks: change.marks ?? [newMark('assertion'), newMark('proof')],
    decision: 'issued',
    record: {
      id: attemptId,
      kind: 'action_token',
      client: from.agent,
      agent: from.agent,
      principal: from.principal,
      delegation: from.delegation,
      resource: from.resource.identifier,
      actionType: from.type,
      actionTypeVersion: 1,
      action: JSON.stringify({ to: 'bob', type: from.type }),
      actionDigest: 'digest',
      claimsDigest: 'claims',
      jti: randomUUID(),
      jkt: from.key.jkt,
      txn: 'txn',
      because: ['bound 0'],
      tokenIssuedAt: issuedAt,
      tokenExpiresAt: issuedAt + 60,
      requestId: 'request',
      ...change.record,
    },
    charges: change.charges ?? [],
    ...(change.turn !== undefined && { turn: change.turn }),
    decidedOn: {
      assertionKid: from.key.jkt,
      lineage: [from.parent, from.delegation],
      actors: [
        { id: from.agent, version: 1 },
        { id: from.agent, version: 1 },
      ],
      resourceId: from.resource.id,
      resourceVersion: 1,
      ...change.decidedOn,
    },
  }
}

/** A refusal of the agent. */
export function refused(
  client: string,
  change: { readonly marks?: readonly ReplayMark[]; readonly record?: Partial<RecordEntry> } = {},
): CommitEntry & { readonly decision: 'refused' } {
  const attemptId = randomUUID()
  return {
    attemptId,
    marks: change.marks ?? [],
    decision: 'refused',
    record: {
      id: attemptId,
      kind: 'action_token',
      client,
      refusal: 'action_not_permitted',
      detail: 'to is outside the bounds',
      ...change.record,
    },
  }
}
