import { type AuthenticatePorts, authenticateClient } from '../../commands/authenticate-client.ts'
import { type AgentTokenPorts, issueAgentToken } from '../../commands/issue-agent-token.ts'
import { refuseWhileStopped, type StopPorts } from '../../commands/refuse-while-stopped.ts'
import type { Client } from '../../core/agent/client.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import { clientEvidence } from './client-evidence.ts'
import { answerOAuthError } from './oauth-error.ts'
import type { FailureThrottle } from './throttle.ts'

/** Passes a request on to oidc-provider, with the parameters that were read. */
export type PassToProvider = (context: Door, form: ReadonlyMap<string, string>) => Promise<void>

export interface ClientCredentialsParts {
  readonly ports: AuthenticatePorts & StopPorts & AgentTokenPorts
  readonly passToProvider: PassToProvider
  readonly throttle: FailureThrottle
}

/**
 * The grant that gives an agent its agent token, an administrator the token for the admin API, and a resource server the
 * one with which it follows the revocation feed.
 *
 * The client is authenticated here, by the same rules as at the exchange; oidc-provider, which then issues the token,
 * repeats what it checks itself. Whoever authenticated by an attestation is given his token here.
 */
export async function grantClientCredentials(
  context: Door,
  form: ReadonlyMap<string, string>,
  { ports, passToProvider, throttle }: ClientCredentialsParts,
): Promise<void> {
  const evidence = clientEvidence(context.req, form, `${ports.issuer}/token`)
  const outcome = await authenticateClient(ports, evidence, 'required', context.state.requestId)
  if (outcome.refusal !== undefined) {
    return answerOAuthError(
      context,
      outcome.isClientKnown ? outcome.refusal : throttle.failed(context, outcome.refusal),
    )
  }
  const scope = grantedScope(outcome.client, form.get('scope'))
  const refusal = isRefusal(scope)
    ? scope
    : (refuseParameters(form, ports.issuer) ?? (await refuseWhileStopped(ports, outcome.client)))
  if (refusal !== undefined) return answerOAuthError(context, refusal)
  if (outcome.by === 'attestation') {
    const { client, jkt = '' } = outcome
    const issued = await issueAgentToken(ports, { client, jkt, requestId: context.state.requestId })
    context.set('Cache-Control', 'no-store')
    context.body = { access_token: issued.token, expires_in: issued.expiresInSeconds, token_type: 'DPoP' }
    return
  }
  const parameters = new Map(form)
  parameters.delete('scope')
  if (scope !== '') parameters.set('scope', scope as string)
  await passToProvider(context, parameters)
}

/** Scope is computed per client: an administrator's what is registered for it, everyone else's none (RFC 6749 §3.3). */
function grantedScope(client: Client, requested: string | undefined): string | Refusal {
  const registered = client.kind === 'administrator' ? client.scope : []
  if (requested === undefined) return registered.join(' ')
  const asked = requested.split(' ')
  return asked.every((scope) => registered.includes(scope))
    ? [...new Set(asked)].join(' ')
    : refuse('scope_not_allowed', 'a requested scope is not registered for this client')
}

function refuseParameters(form: ReadonlyMap<string, string>, issuer: string): Refusal | undefined {
  // These tokens are for this server itself; an action token comes from the exchange and from nowhere else.
  if ((form.get('resource') ?? issuer) !== issuer) return refuse('resource_unknown', '"resource" is not this server')
  if (form.has('authorization_details')) {
    return refuse('request_malformed', '"authorization_details" belongs to the token exchange grant')
  }
  return undefined
}
