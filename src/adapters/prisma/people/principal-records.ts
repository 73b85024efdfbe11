import type { Deed } from '../../../people-ports.ts'
import type { Query } from '../open-database.ts'

/** What a principal did, for the account. Holds no secret. */
export interface PrincipalDeed {
  readonly principalId: string
  /** Noun and verb: `login.begin`. */
  readonly operation: string
  readonly target: string
  /** The login by which it was done. */
  readonly loginId: string
  readonly because?: Readonly<Record<string, string>>
}

/** Writes the record of what a principal did, in the transaction of the deed. */
export async function recordOfPrincipal(
  tx: Query,
  { recordId, requestId }: Deed,
  { principalId, operation, target, loginId, because }: PrincipalDeed,
): Promise<void> {
  await tx(
    `INSERT INTO record (id, kind, decision, principal, because, request_id) VALUES ($1, 'principal', 'done', $2, $3::jsonb, $4)`,
    [recordId, principalId, JSON.stringify({ operation, target, login: loginId, ...because }), requestId],
  )
}
