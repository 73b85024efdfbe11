import type { Middleware } from 'koa'
import { CIBA } from './approval-poll.ts'
import { AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE } from './token.ts'
import { TOKEN_EXCHANGE } from './token-exchange.ts'

const ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA']
const METHODS = ['private_key_jwt']
/** Agents have one more (draft-ietf-oauth-attestation-based-client-auth-12 §Authorization Server Metadata). */
const AGENT_METHODS = [...METHODS, 'attest_jwt_client_auth_dpop']

/**
 * The metadata of the authorization server (RFC 8414 §2), at both well-known addresses the same.
 *
 * Our own document and not oidc-provider's: that one is fixed at construction, follows `Host`, and advertises endpoints
 * that nobody configured. Nothing is named here that does not work.
 */
export function serverMetadata(issuer: string, actionTypes: () => readonly string[]): Middleware {
  return (context) => {
    context.set('Cache-Control', 'no-cache')
    context.body = {
      issuer,
      token_endpoint: `${issuer}/token`,
      introspection_endpoint: `${issuer}/introspect`,
      // (RFC 9701 §7)
      introspection_signing_alg_values_supported: ['ES256'],
      revocation_endpoint: `${issuer}/revoke`,
      // An extension of ours: where a resource server says what came of a token.
      receipts_endpoint: `${issuer}/receipts`,
      // And another: what was stopped, for resource servers that verify offline.
      revocation_feed_endpoint: `${issuer}/revocations`,
      jwks_uri: `${issuer}/jwks`,
      grant_types_supported: [CLIENT_CREDENTIALS, TOKEN_EXCHANGE, AUTHORIZATION_CODE, DEVICE_CODE, CIBA],
      authorization_endpoint: `${issuer}/authorize`,
      // (RFC 9126 §5)
      pushed_authorization_request_endpoint: `${issuer}/par`,
      // Absent, it would say yes (RFC 9101 §10.5): those of PAR alone are taken (RFC 9126 §5).
      request_uri_parameter_supported: false,
      // (RFC 9207 §3)
      authorization_response_iss_parameter_supported: true,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      code_challenge_methods_supported: ['S256'],
      // (RFC 8628 §4)
      device_authorization_endpoint: `${issuer}/device_authorization`,
      // (CIBA Core §4)
      backchannel_authentication_endpoint: `${issuer}/backchannel`,
      backchannel_token_delivery_modes_supported: ['poll', 'ping'],
      // The backchannel alone has a scope, and with it an ID token (CIBA Core §7.1).
      scopes_supported: ['openid'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      token_endpoint_auth_methods_supported: AGENT_METHODS,
      token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      introspection_endpoint_auth_methods_supported: METHODS,
      introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      revocation_endpoint_auth_methods_supported: AGENT_METHODS,
      revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      // This server attests its own clients, and takes attestations of its own alone.
      client_attestation_signing_alg_values_supported: ['ES256'],
      // And one more extension: where an agent is attested.
      attestation_endpoint: `${issuer}/attestation`,
      dpop_signing_alg_values_supported: ALGORITHMS,
      // (RFC 9396 §10)
      authorization_details_types_supported: actionTypes(),
    }
  }
}
