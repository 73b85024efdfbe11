import { SIGNATURE_ALGORITHMS } from './algorithms.ts'
import { errorDescription } from './error-description.ts'

/**
 * Why a protected resource says no: RFC 6750 §3.1, RFC 9449 §7.1 and §8; the last one for a valid token of something else
 * (draft-zehavi-oauth-rar-metadata-02 §WWW-Authenticate), where `insufficient_scope` would send the client for a scope.
 */
export type DpopError =
  | 'invalid_token'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'insufficient_scope'
  | 'insufficient_authorization_details'

/** What a challenge says; without `error` it only asks for credentials (RFC 6750 §3.1). */
export interface DpopChallenge {
  readonly error?: DpopError
  /** Any text: it is made safe here. */
  readonly errorDescription?: string
  /** URL of the protected resource metadata (RFC 9728 §5.1). */
  readonly resourceMetadata?: string
}

/** Builds the value of a `WWW-Authenticate: DPoP …` header (RFC 9449 §7.1). */
export function dpopChallenge(challenge: DpopChallenge = {}): string {
  const { error, errorDescription: description, resourceMetadata } = challenge
  const parameters = [
    ...(error === undefined ? [] : [quoted('error', error)]),
    ...(description === undefined ? [] : [quoted('error_description', errorDescription(description))]),
    ...(resourceMetadata === undefined ? [] : [quoted('resource_metadata', uri(resourceMetadata))]),
    quoted('algs', SIGNATURE_ALGORITHMS.join(' ')),
  ]
  return `DPoP ${parameters.join(', ')}`
}

const quoted = (name: string, value: string): string => `${name}="${value}"`

/** A URL in its serialized form, in which nothing can end the quoted string (WHATWG URL encodes `"`; `\` we refuse). */
function uri(value: string): string {
  const { href } = new URL(value)
  if (!/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(href)) throw new TypeError('the metadata URL cannot stand in a header')
  return href
}
