import type { Context } from 'koa'
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import { admitConsent, type FlowDelegation } from '../../commands/people/consents.ts'
import { type JudgeAskedPorts, judgeWords } from '../../commands/people/judge-asked.ts'
import type { IssuedClientToken } from '../../core/token/issued-client-token.ts'
import { describeRefusal } from '../../wire/error-description.ts'
import { asProviderError, consentPolicy, flowRules } from './flow-rules.ts'
import { type AdapterParts, adapterFactory, notificationEndpoint, redeemed } from './provider-adapter.ts'
import { CLIENT_CREDENTIALS } from './token.ts'

const ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA'] as const
/** Unit: seconds. */
const CODE_SECONDS = 60
const CONSENT_SECONDS = 600

/** The private keys that sign, as oidc-provider wants them. */
export interface ProviderKeys {
  readonly jwks: readonly Record<string, unknown>[]
  readonly activeKid: () => string
}

export interface ProviderParts extends AdapterParts {
  readonly issuer: string
  readonly keys: ProviderKeys
  readonly cookieKey: string
  /** 32 bytes, shared with our own doors; undefined where no nonce is required. */
  readonly nonceSecret: Buffer | undefined
  readonly tokenLifetimeSeconds: number
  /** Records the token before it is signed; a fault here means that nothing is signed. */
  readonly recordClientToken: (facts: IssuedClientToken) => Promise<void>
  readonly ports: JudgeAskedPorts
  /** What the token of a delegation says. */
  readonly subjectClaims: (delegation: FlowDelegation) => object
  /** Sends a ping to an agent's endpoint, guarded: nobody makes this server ask inside its own network. */
  readonly fetch: typeof globalThis.fetch
  /** Told what broke inside of the library, which answers it itself. */
  readonly onFault: (error: unknown) => void
  /** Answers a browser that cannot be sent back to where it came from. */
  readonly showError: (
    context: Context,
    error: { readonly error: string; readonly error_description?: string | undefined },
  ) => void
}

/** What answers a browser; everything else answers a program. */
const PAGES = new Set(['authorization', 'resume'])

/**
 * Its defaults are wide (any assertion audience and lifetime, RS256, an in-memory adapter, routes nobody asked for), so every one that
 * matters is set.
 */
