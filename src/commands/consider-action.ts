import { type Action, digestMembers } from '../core/action/parse-action.ts'
import type { Resource } from '../core/action/resource.ts'
import { actorClaim } from '../core/agent/actor-chain.ts'
import { isKeyCurrent } from '../core/agent/client.ts'
import { type Charge, chargesOf, type LimitOwner } from '../core/delegation/charge.ts'
import { type ChainedDelegation, chainOf, type Delegation } from '../core/delegation/delegation.ts'
import type { Limits } from '../core/delegation/limits.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { type ActionTokenClaims, actionTokenExpiry } from '../core/token/action-token.ts'
import type {
  Authentication,
  Clock,
  DecidedOn,
  Freshness,
  Ids,
  RecordEntry,
  SubjectToken,
  SubjectTokens,
} from '../ports.ts'
import { type JudgePorts, judgeAction, type Wish } from './judge-action.ts'

export interface ConsiderPorts extends JudgePorts {
  readonly issuer: string
  /** Lifetime of an action token where its resource does not say. Unit: seconds. */
  readonly defaultLifetimeSeconds: number
  readonly now: Clock
  readonly ids: Ids
  readonly subjectTokens: SubjectTokens
}

/** What an exchange asks for: nothing in it is believed yet. */
export interface ExchangeWish extends Wish {
  readonly subjectToken: string
  /** The agent's own name for the step it is in; makes the mint idempotent. */
  readonly turn?: string | undefined
  readonly requestId: string
}

/** What can be said about an exchange in the account, however far it came. */
type About = Omit<RecordEntry, 'id' | 'kind'> & { readonly kind: 'action_token' }

export type Considered =
  | { readonly refusal: Refusal; readonly about: About }
  | {
      readonly refusal?: never
      readonly about: About
      readonly action: Action
      readonly claims: ActionTokenClaims
      readonly decidedOn: DecidedOn
      /** What it counts at every limit of the chain. */
      readonly charges: readonly Charge[]
      /** When the delegation ends, and with it every turn of it. NumericDate. */
      readonly turnsUntil: number
    }

/** Steps 2 to 4 on facts of one freshness: decides, writes nothing. */
export async function considerAction(
  ports: ConsiderPorts,
  request: ExchangeWish,
  { client: { id: clientId }, jkt = '', assertionKid }: Authentication,
  freshness: Freshness,
  now: Date,
): Promise<Considered> {
  let about: About = {
    kind: 'action_token',
    client: clientId,
    agent: clientId,
    resource: request.resource,
    ...(request.turn !== undefined && { turn: request.turn }),
    jkt,
    requestId: request.requestId,
  }
  const no = (refusal: Refusal): Considered => ({ refusal, about })

  const agent = await ports.directory.client(clientId, freshness)
  if (agent?.status !== 'active') return no(refuse('client_inactive', 'the agent is not active'))
  if (agent.kind !== 'agent') return no(refuse('grant_not_allowed', 'only an agent exchanges for an action'))
  const isActive = (kid: string) => agent.keys.some((key) => key.kid === kid && isKeyCurrent(key, now))
  if (!isActive(assertionKid)) return no(refuse('assertion_invalid', 'the key of the assertion is not active'))
  if (!isActive(jkt)) return no(refuse('proof_key_mismatch', 'the key of the proof is not active'))

  // For whom: the token names a delegation, the row decides (RFC 8693 §4.4).
  const subject = await ports.subjectTokens.verify(request.subjectToken, now)
  if (isRefusal(subject)) return no(subject)
  if (subject.agentId !== agent.id) return no(refuse('subject_token_invalid', '"may_act" names another agent'))
  const delegation = await ports.directory.delegation(subject.delegationId, freshness)
  if (delegation === undefined || !isNamedBy(delegation, subject)) {
    return no(refuse('subject_token_invalid', '"subject_token" names no delegation to this agent'))
  }

  const judged = await judgeAction(ports, delegation, request, freshness, now)
  about = { ...about, ...judged.about }
  if (judged.refusal !== undefined) return no(judged.refusal)
  const { action, resource, because } = judged
  const charges = chargesAlong(delegation, resource, action)
  if (isRefusal(charges)) return no(charges)

  const chain = chainOf(delegation)
  const iat = Math.floor(now.getTime() / 1_000)
  const lifetimeSeconds = resource.tokenLifetimeSeconds ?? ports.defaultLifetimeSeconds
  const exp = chain.reduce(
    (earliest, { expiresAt }) => Math.min(earliest, actionTokenExpiry(now, lifetimeSeconds, expiresAt)),
    Number.POSITIVE_INFINITY,
  )
  if (exp <= iat) return no(refuse('delegation_inactive', 'the delegation expires now'))
  const claims: ActionTokenClaims = {
    iss: ports.issuer,
    aud: resource.identifier,
    sub: delegation.principal.id,
    client_id: agent.id,
    // Who acts is outermost, the agents it was given on by are inside (RFC 8693 §4.1).
    act: actorClaim(ports.issuer, chain.map(({ agentId }) => agentId).toReversed()),
    cnf: { jkt },
    authorization_details: [resource.tokenContent === 'digest' ? digestMembers(action) : action.details],
    delegation_id: delegation.id,
    txn: ports.ids.random(),
    ...(request.turn !== undefined && { turn: request.turn }),
    jti: ports.ids.random(),
    iat,
    exp,
  }
  about = {
    ...about,
    jti: claims.jti,
    txn: claims.txn,
    because,
    tokenIssuedAt: iat,
    tokenExpiresAt: exp,
  }
  const decidedOn = {
    assertionKid,
    lineage: delegation.lineage,
    actors: chain.map(({ agent: { id, version } }) => ({ id, version })),
    resourceId: resource.id,
    resourceVersion: resource.version,
  }
  const turnsUntil = delegation.expiresAt.getTime() / 1_000
  return { about, action, claims, decidedOn, charges, turnsUntil }
}

/** What the action counts at the limits of every delegation of the chain, of every agent of it, and of the resource. */
export function chargesAlong(
  delegation: ChainedDelegation,
  resource: Resource,
  action: Action,
): readonly Charge[] | Refusal<'limit_not_countable'> {
  const limited: [LimitOwner, Limits | undefined][] = [
    ...chainOf(delegation)
      .toReversed()
      .flatMap(({ id, limits, expiresAt, agent }): [LimitOwner, Limits | undefined][] => [
        [{ kind: 'delegation', id, until: expiresAt }, limits],
        [{ kind: 'agent', id: agent.id }, agent.limits],
      ]),
    [{ kind: 'resource', id: resource.id }, resource.limits],
  ]
  const charges: Charge[] = []
  for (const [owner, limits] of limited) {
    const counted = limits === undefined ? [] : chargesOf(owner, limits, action)
    if (isRefusal(counted)) return counted
    charges.push(...counted)
  }
  return charges
}

/** The row and the token tell the same story, or the token is not of this delegation. */
const isNamedBy = (delegation: Delegation, subject: SubjectToken) =>
  delegation.agentId === subject.agentId && delegation.principal.id === subject.principalId
