import type { Action } from '../core/action/parse-action.ts'
import { digestMembers } from '../core/action/parse-action.ts'
import { actorClaim } from '../core/agent/actor-chain.ts'
import { isKeyCurrent } from '../core/agent/client.ts'
import type { Delegation } from '../core/delegation/delegation.ts'
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

  const iat = Math.floor(now.getTime() / 1_000)
  const lifetimeSeconds = resource.tokenLifetimeSeconds ?? ports.defaultLifetimeSeconds
  const exp = actionTokenExpiry(now, lifetimeSeconds, delegation.expiresAt)
  if (exp <= iat) return no(refuse('delegation_inactive', 'the delegation expires now'))
  const claims: ActionTokenClaims = {
    iss: ports.issuer,
    aud: resource.identifier,
    sub: delegation.principal.id,
    client_id: agent.id,
    act: actorClaim(ports.issuer, [agent.id]),
    cnf: { jkt },
    authorization_details: [resource.tokenContent === 'digest' ? digestMembers(action) : action.details],
    delegation_id: delegation.id,
    txn: ports.ids.random(),
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
    resourceId: resource.id,
    resourceVersion: resource.version,
  }
  return { about, action, claims, decidedOn }
}

/** The row and the token tell the same story, or the token is not of this delegation. */
const isNamedBy = (delegation: Delegation, subject: SubjectToken) =>
  delegation.agentId === subject.agentId && delegation.principal.id === subject.principalId
