import type { IncomingMessage } from 'node:http'
import {
  type AuthenticatedClient,
  type AuthenticatePorts,
  authenticateClient,
} from '../../commands/authenticate-client.ts'
import { isRefusal, type Refusal } from '../../core/refusal.ts'
import type { Door } from '../door.ts'
import { clientEvidence, refuseOtherAuthentication } from './client-evidence.ts'
import { answerOAuthError } from './oauth-error.ts'
import { readForm } from './read-form.ts'
import type { FailureThrottle } from './throttle.ts'

/** What an endpoint with an authenticated form is made of. */
export interface AuthenticatedEndpointParts<Ports> {
  readonly ports: AuthenticatePorts & Ports & { readonly issuer: string }
  readonly throttle: FailureThrottle
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8). */
  readonly nextNonce: (() => string) | undefined
}

export interface AuthenticatedFormParts extends AuthenticatedEndpointParts<unknown> {
  /** Path of the endpoint: what a proof must name, when there is one. */
  readonly path: string
  /** What the parameters alone decide, before anybody is authenticated. */
  readonly refuseParameters: (form: ReadonlyMap<string, string>, context: Door) => Refusal | undefined
  /** How the parameters come; default: as a form. */
  readonly read?: (request: IncomingMessage) => Promise<ReadonlyMap<string, string> | Refusal>
}

/**
 * Reads the form of an endpoint that resource servers and agents call, and authenticates who sent it.
 *
 * @returns undefined when the refusal has been answered.
 */
export async function authenticatedForm(
  context: Door,
  { ports, throttle, nextNonce, path, refuseParameters, read = readForm }: AuthenticatedFormParts,
): Promise<(AuthenticatedClient & { readonly form: ReadonlyMap<string, string> }) | undefined> {
  if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
  const form = await read(context.req)
  const refused = isRefusal(form)
    ? form
    : (refuseOtherAuthentication(context.req, form) ?? refuseParameters(form, context))
  if (isRefusal(form) || refused !== undefined) {
    answerOAuthError(context, refused as Refusal)
    return undefined
  }
  const evidence = clientEvidence(context.req, form, `${ports.issuer}${path}`)
  const outcome = await authenticateClient(ports, evidence, 'when_present', context.state.requestId)
  if (outcome.refusal === undefined) return { ...outcome, form }
  answerOAuthError(context, outcome.isClientKnown ? outcome.refusal : throttle.failed(context, outcome.refusal))
  return undefined
}
