import { type Action, digestMembers } from '../core/action/parse-action.ts'
import { actorClaim } from '../core/agent/actor-chain.ts'
import { isKeyCurrent } from '../core/agent/client.ts'
import type { Charge } from '../core/delegation/charge.ts'
import { type ChainedDelegation, chainOf, type Delegation } from '../core/delegation/delegation.ts'
import type { JsonValue } from '../core/json.ts'
import type { ApprovalNeed } from '../core/policy/approval-need.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { type ActionTokenClaims, actionTokenExpiry } from '../core/token/action-token.ts'
import type {
  Authentication,
  Clock,
  DecidedOn,
  Directory,
  Freshness,
  Ids,
  SubjectToken,
  SubjectTokens,
} from '../ports.ts'
import { type AboutExchange, type Authority, chargesAlong, type Facts, type NoAuthority } from './authority.ts'
import { considerDownstream, type DownstreamPorts } from './consider-downstream.ts'
import { isUnderRule, type Judged, judgeAction, type Wish } from './judge-action.ts'

export interface ConsiderPorts extends DownstreamPorts {
  /** Lifetime of an action token where its resource does not say. Unit: seconds. */
  readonly defaultLifetimeSeconds: number
  readonly now: Clock
  readonly ids: Ids
  readonly subjectTokens: SubjectTokens
}

/** What an exchange asks for: nothing in it is believed yet. */
export interface ExchangeWish extends Wish {
  readonly subjectToken: string
  /** Instead of the subject token: what was approved, with its delegation. */
  readonly approved?: ApprovedAction | undefined
  /** The agent's own name for the step it is in; makes the mint idempotent. */
  readonly turn?: string | undefined
  readonly requestId: string
}

/** What somebody said yes to: nothing else may become of it. */
export interface ApprovedAction {
  /** Of the approval. */
  readonly id: string
  readonly delegationId: string
  readonly principalId: string
  readonly actionDigest: string
  readonly actionTypeVersion: number
  /** Who was asked. */
  readonly needs: readonly ApprovalNeed[]
}

export type Considered =
  | (NoAuthority & { readonly decidedOn?: DecidedOn })
  | {
      readonly refusal?: never
      readonly about: AboutExchange
      /** By what it is allowed. */
      readonly because: JsonValue
      readonly action: Action
      readonly claims: ActionTokenClaims
      readonly decidedOn: DecidedOn
      /** What it counts at every limit that it stands under. */
      readonly charges: readonly Charge[]
      /** Who is to be asked first; empty: nobody. */
      readonly needs: readonly ApprovalNeed[]
      /** For whom it is done, and whom an approval falls back to. */
      readonly principalId: string
      /** When the delegation, or the token that it was asked for with, ends, and with it every turn of it. NumericDate. */
      readonly turnsUntil: number
      /** The action token that it was asked for with: each has turns of its own. */
      readonly askedWith: string | undefined
    }

/** Steps 2 to 4 on facts of one freshness: decides, writes nothing. */
export async function considerAction(
  ports: ConsiderPorts,
  request: ExchangeWish,
  { client: { id: clientId }, jkt = '', assertionKid, instance }: Authentication,
  freshness: Freshness,
  now: Date,
): Promise<Considered> {
  const client = await ports.directory.client(clientId, freshness)
  const about: AboutExchange = {
    kind: 'action_token',
    client: clientId,
    agent: client?.kind === 'resource' ? undefined : clientId,
    resource: request.resource,
    turn: request.turn,
    jkt,
    requestId: request.requestId,
  }
  const no = (refusal: Refusal): Considered => ({ refusal, about })
  if (client?.status !== 'active') return no(refuse('client_inactive', 'the client is not active'))
  if (client.kind === 'administrator') return no(refuse('grant_not_allowed', 'only an agent exchanges for an action'))
  const isActive = (kid: string) => client.keys.some((key) => key.kid === kid && isKeyCurrent(key, now))
  if (!isActive(assertionKid)) return no(refuse('assertion_invalid', 'the key of the assertion is not active'))
  // An instance was looked up to authenticate it, and the commit looks again: only a "no" of the commit could be news here.
  if (instance === undefined && !isActive(jkt)) {
    return no(refuse('proof_key_mismatch', 'the key of the proof is not active'))
  }

  // An agent acts on its delegation, a resource server on the token that it was called with. Nobody on what is another's.
  const authority =
    client.kind === 'agent'
      ? await considerDelegated(ports, clientId, request, about, freshness, now)
      : await considerDownstream(ports, client, request, about, freshness, now)
  if (authority.refusal !== undefined) {
    const { rests } = authority
    return rests === undefined ? authority : { ...authority, decidedOn: decidedOnFacts(assertionKid, rests) }
  }

  const { delegation, action, resource, incoming } = authority
  const chain = chainOf(delegation)
  const iat = Math.floor(now.getTime() / 1_000)
  const lifetimeSeconds = resource.tokenLifetimeSeconds ?? ports.defaultLifetimeSeconds
  const exp = chain.reduce(
    (earliest, { expiresAt }) => Math.min(earliest, actionTokenExpiry(now, lifetimeSeconds, expiresAt)),
    incoming?.exp ?? Number.POSITIVE_INFINITY,
  )
  if (exp <= iat)
    return { refusal: refuse('delegation_inactive', 'the delegation expires now'), about: authority.about }
  const claims: ActionTokenClaims = {
    iss: ports.issuer,
    aud: resource.identifier,
    sub: delegation.principal.id,
    client_id: clientId,
    act: authority.act,
    cnf: { jkt },
    authorization_details: [resource.tokenContent === 'digest' ? digestMembers(action) : action.details],
    delegation_id: delegation.id,
    txn: authority.txn,
    turn: request.turn,
    jti: ports.ids.random(),
    iat,
    exp,
  }
  return {
    about: authority.about,
    because: authority.because,
    action,
    claims,
    decidedOn: decidedOnFacts(assertionKid, authority, isUnderRule(delegation) || undefined, incoming?.clientVersion),
    charges: authority.charges,
    needs: authority.needs,
    principalId: delegation.principal.id,
    turnsUntil: incoming === undefined ? delegation.expiresAt.getTime() / 1_000 : incoming.exp,
    askedWith: incoming?.jti,
  }
}

