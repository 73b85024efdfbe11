import type { JsonValue } from '../../core/json.ts'
import { isOrigin } from '../resource/transport.ts'
import { WritFault } from './fault.ts'
import { send, type Transport } from './transport.ts'

/** What an agent needs to know of its issuer (RFC 8414 §2). */
export interface IssuerMetadata {
  readonly issuer: string
  readonly tokenEndpoint: string
  /** The action types that the server knows at this moment (RFC 9396 §10). */
  readonly authorizationDetailsTypes: readonly string[]
  readonly dpopSigningAlgorithms: readonly string[]
  /** Where agents are attested; undefined where they are not. */
  readonly attestationEndpoint?: string
}

/**
 * Reads the metadata of an authorization server (RFC 8414 §3).
 *
 * @throws WritFault when it cannot be had, or is not that of this issuer. TypeError when the issuer is no safe origin.
 */
export async function readMetadata(issuer: string, transport: Transport): Promise<IssuerMetadata> {
  checkIssuer(issuer)
  const { status, body } = await send(transport, `${issuer}/.well-known/oauth-authorization-server`, {
    headers: { accept: 'application/json' },
  })
  const unusable = (why: string) => new WritFault('unexpected_answer', `the metadata of the issuer: ${why}`, { status })
  if (status === 503) throw new WritFault('unavailable', 'the server is not available for the moment', { status })
  if (status !== 200 || body === undefined) throw unusable(`status ${status}, or no JSON object`)
  // As a string, and before anything else of it is believed (RFC 8414 §3.3).
  if (body.issuer !== issuer) throw unusable('it names another issuer')
  const tokenEndpoint = body.token_endpoint
  if (typeof tokenEndpoint !== 'string' || !isAt(tokenEndpoint, issuer)) {
    throw unusable('the token endpoint is not a URL of the issuer')
  }
  const attestationEndpoint = strings(body.token_endpoint_auth_methods_supported).includes(ATTESTATION_METHOD)
    ? body.attestation_endpoint
    : undefined
  // Another server may take attestations and leave it to others to give them.
  const isAttesting = typeof attestationEndpoint === 'string'
  if (isAttesting && !isAt(attestationEndpoint, issuer)) {
    throw unusable('the attestation endpoint is not a URL of the issuer')
  }
  const grants = strings(body.grant_types_supported)
  if (!grants.includes(TOKEN_EXCHANGE)) throw unusable('the server does not exchange tokens')
  return Object.freeze({
    issuer,
    tokenEndpoint,
    authorizationDetailsTypes: Object.freeze(strings(body.authorization_details_types_supported)),
    dpopSigningAlgorithms: Object.freeze(strings(body.dpop_signing_alg_values_supported)),
    ...(isAttesting && { attestationEndpoint }),
  })
}

/** @throws TypeError for anything but an origin, https, or http on a loopback host: before anything is sent to it. */
export function checkIssuer(issuer: string): void {
  if (typeof issuer !== 'string' || !isOrigin(issuer)) {
    throw new TypeError('issuer must be an origin such as https://as.example: https, or http on a loopback host')
  }
}

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** (draft-ietf-oauth-attestation-based-client-auth-12 §Authorization Server Metadata) */
const ATTESTATION_METHOD = 'attest_jwt_client_auth_dpop'

const isAt = (url: string, origin: string) => URL.canParse(url) && new URL(url).origin === origin && !url.includes('#')

const strings = (value: JsonValue | undefined): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
