import type { IncomingMessage } from 'node:http'
import {
  type AuthenticatedClient,
  type AuthenticatePorts,
  authenticateClient,
  type ClientEvidence,
  type RefusedClient,
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

/** A form, and what its sender presented: nobody is authenticated yet. */
export interface EvidencedForm {
  readonly form: ReadonlyMap<string, string>
  readonly evidence: ClientEvidence
}

/**
 * Reads the form of an endpoint that resource servers and agents call, and authenticates who sent it.
 *
 * @returns undefined when the refusal has been answered.
 */
export async function authenticatedForm(
  context: Door,
  parts: AuthenticatedFormParts,
): Promise<(AuthenticatedClient & { readonly form: ReadonlyMap<string, string> }) | undefined> {
  const read = await evidencedForm(context, parts)
  if (read === undefined) return undefined
  const { form, evidence } = read
  const outcome = await authenticateClient(parts.ports, evidence, 'when_present', context.state.requestId)
  if (outcome.refusal === undefined) return { ...outcome, form }
  answerRefusedClient(context, outcome, parts.throttle)
  return undefined
}

/** Who is known is told why; a stranger, how often he failed. */
export const answerRefusedClient = (
  context: Door,
  { refusal, isClientKnown }: RefusedClient,
  throttle: FailureThrottle,
) => answerOAuthError(context, isClientKnown ? refusal : throttle.failed(context, refusal))

/**
 * Reads the form of such an endpoint, and what its sender presented.
 *
 * @returns undefined when the refusal has been answered.
 */
export async function evidencedForm(
  context: Door,
  { ports, nextNonce, path, refuseParameters, read = readForm }: AuthenticatedFormParts,
): Promise<EvidencedForm | undefined> {
  if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
  const form = await read(context.req)
  const refused = isRefusal(form)
    ? form
    : (refuseOtherAuthentication(context.req, form) ?? refuseParameters(form, context))
  if (isRefusal(form) || refused !== undefined) {
    answerOAuthError(context, refused as Refusal)
    return undefined
  }
  return { form, evidence: clientEvidence(context.req, form, `${ports.issuer}${path}`) }
}
