import type { IncomingMessage } from 'node:http'
import type { ClientEvidence } from '../../commands/authenticate-client.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { headerValues } from '../../wire/header-values.ts'

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
  const attestation = request.headers[ATTESTATION]
  return {
    clientId: parameters.get('client_id'),
    assertionType: parameters.get('client_assertion_type'),
    assertion: parameters.get('client_assertion'),
    // Sent twice, the values are joined by a comma, which no JWT has: both are refused with it.
    attestation: attestation === undefined ? undefined : String(attestation),
    proofs: headerValues(request, 'dpop'),
    target: { method: request.method ?? '', url },
  }
}

/** (draft-ietf-oauth-attestation-based-client-auth-12 §Client Attestation JWT) */
const ATTESTATION = 'oauth-client-attestation'
/** Of the method that has a proof of possession of its own; ours is the DPoP proof. */
const ATTESTATION_PROOF = 'oauth-client-attestation-pop'

/** One way to authenticate, in one place: a second one beside it is refused (RFC 6749 §2.3). */
export function refuseOtherAuthentication(
  request: IncomingMessage,
  form: ReadonlyMap<string, string>,
): Refusal | undefined {
  if (headerValues(request, 'authorization').length > 0 || form.has('client_secret')) {
    return refuse('request_malformed', 'clients authenticate by "private_key_jwt" or an attestation only')
  }
  if (request.headers[ATTESTATION_PROOF] !== undefined) {
    return refuse('request_malformed', 'the proof of possession of an attestation is the DPoP proof alone')
  }
  return request.headers[ATTESTATION] !== undefined &&
    (form.has('client_assertion') || form.has('client_assertion_type'))
    ? refuse('request_malformed', 'clients authenticate in one way: an assertion or an attestation')
    : undefined
}
