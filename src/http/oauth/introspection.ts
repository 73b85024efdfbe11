import type { Context, Middleware } from 'koa'
import { type IntrospectPorts, introspectToken } from '../../commands/introspect-token.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AuthenticatedEndpointParts, authenticatedForm } from './authenticated-form.ts'

/** Parameters whose time has not come yet: refused, never accepted and ignored. */
const NOT_BUILT = ['consume', 'consume_id'] as const
const JWT_RESPONSE = 'application/token-introspection+jwt'

/** `POST /introspect` (RFC 7662): a resource server asks about a token for it. */
export function introspectionEndpoint(parts: AuthenticatedEndpointParts<IntrospectPorts>): Middleware {
  return async (context) => {
    const asked = await authenticatedForm(context, { ...parts, path: '/introspect', refuseParameters })
    if (asked === undefined) return
    context.set('Cache-Control', 'no-store')
    context.body = await introspectToken(parts.ports, asked.client, asked.form.get('token') ?? '')
  }
}

function refuseParameters(form: ReadonlyMap<string, string>, context: Context): Refusal | undefined {
  const unbuilt = NOT_BUILT.find((name) => form.has(name))
  if (unbuilt !== undefined) return refuse('request_malformed', `"${unbuilt}" is not supported`)
  if (context.get('accept').toLowerCase().includes(JWT_RESPONSE)) {
    return refuse('request_malformed', 'JWT responses are not supported')
  }
  return form.has('token') ? undefined : refuse('request_malformed', '"token" is missing')
}
