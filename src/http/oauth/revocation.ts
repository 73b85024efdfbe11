import type { Middleware } from 'koa'
import { type RevokePorts, revokeToken } from '../../commands/revoke-token.ts'
import { refuse } from '../../core/refusal.ts'
import { type AuthenticatedEndpointParts, authenticatedForm } from './authenticated-form.ts'

/** `POST /revoke` (RFC 7009): a client withdraws a token of its own. 200 whether there was something to withdraw or not. */
export function revocationEndpoint(parts: AuthenticatedEndpointParts<RevokePorts>): Middleware {
  return async (context) => {
    const asked = await authenticatedForm(context, {
      ...parts,
      path: '/revoke',
      refuseParameters: (form) => (form.has('token') ? undefined : refuse('request_malformed', '"token" is missing')),
    })
    if (asked === undefined) return
    await revokeToken(parts.ports, asked, asked.form.get('token') ?? '', context.state.requestId)
    context.set('Cache-Control', 'no-store')
    context.status = 200
    context.body = ''
  }
}
