import type { Middleware } from 'koa'
import type { AuthenticatePorts } from '../../commands/authenticate-client.ts'
import { type RevokePorts, revokeToken } from '../../commands/revoke-token.ts'
import { refuse } from '../../core/refusal.ts'
import { authenticatedForm } from './authenticated-form.ts'
import type { FailureThrottle } from './throttle.ts'

/** `POST /revoke` (RFC 7009): a client withdraws a token of its own. 200 whether there was something to withdraw or not. */
export function revocationEndpoint(
  ports: AuthenticatePorts & RevokePorts & { readonly issuer: string },
  throttle: FailureThrottle,
): Middleware {
  return async (context) => {
    const asked = await authenticatedForm(context, {
      ports,
      throttle,
      path: '/revoke',
      refuseParameters: (form) => (form.has('token') ? undefined : refuse('request_malformed', '"token" is missing')),
    })
    if (asked === undefined) return
    await revokeToken(ports, asked.client, asked.form.get('token') ?? '', context.state.requestId)
    context.set('Cache-Control', 'no-store')
    context.status = 200
    context.body = ''
  }
}
