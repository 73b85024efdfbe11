import type { Context } from 'koa'
import { type AuthenticatePorts, authenticateClient } from '../../commands/authenticate-client.ts'
import type { Client } from '../../core/agent/client.ts'
import { isRefusal, type Refusal } from '../../core/refusal.ts'
import { clientEvidence, refuseOtherAuthentication } from './client-evidence.ts'
import { answerOAuthError } from './oauth-error.ts'
import { readForm } from './read-form.ts'
import type { FailureThrottle } from './throttle.ts'

export interface AuthenticatedFormParts {
  readonly ports: AuthenticatePorts & { readonly issuer: string }
  readonly throttle: FailureThrottle
  /** Path of the endpoint: what a proof must name, when there is one. */
  readonly path: string
  /** What the parameters alone decide, before anybody is authenticated. */
  readonly refuseParameters: (form: ReadonlyMap<string, string>, context: Context) => Refusal | undefined
}

/**
 * Reads the form of an endpoint that resource servers and agents call, and authenticates who sent it.
 *
 * @returns undefined when the refusal has been answered.
 */
export async function authenticatedForm(
  context: Context,
  { ports, throttle, path, refuseParameters }: AuthenticatedFormParts,
): Promise<{ readonly form: ReadonlyMap<string, string>; readonly client: Client } | undefined> {
  const throttled = throttle.refusal(context)
  const form = throttled ?? (await readForm(context.req))
  const refused = isRefusal(form)
    ? form
    : (refuseOtherAuthentication(context.req, form) ?? refuseParameters(form, context))
  if (isRefusal(form) || refused !== undefined) {
    answerOAuthError(context, refused as Refusal)
    return undefined
  }
  const evidence = clientEvidence(context.req, form, `${ports.issuer}${path}`)
  const outcome = await authenticateClient(ports, evidence, 'when_present', context.state.requestId)
  if (outcome.refusal === undefined) return { form, client: outcome.client }
  if (!outcome.isClientKnown) throttle.failed(context)
  answerOAuthError(context, outcome.refusal)
  return undefined
}
