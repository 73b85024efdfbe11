import type { Middleware } from 'koa'
import { z } from 'zod'
import { type RedeemPorts, redeemEnrolment } from '../../commands/redeem-enrolment.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { headerValues } from '../../wire/header-values.ts'
import { readJson } from '../read-json.ts'
import { answerOAuthError } from './oauth-error.ts'
import type { FailureThrottle } from './throttle.ts'

/** An object, not a strict one: unrecognized parameters are ignored, as at every OAuth endpoint (RFC 6749 §3.2). */
const EnrolmentRequest = z.object({
  code: z.string().min(1).max(256),
  /** A name for the key, for the administrator. */
  label: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'must be one line of text')
    .optional(),
})

/** What is wrong with a JSON body, in the words of an OAuth endpoint. */
function asOAuth(refusal: Refusal): Refusal {
  if (refusal.code === 'media_type_unsupported') return refuse('request_not_form', refusal.detail)
  return refusal.code === 'request_too_large' ? refusal : refuse('request_malformed', refusal.detail)
}

export interface EnrolmentEndpointParts {
  readonly ports: RedeemPorts & { readonly issuer: string }
  readonly throttle: FailureThrottle
  /** The nonce to offer with every answer; undefined where none is required (RFC 9449 §8). */
  readonly nextNonce: (() => string) | undefined
}

/** `POST /enrol`: an agent binds a key that it has just made, with a one-time code and a proof by that key. */
export function enrolmentEndpoint({ ports, throttle, nextNonce }: EnrolmentEndpointParts): Middleware {
  return async (context) => {
    if (nextNonce !== undefined) context.set('DPoP-Nonce', nextNonce())
    const body = await readJson(context.req, 'json')
    if (isRefusal(body)) return answerOAuthError(context, asOAuth(body))
    const parsed = EnrolmentRequest.safeParse(body.object)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      return answerOAuthError(context, refuse('request_malformed', issue?.message ?? 'invalid', issue?.path.join('.')))
    }
    const outcome = await redeemEnrolment(ports, {
      code: parsed.data.code,
      label: parsed.data.label,
      proof: {
        proofs: headerValues(context.req, 'dpop'),
        method: context.req.method ?? '',
        url: `${ports.issuer}/enrol`,
      },
      requestId: context.state.requestId,
    })
    context.set('Cache-Control', 'no-store')
    if (isRefusal(outcome)) return answerOAuthError(context, throttle.failed(context, outcome))
    context.status = 201
    context.body = { agent: outcome.agentId, kid: outcome.kid, issuer: ports.issuer }
  }
}
