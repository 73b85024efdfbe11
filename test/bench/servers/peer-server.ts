import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider, { type Configuration } from 'oidc-provider'
import { makeKey } from '../../wire/signing.ts'

/**
 * oidc-provider as it comes: its own adapter, which remembers in memory and writes nothing down.
 *
 * `node peer-server.js <client id> <public JWK>`: one client that authenticates by `private_key_jwt`. With `resource` it is given
 * a JWT access token, without one an opaque one, both bound to its DPoP key.
 */
const [clientId = '', jwk = '{}'] = process.argv.slice(2)
const { privateKey, jkt } = makeKey()
const signing = { ...privateKey.export({ format: 'jwk' }), kid: jkt, use: 'sig', alg: 'ES256' }

const configuration: Configuration = {
  clients: [
    {
      client_id: clientId,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [JSON.parse(jwk)] },
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  jwks: { keys: [signing] } as NonNullable<Configuration['jwks']>,
  scopes: ['api:call'],
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: {
    clientAuthSigningAlgValues: ['ES256'],
    dPoPSigningAlgValues: ['ES256'],
    idTokenSigningAlgValues: ['ES256'],
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        ...{ scope: 'api:call', accessTokenTTL: 60, accessTokenFormat: 'jwt' },
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
}

// Whatever it warns of at its start would be taken for its ready line.
console.warn = console.info = () => {}
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  server.on('request', new Provider(`http://127.0.0.1:${port}`, configuration).callback())
  console.log(`listening on ${port}`)
})
process.once('SIGTERM', () => process.exit(0))
