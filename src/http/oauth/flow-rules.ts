import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider'
import { type JudgeAskedPorts, judgeAsked, judgeWords } from '../../commands/people/judge-asked.ts'
import { isRefusal, type Refusal } from '../../core/refusal.ts'
import { oauthError } from './oauth-error.ts'

/** A refusal as oidc-provider throws it: it sends it where the request wants it, or answers with it. */
export function asProviderError(refusal: Refusal): errors.OIDCProviderError {
  const { error, error_description } = oauthError(refusal).body
  return new errors.CustomOIDCProviderError(error, error_description)
}

/**
 * What every request for a delegation must hold, whichever flow it comes by: it is asked here, by the library, after it has judged
 * what is its own (client, redirect_uri, PKCE).
 *
 * `authorization_details` is a parameter of ours and not the library's: it reads JSON as anybody does, fixes the types when it is
 * built, and has its own idea of members that are called `actions` or `identifier`.
 */
export function flowRules(ports: JudgeAskedPorts, issuer: string) {
  return {
    authorization_details: async (context: KoaContextWithOIDC, written: string | undefined) => {
      const { oidc } = context
      const { scope, resource } = oidc.params ?? {}
      // As it was sent: the library has dropped what it ignores.
      refuseScope(oidc.route, oidc.body?.scope ?? context.query.scope ?? scope)
      if (Array.isArray(resource)) throw new errors.InvalidTarget("one 'resource' at most")
      if (written === undefined) throw new errors.InvalidRequest("'authorization_details' is missing")
      const asked = await judgeAsked(ports, {
        authorizationDetails: String(written),
        resource: typeof resource === 'string' && resource !== issuer ? resource : undefined,
      })
      if (isRefusal(asked)) throw asProviderError(asked)
    },
    purpose: async (_context: KoaContextWithOIDC, written: string | undefined) => {
      const refusal = judgeWords('purpose', written)
      if (refusal !== undefined) throw asProviderError(refusal)
    },
  }
}

/** Scope opens nothing here: the backchannel must name `openid` (CIBA Core §7.1), everything else none. */
function refuseScope(route: string | undefined, scope: unknown): void {
  const expected = route === 'backchannel_authentication' ? 'openid' : undefined
  if (scope !== expected) throw new errors.InvalidScope('this scope is given to nobody', String(scope))
}

/** A principal is asked each time, and what he said before counts for nothing: every authorization ends in a new delegation. */
export function consentPolicy(): interactionPolicy.Prompt[] {
  const { Check, Prompt } = interactionPolicy
  const asked = new Check(
    'delegation',
    'a principal is asked each time',
    'interaction_required',
    ({ oidc }) => oidc.result?.consent === undefined,
  )
  return [new Prompt({ name: 'consent', requestable: true }, asked)]
}
