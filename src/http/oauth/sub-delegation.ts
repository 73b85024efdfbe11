import { type DelegateOnPorts, type DelegateOnRequest, delegateOn } from '../../commands/delegate-on.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import { clientEvidence } from './client-evidence.ts'
import { ACCESS_TOKEN_TYPE, answerRefused, type ExchangeParameters } from './exchange-parameters.ts'
import { answerOAuthError } from './oauth-error.ts'
import type { FailureThrottle } from './throttle.ts'

const KiB = 1024
const MAX_ACTOR_TOKEN_CHARACTERS = 8 * KiB
/** The longest that can be asked for. Unit: seconds. */
const MAX_SECONDS = 100 * 366 * 24 * 3_600

/** Parameters of an exchange for one action; here they mean nothing and are not ignored. */
const OF_AN_ACTION = ['turn', 'batch', 'purpose'] as const

export type SubDelegationPorts = DelegateOnPorts & { readonly issuer: string }

/**
 * The door of sub-delegation: token exchange with an `actor_token` (RFC 8693 §2.1).
 *
 * DIVERGENCE: RFC 8693 has `actor_token` for the party that acts now; here it names the next actor, who need not call.
 */
export async function exchangeForDelegation(
  context: Door,
  form: ReadonlyMap<string, string>,
  exchange: ExchangeParameters,
  ports: SubDelegationPorts,
  throttle: FailureThrottle,
): Promise<void> {
  const parameters = subDelegationParameters(form, exchange, ports.issuer)
  if (isRefusal(parameters)) return answerOAuthError(context, parameters)
  const outcome = await delegateOn(ports, {
    ...parameters,
    evidence: clientEvidence(context.req, form, `${ports.issuer}/token`),
    requestId: context.state.requestId,
  })
  if (outcome.kind === 'refused') return answerRefused(context, outcome, throttle)
  context.set('Cache-Control', 'no-store')
  // (RFC 8693 §2.2.1, RFC 9396 §7)
  context.body = {
    access_token: outcome.subjectToken,
    issued_token_type: ACCESS_TOKEN_TYPE,
    token_type: 'DPoP',
    expires_in: outcome.expiresInSeconds,
    authorization_details: outcome.authorizationDetails,
  }
}

function subDelegationParameters(
  form: ReadonlyMap<string, string>,
  { subjectToken, resource, authorizationDetails }: ExchangeParameters,
  issuer: string,
): Omit<DelegateOnRequest, 'evidence' | 'requestId'> | Refusal {
  const malformed = (detail: string) => refuse('request_malformed', detail)
  const actorToken = form.get('actor_token')
  if (actorToken === undefined) return malformed('"actor_token_type" is of no use without "actor_token"')
  if (actorToken.length > MAX_ACTOR_TOKEN_CHARACTERS) return malformed('"actor_token" is too long')
  if (form.get('actor_token_type') !== ACCESS_TOKEN_TYPE) {
    return malformed('"actor_token_type" is missing or not the access token type')
  }
  const foreign = OF_AN_ACTION.find((name) => form.has(name))
  if (foreign !== undefined) return malformed(`"${foreign}" does not go with "actor_token"`)
  // The child's subject token is for this server (RFC 8707 §2).
  if (resource !== issuer) return refuse('resource_unknown', 'with "actor_token" the "resource" is the issuer')
  const expiresIn = form.get('expires_in')
  if (expiresIn !== undefined && !(/^[1-9][0-9]{0,9}$/.test(expiresIn) && Number(expiresIn) <= MAX_SECONDS)) {
    return malformed('"expires_in" must be a whole number of seconds')
  }
  return {
    ...{ subjectToken, actorToken, authorizationDetails },
    expiresInSeconds: expiresIn === undefined ? undefined : Number(expiresIn),
    limits: form.get('limits'),
    delegable: form.get('delegable'),
    approval: form.get('approval'),
  }
}
