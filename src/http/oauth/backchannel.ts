import type { Middleware } from 'koa'
import { type AskPorts, askForApproval } from '../../commands/approvals/ask-for-approval.ts'
import { soleElement } from '../../core/action/sole-element.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import { clientEvidence, refuseOtherAuthentication } from './client-evidence.ts'
import { ACCESS_TOKEN_TYPE, answerRefused, type ExchangeParameters, exchangeParameters } from './exchange-parameters.ts'
import { answerOAuthError } from './oauth-error.ts'
import { readForm } from './read-form.ts'
import type { FailureThrottle } from './throttle.ts'

export interface BackchannelEndpointParts {
  readonly ports: AskPorts
  readonly throttle: FailureThrottle
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8). */
  readonly nextNonce: (() => string) | undefined
  /** Serves what has no `subject_token`: a person is asked for a delegation. Absent: that is refused. */
  readonly askForDelegation?: (context: Door, form: ReadonlyMap<string, string>) => Promise<void>
}

/** Whom a request is about is said once (CIBA Core §7.1): here by the subject token. */
const OTHER_HINTS = ['login_hint', 'login_hint_token', 'id_token_hint'] as const
/** A signed request would say all of it elsewhere (CIBA Core §7.1.1). */
const SIGNED = ['request', 'request_uri'] as const
const MAX_NOTIFICATION_TOKEN_CHARACTERS = 1_024

/**
 * `POST /backchannel` (CIBA Core §7): an agent asks for a yes to one action before it is stopped for want of it.
 *
 * Somebody is always asked, and where no rule of the delegation says whom, the principal: nothing is issued here, and nothing
 * is approved but by somebody. The poll at `/token` is the same as for an exchange that was answered `authorization_pending`.
 */
export function backchannelEndpoint({
  ports,
  throttle,
  nextNonce,
  askForDelegation,
}: BackchannelEndpointParts): Middleware {
  return async (context) => {
    if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
    const form = await readForm(context.req)
    if (isRefusal(form)) return answerOAuthError(context, form)
    const otherwise = refuseOtherAuthentication(context.req, form)
    if (otherwise !== undefined) return answerOAuthError(context, otherwise)
    // It becomes part of a header when somebody has answered; then it is too late to refuse it.
    const token = form.get('client_notification_token')
    if (token !== undefined && !isBearer(token)) {
      return answerOAuthError(context, refuse('request_malformed', '"client_notification_token" is no bearer token'))
    }
    if (!form.has('subject_token') && askForDelegation !== undefined) return askForDelegation(context, form)
    await answerAsked(context, form, { ports, throttle })
  }
}

async function answerAsked(
  context: Door,
  form: ReadonlyMap<string, string>,
  { ports, throttle }: Pick<BackchannelEndpointParts, 'ports' | 'throttle'>,
): Promise<void> {
  const parameters = backchannelParameters(form)
  if (isRefusal(parameters)) return answerOAuthError(context, parameters)
  const element = soleElement(parameters.authorizationDetails)
  if (isRefusal(element)) return answerOAuthError(context, element)
  const outcome = await askForApproval(ports, {
    ...{ ...parameters, element },
    evidence: clientEvidence(context.req, form, `${ports.issuer}/backchannel`),
    requestId: context.state.requestId,
  })
  switch (outcome.kind) {
    case 'refused':
      return answerRefused(context, outcome, throttle)
    case 'pending': {
      context.set('Cache-Control', 'no-store')
      const { authReqId, expiresInSeconds, intervalSeconds } = outcome
      // (CIBA Core §7.3)
      context.body = { auth_req_id: authReqId, expires_in: expiresInSeconds, interval: intervalSeconds }
    }
  }
}

type BackchannelParameters = ExchangeParameters & {
  readonly lifetimeSeconds: number | undefined
  readonly notificationToken: string | undefined
}

/** The parameters of an exchange, with the names that CIBA has for what goes beyond them. */
function backchannelParameters(form: ReadonlyMap<string, string>): BackchannelParameters | Refusal {
  const malformed = (detail: string) => refuse('request_malformed', detail)
  const hint = OTHER_HINTS.find((name) => form.has(name))
  if (hint !== undefined) return malformed(`"${hint}" does not go with "subject_token"`)
  const signed = SIGNED.find((name) => form.has(name))
  if (signed !== undefined) return malformed(`"${signed}" is not supported`)
  const parameters = exchangeParameters(
    new Map([['subject_token_type', ACCESS_TOKEN_TYPE], ...form]),
    form.get('binding_message'),
  )
  if (isRefusal(parameters)) return parameters
  const expiry = form.get('requested_expiry')
  if (expiry !== undefined && !/^[1-9][0-9]{0,8}$/.test(expiry)) {
    return malformed('"requested_expiry" must be a whole number of seconds')
  }
  return {
    ...parameters,
    lifetimeSeconds: expiry === undefined ? undefined : Number(expiry),
    notificationToken: form.get('client_notification_token'),
  }
}

/** (RFC 6750 §2.1, CIBA Core §7.1) */
const isBearer = (token: string) =>
  token.length <= MAX_NOTIFICATION_TOKEN_CHARACTERS && /^[A-Za-z0-9\-._~+/]+=*$/.test(token)