/** What the commit checks again, of a yes and of a no. */
const decidedOnFacts = (
  assertionKid: string,
  { delegation, resource }: Facts,
  knowsRule?: true,
  clientVersion?: number,
): DecidedOn => ({
  assertionKid,
  lineage: delegation.lineage,
  actors: chainOf(delegation).map(({ agent: { id, version } }) => ({ id, version })),
  resourceId: resource.id,
  resourceVersion: resource.version,
  clientVersion,
  knowsRule,
})

/** An agent on its own delegation. */
async function considerDelegated(
  ports: ConsiderPorts,
  agentId: string,
  request: ExchangeWish,
  known: AboutExchange,
  freshness: Freshness,
  now: Date,
): Promise<Authority | NoAuthority> {
  const delegation =
    request.approved === undefined
      ? await delegationOf(ports, agentId, request.subjectToken, freshness, now)
      : await approvedDelegation(ports, agentId, request.approved, freshness)
  if (isRefusal(delegation)) return { refusal: delegation, about: known }
  const judged = await judgeAction(ports, delegation, request, freshness, now)
  const about = aboutJudged(known, judged.about)
  if (judged.refusal !== undefined) {
    const { refusal, outsideAt } = judged
    return outsideAt === undefined ? { refusal, about } : { refusal, about, rests: { delegation, resource: outsideAt } }
  }
  const { action, resource, because, needs } = judged
  const charges = chargesAlong(delegation, resource, action, true)
  if (isRefusal(charges)) return { refusal: charges, about }
  // Who acts is outermost, the agents it was given on by are inside (RFC 8693 §4.1).
  const actors = chainOf(delegation).map((link) => link.agentId)
  const act = actorClaim(ports.issuer, actors.toReversed())
  return { about, delegation, action, resource, because, charges, needs, act, txn: ports.ids.random() }
}

/** What is known of who asks, and what was found of what is asked: member by member, as `recordOf`. */
const aboutJudged = (known: AboutExchange, judged: Judged['about']): AboutExchange => ({
  kind: known.kind,
  client: known.client,
  agent: known.agent,
  principal: judged.principal,
  delegation: judged.delegation,
  resource: known.resource,
  actionType: judged.actionType,
  actionTypeVersion: judged.actionTypeVersion,
  action: judged.action,
  actionDigest: judged.actionDigest,
  turn: known.turn,
  jkt: known.jkt,
  requestId: known.requestId,
})

/** The delegation of what was approved: the agent need not show its subject token again, the row decides. */
async function approvedDelegation(
  { directory }: { readonly directory: Pick<Directory, 'delegation'> },
  agentId: string,
  { delegationId, principalId }: ApprovedAction,
  freshness: Freshness,
): Promise<ChainedDelegation | Refusal> {
  const delegation = await directory.delegation(delegationId, freshness)
  return delegation?.agentId === agentId && delegation.principal.id === principalId
    ? delegation
    : refuse('approval_unknown', 'the approval is of no delegation to this agent')
}

/** The delegation that an agent presents as its own: the token names it, the row decides (RFC 8693 §4.4). */
export async function delegationOf(
  ports: { readonly directory: Pick<Directory, 'delegation'>; readonly subjectTokens: SubjectTokens },
  agentId: string,
  subjectToken: string,
  freshness: Freshness,
  now: Date,
): Promise<ChainedDelegation | Refusal> {
  const subject = await ports.subjectTokens.verify(subjectToken, now)
  if (isRefusal(subject)) return subject
  if (subject.agentId !== agentId) return refuse('subject_token_invalid', '"may_act" names another agent')
  const delegation = await ports.directory.delegation(subject.delegationId, freshness)
  return delegation === undefined || !isNamedBy(delegation, subject)
    ? refuse('subject_token_invalid', '"subject_token" names no delegation to this agent')
    : delegation
}

/** The row and the token tell the same story, or the token is not of this delegation. */
const isNamedBy = (delegation: Delegation, subject: SubjectToken) =>
  delegation.agentId === subject.agentId && delegation.principal.id === subject.principalId
