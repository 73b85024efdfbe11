import type { IncomingMessage } from 'node:http'
import type { ClientEvidence } from '../../commands/authenticate-client.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { headerValues } from '../headers.ts'

/** Members of a form, or of a JSON body with the same names. */
export interface Parameters {
  readonly get: (name: string) => string | undefined
}

/**
 * What the client presented, for the command that judges it.
 *
 * @param url absolute URL of the endpoint, built from the issuer and never from `Host`.
 */
export function clientEvidence(request: IncomingMessage, parameters: Parameters, url: string): ClientEvidence {
  const clientId = parameters.get('client_id')
  const assertionType = parameters.get('client_assertion_type')
  const assertion = parameters.get('client_assertion')
  return {
    ...(clientId !== undefined && { clientId }),
    ...(assertionType !== undefined && { assertionType }),
    ...(assertion !== undefined && { assertion }),
    proofs: headerValues(request, 'dpop'),
    target: { method: request.method ?? '', url },
  }
}

/** One way to authenticate, in one place: a second one beside the assertion is refused (RFC 6749 §2.3). */
export function refuseOtherAuthentication(
  request: IncomingMessage,
  form: ReadonlyMap<string, string>,
): Refusal | undefined {
  return headerValues(request, 'authorization').length > 0 || form.has('client_secret')
    ? refuse('request_malformed', 'clients authenticate by "private_key_jwt" only')
    : undefined
}
