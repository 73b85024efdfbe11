import {
  type AuthorizationServer,
  allowInsecureRequests,
  discoveryRequest,
  processDiscoveryResponse,
} from 'oauth4webapi'

/** The issuer is plain http on a loopback host here, which the library takes only when it is told to. */
export const INSECURE = { [allowInsecureRequests]: true } as const

/** The server's metadata as oauth4webapi reads it, from either of the well-known addresses. */
export async function authorizationServer(
  issuer: string,
  algorithm: 'oauth2' | 'oidc' = 'oauth2',
): Promise<AuthorizationServer> {
  const identifier = new URL(issuer)
  const response = await discoveryRequest(identifier, { algorithm, ...INSECURE })
  return processDiscoveryResponse(identifier, response)
}
