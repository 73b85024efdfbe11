import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import type { PublicJwk } from '../../src/wire/jwk.ts'

export interface Account {
  readonly email: string
  readonly email_verified: boolean
}

/** A second OpenID provider, a real one, at which somebody is signed in already. */
export interface UpstreamServer {
  readonly issuer: string
  /** The account that the next sign-in is by. */
  account: string
  readonly accounts: Map<string, Account>
  /** Begins to serve, once it is known where browsers are to be sent back to. */
  readonly serve: (redirectUri: string, clientKey?: PublicJwk) => void
  readonly close: () => Promise<void>
}

export const UPSTREAM_CLIENT = { clientId: 'writ', clientSecret: 'a-secret-of-forty-three-characters-aaaaaaaaa' }

export async function startUpstream(): Promise<UpstreamServer> {
  let handle: (request: IncomingMessage, response: ServerResponse) => unknown = (_, response) =>
    response.writeHead(503).end()
  const server: Server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`
  const upstream: UpstreamServer = {
    issuer,
    account: 'account-1',
    accounts: new Map(),
    serve: (redirectUri, clientKey) => {
      handle = provider(upstream, redirectUri, clientKey).callback()
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
  return upstream
}

/** @param clientKey by which the client authenticates, instead of by a secret. */
function provider(upstream: UpstreamServer, redirectUri: string, clientKey: PublicJwk | undefined): Provider {
  const made = new Provider(upstream.issuer, {
    clients: [
      {
        client_id: UPSTREAM_CLIENT.clientId,
        ...(clientKey === undefined
          ? { client_secret: UPSTREAM_CLIENT.clientSecret }
          : { token_endpoint_auth_method: 'private_key_jwt' as const, jwks: { keys: [{ ...clientKey, kid: 'one' }] } }),
        redirect_uris: [redirectUri],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    cookies: { keys: ['a key of the test'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, sub) => {
      const account = upstream.accounts.get(sub)
      return account && { accountId: sub, claims: async () => ({ sub, ...account }) }
    },
  })
  made.use(async (context, next) => {
    if (!context.path.startsWith('/interaction/')) return next()
    // Whoever comes is signed in, and agrees.
    const { account: accountId } = upstream
    const grant = new made.Grant({ accountId, clientId: UPSTREAM_CLIENT.clientId })
    grant.addOIDCScope('openid email')
    const result = { login: { accountId }, consent: { grantId: await grant.save() } }
    context.respond = false
    await made.interactionFinished(context.req, context.res, result)
    return undefined
  })
  return made
}
