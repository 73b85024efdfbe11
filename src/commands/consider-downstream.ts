import type { IncomingTokens } from '../chain-ports.ts'
import { parseAction } from '../core/action/parse-action.ts'
import { behalfOf, chainLength, MAX_ACTORS } from '../core/agent/actor-chain.ts'
import type { Client } from '../core/agent/client.ts'
import { downstreamCharge, type LimitOwner } from '../core/delegation/charge.ts'
import { downstreamRule, type PlacedAction } from '../core/delegation/downstream.ts'
import type { JsonObject } from '../core/json.ts'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import type { ActionTokens } from '../introspection-ports.ts'
import type { Freshness } from '../ports.ts'
import { type AboutExchange, type Authority, chargesAlong, type NoAuthority } from './authority.ts'
import { type JudgePorts, readAction, standing, type Wish } from './judge-action.ts'

export interface DownstreamPorts extends JudgePorts {
  readonly issuer: string
  readonly actionTokens: ActionTokens
  readonly incomingTokens: IncomingTokens
}

/** How long the counter of a token outlives it: clocks differ. Unit: seconds. */
const COUNTER_SLACK_SECONDS = 300

/**
 * Steps 2 to 4 for a resource server that calls another one, on the strength of the token that it was called with.
 *
 * Only the client whose resource the token is for may present it, and nothing may be asked for but what a rule of that
 * resource names for that very action. The delegation's bounds were met by the incoming action; its limits count again.
 */
export async function considerDownstream(
  ports: DownstreamPorts,
  { id: clientId, identifier = '' }: Client,
  request: Wish & { readonly subjectToken: string },
  known: AboutExchange,
  freshness: Freshness,
  now: Date,
): Promise<Authority | NoAuthority> {
  let about = known
  const no = (refusal: Refusal): NoAuthority => ({ refusal, about })

  // By what: a token for this very resource server, on record and standing at this moment. That it was consumed is no bar.
  const token = ports.actionTokens.verify(request.subjectToken, identifier, now)
  if (isRefusal(token)) return no(refuse('subject_token_invalid', `"subject_token": ${token.detail}`))
  const incoming = await ports.incomingTokens.find(token.jti)
  if (incoming === undefined || token.exp * 1_000 <= now.getTime()) {
    return no(refuse('subject_token_invalid', '"subject_token" is expired or revoked, or stands on what is'))
  }
  const delegation = await ports.directory.delegation(incoming.delegationId, freshness)
  if (delegation === undefined) throw new Error('a token that is on record names no delegation')
  about = {
    ...about,
    agent: delegation.agentId,
    principal: delegation.principal.id,
    delegation: delegation.id,
    tokenLineage: [...incoming.tokenLineage, token.jti],
  }
  const fallen = standing(delegation, now)
  if (fallen !== undefined) return no(fallen)
  if (chainLength(token.act) >= MAX_ACTORS) return no(refuse('action_not_permitted', 'the actor chain is too long'))

  // Where, and what exactly.
  const resource = await ports.directory.resource(request.resource, freshness)
  if (resource?.status !== 'active') return no(refuse('resource_unknown', 'unknown "resource"'))
  const read = await readAction(ports, resource, request.element, freshness)
  about = { ...about, ...read.about }
  if (read.refusal !== undefined) return no(read.refusal)

  // May it: one rule that names the incoming action leads to this one.
  const before = await actionOf(ports, incoming.action, identifier, freshness)
  if (isRefusal(before)) return no(before)
  const rules = await ports.directory.downstream(clientId, freshness)
  if (rules === undefined) throw new Error('a resource server has no rules to look at')
  const rule = downstreamRule(rules.rules, before, { action: read.action, resource: resource.identifier })
  if (isRefusal(rule)) return no(rule)

  // How often: at the token it came with, and at everything that the delegation counts at.
  const charges = chargesAlong(delegation, resource, read.action, false)
  if (isRefusal(charges)) return no(charges)
  const owner: LimitOwner = {
    ...{ kind: 'token', id: token.jti },
    until: new Date((token.exp + COUNTER_SLACK_SECONDS) * 1_000),
  }
  return {
    ...{
      about,
      delegation,
      action: read.action,
      resource,
      because: { downstream_rule: rule.id, asked_with: token.jti },
    },
    charges: [downstreamCharge(owner, rule.id, rule.maxPerToken), ...charges],
    // Who was to be asked was asked for the incoming action; what follows from it an administrator's rule says.
    needs: [],
    act: behalfOf(ports.issuer, clientId, token.act),
    txn: token.txn,
    incoming: {
      ...{ jti: token.jti, exp: token.exp, lineage: [...incoming.tokenLineage, token.jti] },
      clientVersion: rules.version,
    },
  }
}

/** The incoming action with its values, read by its type as it is now: what the type no longer allows leads nowhere. */
async function actionOf(
  ports: JudgePorts,
  details: JsonObject,
  resource: string,
  freshness: Freshness,
): Promise<PlacedAction | Refusal> {
  const known = await ports.directory.actionType(String(details.type), freshness)
  const action = known && parseAction(details, known.actionType, resource)
  return action === undefined || isRefusal(action)
    ? refuse('action_not_permitted', 'the action of "subject_token" is not valid any more')
    : { action, resource }
}
