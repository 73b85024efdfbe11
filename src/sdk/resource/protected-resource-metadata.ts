import { SIGNATURE_ALGORITHMS } from '../../wire/algorithms.ts'

/** The document by which a client finds out how to call a resource (RFC 9728 §2). */
export interface ProtectedResourceMetadata {
  readonly resource: string
  readonly authorization_servers: readonly [string]
  /** Empty: no way of sending a bearer token is supported. */
  readonly bearer_methods_supported: readonly []
  readonly dpop_signing_alg_values_supported: readonly string[]
  readonly dpop_bound_access_tokens_required: true
  readonly authorization_details_types_supported?: readonly string[]
}

/** Builds the document; `types` are the action types served here, where they are told. */
export function protectedResourceMetadata(
  resource: string,
  issuer: string,
  types: readonly string[] | undefined,
): ProtectedResourceMetadata {
  return {
    resource,
    authorization_servers: [issuer],
    bearer_methods_supported: [],
    dpop_signing_alg_values_supported: SIGNATURE_ALGORITHMS,
    dpop_bound_access_tokens_required: true,
    ...(types !== undefined && { authorization_details_types_supported: types }),
  }
}

/**
 * Path of the document: the well-known part goes between host and path of the identifier (RFC 9728 §3.1).
 *
 * @returns undefined where the identifier is no URL of this origin: then nobody who reads it comes here.
 */
export function metadataPath(resource: string, origin: string): string | undefined {
  if (!URL.canParse(resource)) return undefined
  const url = new URL(resource)
  if (url.origin !== origin) return undefined
  return `/.well-known/oauth-protected-resource${url.pathname === '/' ? '' : url.pathname}`
}
