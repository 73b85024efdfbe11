import type { Status } from '../agent/client.ts'
import type { Limits } from '../delegation/limits.ts'

/** A protected API, as far as an issuance needs to know it (RFC 8707). */
export interface Resource {
  readonly id: string
  /** Absolute URI, the `aud` of its tokens; compared code point by code point. */
  readonly identifier: string
  readonly status: Status
  readonly version: number
  /** Action types that tokens for it may name; `all` where its administrator did not narrow them. */
  readonly actionTypes: readonly string[] | 'all'
  /** Absent: the server's default. Unit: seconds. */
  readonly tokenLifetimeSeconds?: number
  /** `digest`: digestible members travel as digests, their values are told by introspection only. */
  readonly tokenContent: 'full' | 'digest'
  /** Counted for every token for it. */
  readonly limits?: Limits
}

/** Whether tokens for this resource may name the action type. */
export function takesActionType(resource: Resource, type: string): boolean {
  return resource.actionTypes === 'all' || resource.actionTypes.includes(type)
}
