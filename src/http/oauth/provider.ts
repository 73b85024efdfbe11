import type { IncomingMessage, ServerResponse } from 'node:http'
import Provider, { type AdapterFactory, type Configuration, errors } from 'oidc-provider'
import type { Client } from '../../core/agent/client.ts'
import type { IssuedClientToken } from '../../core/token/issued-client-token.ts'
import type { Door } from '../door.ts'
import type { PassToProvider } from './client-credentials.ts'
import { withRequestContext } from './request-context.ts'
import { CLIENT_CREDENTIALS } from './token.ts'
import { TOKEN_EXCHANGE } from './token-exchange.ts'

const ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA'] as const

/** The private keys that sign, as oidc-provider wants them. */
export interface ProviderKeys {
  readonly jwks: readonly Record<string, unknown>[]
  readonly activeKid: () => string
}

export interface ProviderParts {
  readonly issuer: string
  readonly keys: ProviderKeys
  readonly cookieKey: string
  /** 32 bytes, shared with our own doors; undefined where no nonce is required. */
  readonly nonceSecret: Buffer | undefined
  readonly tokenLifetimeSeconds: number
  readonly findClient: (id: string) => Promise<Client | undefined>
  /** Marks an id as used. False: it was used before. One atomic statement. */
  readonly markOnce: (id: string, expiresInSeconds: number) => Promise<boolean>
  /** Records the token before it is signed; a fault here means that nothing is signed. */
  readonly recordClientToken: (facts: IssuedClientToken) => Promise<void>
}

/**
 * Drives oidc-provider for what it is best at: the grants of OAuth that are not ours.
 *
 * Its defaults are wide (any assertion audience and lifetime, RS256, an in-memory adapter, routes nobody asked for), so
 * every one that matters is set. Clients reach it only through our `/token`, authenticated.
 */
export function openProvider(parts: ProviderParts): PassToProvider {
  const provider = new Provider(parts.issuer, configuration(parts))
  // Registered so that client metadata may name it. Answered by our own door: whoever gets here took a wrong turn.
  provider.registerGrantType(TOKEN_EXCHANGE, () => {
    throw new errors.UnsupportedGrantType()
  })
  // The scheme and the host come from the issuer, through the headers that `behindIssuer` overwrites.
  provider.proxy = true
  // The library opens its token endpoint to scripts of every origin; ours is closed to them.
  provider.use(async (context, next) => {
    await next()
    for (const name of Object.keys(context.response.headers)) {
      if (name.startsWith('access-control-')) context.remove(name)
    }
  })
  const handle = provider.callback() as (request: IncomingMessage, response: ServerResponse) => Promise<void>
  return async (context, form) => {
    behindIssuer(context, parts.issuer)
    Object.assign(context.req, { body: Object.fromEntries(form) })
    context.respond = false
    await withRequestContext(() => handle(context.req, context.res))
  }
}

/** oidc-provider builds URLs from `Host` and judges by `Origin`; what a caller says there must not matter. */
function behindIssuer({ req }: Door, issuer: string): void {
  const { host, protocol } = new URL(issuer)
  req.headers.host = host
  req.headers['x-forwarded-host'] = host
  req.headers['x-forwarded-proto'] = protocol.slice(0, -1)
  delete req.headers['x-forwarded-for']
  // It refuses what names an origin; we refuse nothing for that, and let no origin read the answer.
  delete req.headers.origin
}

