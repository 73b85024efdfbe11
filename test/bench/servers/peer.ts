import { newClient, oauthRequest, type TestClient } from '../../support/clients.ts'
import type { RawRequest } from '../harness/connection.ts'
import { rawRequest } from '../ours/minting.ts'
import { type OtherServer, startOther } from './limit.ts'

/** A stock oidc-provider with one client. */
export interface Peer extends OtherServer {
  readonly client: TestClient
  /** `client_credentials` with an assertion and a DPoP proof; of a resource it is answered with a JWT. */
  readonly tokenRequest: (resource?: string) => RawRequest
  readonly introspectionRequest: (token: string) => RawRequest
}

export async function startPeer(): Promise<Peer> {
  const client = newClient('bench-client')
  const jwk = { ...client.key.jwk, kid: client.key.jkt, alg: 'ES256', use: 'sig' }
  const server = await startOther('peer-server', [client.id, JSON.stringify(jwk)])
  const issuer = `http://127.0.0.1:${server.target.port}`
  return {
    ...server,
    client,
    tokenRequest: (resource) => {
      const parameters = { grant_type: 'client_credentials', resource, scope: resource && 'api:call' }
      return rawRequest(oauthRequest(issuer, '/token', client, parameters))
    },
    introspectionRequest: (token) =>
      rawRequest(oauthRequest(issuer, '/token/introspection', client, { token }, {}, false)),
  }
}
