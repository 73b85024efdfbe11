import type { Page } from './admin-ports.ts'
import type { JsonValue } from './core/json.ts'

/** The account as administrators read and write it, and the stop of everything. A part of admin-ports.ts. */

/** One entry of the account as an auditor reads it. */
export interface AuditRecord {
  readonly id: string
  readonly at: Date
  readonly kind: string
  readonly decision: string
  readonly refusal: string | null
  readonly detail: string | null
  readonly client: string | null
  readonly agent: string | null
  readonly principal: string | null
  readonly delegation: string | null
  readonly resource: string | null
  readonly actionType: string | null
  readonly actionTypeVersion: number | null
  /** JSON text, RFC 8785 form. */
  readonly action: string | null
  readonly actionDigest: string | null
  readonly jti: string | null
  readonly jkt: string | null
  readonly txn: string | null
  readonly turn: string | null
  readonly because: JsonValue
  readonly tokenIssuedAt: Date | null
  readonly tokenExpiresAt: Date | null
  readonly requestId: string | null
}

export interface RecordFilter {
  readonly agent?: string | undefined
  readonly principal?: string | undefined
  readonly delegation?: string | undefined
  readonly resource?: string | undefined
  readonly type?: string | undefined
  readonly decision?: string | undefined
  /** Exclusive. */
  readonly after?: Date | undefined
  /** Exclusive. */
  readonly before?: Date | undefined
}

export interface RecordReader {
  /** Newest first. */
  readonly page: (filter: RecordFilter, page: Page) => Promise<readonly AuditRecord[]>
  /** The record of the issuance of a token. */
  readonly issuanceOf: (jti: string) => Promise<AuditRecord | undefined>
}

/** What an administrator did, or a principal, for the account. Holds no secret. */
export interface AdminRecord {
  readonly id: string
  /** Absent: an administrator. */
  readonly kind?: 'admin' | 'principal'
  /** The client that called; null: nobody's, a person in a browser. */
  readonly client: string | null
  /** Noun and verb: `agent.suspend`. */
  readonly operation: string
  readonly target: string
  readonly reason?: string | undefined
  readonly agent?: string | undefined
  readonly principal?: string | undefined
  readonly delegation?: string | undefined
  readonly resource?: string | undefined
  readonly actionType?: string | undefined
  readonly actionTypeVersion?: number | undefined
  /** Of a principal: the login in which it was done. */
  readonly login?: string | undefined
  /** Of a delegation that was asked for: by which grant. */
  readonly flow?: string | undefined
  readonly requestId: string
}

/** Everything is stopped: since when, by whom, and why. */
export interface Stop {
  readonly since: Date
  /** An administrator client. */
  readonly by: string
  readonly reason: string | null
}

export interface StopReader {
  /** Undefined: nothing is stopped as a whole. */
  readonly find: () => Promise<Stop | undefined>
}

export interface StopStore extends StopReader {
  /** Reads it, and lets nobody else change it until the end of the transaction. */
  readonly hold: () => Promise<Stop | undefined>
  readonly set: (stop: Stop | undefined) => Promise<void>
}