function configuration(parts: ProviderParts): Configuration {
  const off = { enabled: false } as const
  return {
    adapter: adapterFactory(parts),
    clients: [],
    cookies: { keys: [parts.cookieKey] },
    jwks: { keys: parts.keys.jwks.map((jwk) => ({ ...jwk })) } as NonNullable<Configuration['jwks']>,
    scopes: [],
    responseTypes: ['code'],
    clientAuthMethods: ['private_key_jwt'],
    clientDefaults: {
      token_endpoint_auth_method: 'private_key_jwt',
      id_token_signed_response_alg: 'ES256',
      grant_types: [CLIENT_CREDENTIALS],
      response_types: [],
    },
    enabledJWA: {
      clientAuthSigningAlgValues: [...ALGORITHMS],
      dPoPSigningAlgValues: [...ALGORITHMS],
      idTokenSigningAlgValues: ['ES256'],
    },
    clockTolerance: 30,
    ttl: { ClientCredentials: parts.tokenLifetimeSeconds },
    features: {
      devInteractions: off,
      userinfo: off,
      rpInitiatedLogout: off,
      introspection: off,
      revocation: off,
      registration: off,
      pushedAuthorizationRequests: off,
      clientCredentials: { enabled: true },
      dPoP:
        parts.nonceSecret === undefined
          ? { enabled: true }
          : { enabled: true, nonceSecret: parts.nonceSecret, requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => parts.issuer,
        useGrantedResource: () => false,
        getResourceServerInfo: async (_context, resource, client) => {
          if (resource !== parts.issuer) throw new errors.InvalidTarget()
          const registered = await parts.findClient(client.clientId)
          return {
            audience: parts.issuer,
            // Computed per client: the library's own check of scope knows static ones only.
            scope: registered?.kind === 'administrator' ? registered.scope.join(' ') : '',
            accessTokenFormat: 'jwt',
            accessTokenTTL: parts.tokenLifetimeSeconds,
            jwt: { sign: { alg: 'ES256', kid: parts.keys.activeKid() } },
          }
        },
      },
    },
    // Awaited before the token is signed: the record comes first.
    extraTokenClaims: async (context, token) => {
      const client = await parts.findClient(token.clientId ?? '')
      const jkt = 'jkt' in token && typeof token.jkt === 'string' ? token.jkt : undefined
      if (token.kind !== 'ClientCredentials' || client === undefined || jkt === undefined) {
        throw new errors.InvalidClient('this client gets no token of this kind')
      }
      const scope = typeof token.scope === 'string' ? token.scope : ''
      const requestId = String(context.res.getHeader('x-request-id') ?? '')
      const iat = token.iat ?? 0
      const exp = iat + parts.tokenLifetimeSeconds
      await parts.recordClientToken({ jti: token.jti, client, jkt, scope, iat, exp, requestId })
      return { token_use: client.kind === 'administrator' ? 'admin' : client.kind }
    },
    assertJwtClientAuthClaimsAndHeader: async (_context, claims) => {
      // One string, the issuer: an assertion for a list of servers can be replayed among them (draft-ietf-oauth-rfc7523bis).
      if (claims.aud !== parts.issuer) throw new errors.InvalidClientAuth('"aud" must be the issuer')
    },
    findAccount: () => undefined,
    renderError: (context, out) => {
      context.type = 'json'
      context.body = JSON.stringify(out)
    },
  }
}

/** Clients from our own tables, replay marks in our own table; whatever else the library would store is not stored yet. */
function adapterFactory({ findClient, markOnce }: ProviderParts): AdapterFactory {
  return (model) => ({
    find: async (id) => (model === 'Client' ? clientMetadata(await findClient(id)) : undefined),
    upsert: async (id, _payload, expiresInSeconds) => {
      if (model !== 'ReplayDetection' || expiresInSeconds === undefined) throw new Error(`${model} is not stored`)
      // The library looks first and writes then; of two that looked at once, the second is told here.
      if (!(await markOnce(`oidc-provider\n${id}`, expiresInSeconds))) throw new errors.InvalidClientAuth('used before')
    },
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
    consume: async () => undefined,
    destroy: async () => undefined,
    revokeByGrantId: async () => undefined,
  })
}

function clientMetadata(client: Client | undefined) {
  if (client === undefined || client.status !== 'active') return undefined
  return {
    client_id: client.id,
    token_endpoint_auth_method: 'private_key_jwt' as const,
    grant_types: [CLIENT_CREDENTIALS],
    response_types: [],
    redirect_uris: [],
    jwks: { keys: client.keys.map(({ kid, jwk }) => ({ ...jwk, kid })) },
  }
}
