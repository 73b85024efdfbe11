import type { Status } from '../agent/client.ts'

/** A protected API, as far as an issuance needs to know it (RFC 8707). */
export interface Resource {
  readonly id: string
  /** Absolute URI, the `aud` of its tokens; compared code point by code point. */
  readonly identifier: string
  readonly status: Status
  readonly version: number
  /** Action types that tokens for it may name. */
  readonly actionTypes: readonly string[]
  /** Absent: the server's default. Unit: seconds. */
  readonly tokenLifetimeSeconds?: number
  /** `digest`: digestible members travel as digests, their values are told by introspection only. */
  readonly tokenContent: 'full' | 'digest'
}
