import type { Middleware } from 'koa'
import { type AttestPorts, attestAgent } from '../../commands/attest-agent.ts'
import { isRefusal } from '../../core/refusal.ts'
import { clientEvidence, refuseOtherAuthentication } from './client-evidence.ts'
import { answerRefused } from './exchange-parameters.ts'
import { answerOAuthError } from './oauth-error.ts'
import { readForm } from './read-form.ts'
import type { FailureThrottle } from './throttle.ts'

export interface AttestationEndpointParts {
  readonly ports: AttestPorts
  readonly throttle: FailureThrottle
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8). */
  readonly nextNonce: (() => string) | undefined
}

/**
 * `POST /attestation`: an agent is given an attestation for the key that it proves, and authenticates by it from then on. The
 * parameters are those of any client authentication; the key is that of the DPoP proof.
 */
export function attestationEndpoint({ ports, throttle, nextNonce }: AttestationEndpointParts): Middleware {
  return async (context) => {
    if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
    const form = await readForm(context.req)
    if (isRefusal(form)) return answerOAuthError(context, form)
    const otherwise = refuseOtherAuthentication(context.req, form)
    if (otherwise !== undefined) return answerOAuthError(context, otherwise)
    const evidence = clientEvidence(context.req, form, `${ports.issuer}/attestation`)
    const outcome = await attestAgent(ports, evidence, context.state.requestId)
    if (outcome.refusal !== undefined) return answerRefused(context, { kind: 'refused', ...outcome }, throttle)
    context.set('Cache-Control', 'no-store')
    const { attestation, expiresInSeconds, instance } = outcome
    context.body = {
      client_attestation: attestation,
      expires_in: expiresInSeconds,
      ...(instance && { instance: { kid: instance.kid, expires_at: instance.expiresAt.getTime() / 1_000 } }),
    }
  }
}