export function configuration(parts: ProviderParts): Configuration {
  const off = { enabled: false } as const
  const cookie = { httpOnly: true, sameSite: 'lax' } as const
  return {
    adapter: adapterFactory(parts),
    clients: [],
    // `__Secure-`: these have a path. The session's is not sent at all (provider.ts).
    cookies: {
      keys: [parts.cookieKey],
      names: { session: SESSION_COOKIE, interaction: '__Secure-writ_interaction', resume: '__Secure-writ_resume' },
      short: { ...cookie, secure: true },
      long: cookie,
    },
    jwks: { keys: parts.keys.jwks.map((jwk) => ({ ...jwk })) } as NonNullable<Configuration['jwks']>,
    routes: {
      ...{ authorization: '/authorize', pushed_authorization_request: '/par', token: '/token', jwks: '/jwks' },
      ...{ device_authorization: '/device_authorization', code_verification: '/device' },
      backchannel_authentication: '/backchannel',
    },
    scopes: ['openid'],
    responseTypes: ['code'],
    clientAuthMethods: ['private_key_jwt', 'none'],
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
    // (RFC 7636 §4.3) S256 is the only method the library has.
    pkce: { required: () => true },
    extraParams: flowRules(parts.ports, parts.issuer),
    interactions: { policy: consentPolicy(), url: (_context, { uid }) => `/interaction/${uid}` },
    loadExistingGrant: async ({ oidc }) => {
      const grantId = oidc.result?.consent?.grantId
      return typeof grantId === 'string' ? oidc.provider.Grant.find(grantId) : undefined
    },
    expiresWithSession: () => false,
    allowOmittingSingleRegisteredRedirectUri: false,
    // A code that comes a second time ends its delegation (RFC 6749 §4.1.2); a poll that overlaps another does not.
    revokeGrantPolicy: ({ oidc }) => oidc.params?.grant_type === 'authorization_code',
    ttl: {
      ClientCredentials: parts.tokenLifetimeSeconds,
      AuthorizationCode: CODE_SECONDS,
      Interaction: CONSENT_SECONDS,
      DeviceCode: CONSENT_SECONDS,
      BackchannelAuthenticationRequest: ({ oidc }) =>
        Math.min(CONSENT_SECONDS, Number(oidc.params?.requested_expiry ?? CONSENT_SECONDS)),
      IdToken: CONSENT_SECONDS,
      // Never stored, but the library asks.
      Session: CONSENT_SECONDS,
      AccessToken: ({ req }) => secondsLeft(redeemed.get(req)),
    },
    features: {
      devInteractions: off,
      userinfo: off,
      rpInitiatedLogout: off,
      introspection: off,
      revocation: off,
      registration: off,
      requestObjects: off,
      jwtResponseModes: off,
      richAuthorizationRequests: off,
      pushedAuthorizationRequests: { enabled: true, allowUnregisteredRedirectUris: false },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true, charset: 'base-20', mask: '****-****', deviceInfo: () => ({}) },
      ciba: {
        enabled: true,
        deliveryModes: ['poll', 'ping'],
        processLoginHint: async (_context, hint) => hint,
        processLoginHintToken: async () => {
          throw new errors.InvalidRequest("'login_hint_token' is not supported")
        },
        validateRequestContext: async (_context, value) => {
          if (value !== undefined) throw new errors.InvalidRequest("'request_context' is not supported")
        },
        validateBindingMessage: async (_context, message) => {
          const refusal = judgeWords('binding_message', message)
          if (refusal !== undefined) throw new errors.InvalidBindingMessage(describeRefusal(refusal))
        },
        verifyUserCode: async ({ oidc }, account, userCode) => {
          if (userCode !== undefined) throw new errors.InvalidRequest("'user_code' is not supported")
          const full = await admitConsent(parts, account.accountId, oidc.client?.clientId ?? '', { isStored: false })
          if (full !== undefined) throw asProviderError(full)
        },
        // The request is stored; the principal finds it among what waits for him.
        triggerAuthenticationDevice: async (_context, request, account, client) => {
          const full = await admitConsent(parts, account.accountId, client.clientId, { isStored: true })
          if (full === undefined) return
          await request.destroy()
          throw asProviderError(full)
        },
      },
      dPoP:
        parts.nonceSecret === undefined
          ? { enabled: true }
          : { enabled: true, nonceSecret: parts.nonceSecret, requireNonce: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => parts.issuer,
        useGrantedResource: () => false,
        getResourceServerInfo: (context, resource, client) => resourceServer(parts, context, resource, client.clientId),
      },
    },
    // Awaited before the token is signed: the record comes first.
    extraTokenClaims: (context, token) => recordToken(parts, context, token),
    formats: {
      customizers: {
        jwt: async (context, token, jwt) => {
          const delegation = token.kind === 'AccessToken' ? redeemed.get(context.req) : undefined
          // Exactly a subject token, as every other way to come by it gives it (wire contract, section 3).
          if (delegation !== undefined) jwt.payload = { ...parts.subjectClaims(delegation) }
        },
      },
    },
    assertJwtClientAuthClaimsAndHeader: async (_context, claims) => {
      // One string, the issuer: an assertion for a list of servers can be replayed among them (draft-ietf-oauth-rfc7523bis).
      if (claims.aud !== parts.issuer) throw new errors.InvalidClientAuth('"aud" must be the issuer')
    },
    findAccount: async (_context, id) => {
      const principal = await parts.ports.registry.read.entities.principal.find(id)
      // A service does not sign in: it could never answer.
      const canAnswer = principal?.status === 'active' && principal.kind !== 'service'
      return canAnswer ? { accountId: id, claims: () => ({ sub: id }) } : undefined
    },
    fetch: (url, options) => parts.fetch(notificationEndpoint(String(url)), options),
    renderError: (context, out) => {
      if (PAGES.has(context.oidc.route)) return parts.showError(context as unknown as Context, out)
      context.type = 'json'
      context.body = JSON.stringify(out)
    },
  }
}

export const SESSION_COOKIE = 'writ_no_session'

const secondsLeft = (delegation: FlowDelegation | undefined) =>
  Math.max(1, Math.floor(((delegation?.expiresAt.getTime() ?? 0) - Date.now()) / 1_000))

/** All tokens of the library are for this server itself; a resource only says where the delegation counts (RFC 8707). */
async function resourceServer(parts: ProviderParts, { oidc }: KoaContextWithOIDC, resource: string, clientId: string) {
  if (resource !== parts.issuer && oidc.params?.grant_type === CLIENT_CREDENTIALS) throw new errors.InvalidTarget()
  const registered = resource === parts.issuer ? await parts.findClient(clientId) : undefined
  return {
    audience: parts.issuer,
    // Computed per client: the library's own check of scope knows static ones only.
    scope: registered?.kind === 'administrator' ? registered.scope.join(' ') : '',
    accessTokenFormat: 'jwt' as const,
    accessTokenTTL: parts.tokenLifetimeSeconds,
    jwt: { sign: { alg: 'ES256' as const, kid: parts.keys.activeKid() } },
  }
}

type ExtraClaims = NonNullable<Configuration['extraTokenClaims']>

async function recordToken(
  parts: ProviderParts,
  context: Parameters<ExtraClaims>[0],
  token: Parameters<ExtraClaims>[1],
): Promise<Record<string, unknown>> {
  if (token.kind === 'AccessToken') {
    // On record since its code was used up; without that nothing is signed.
    if (redeemed.get(context.req) === undefined) throw new errors.InvalidGrant('nothing was redeemed')
    return {}
  }
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
}
