import { refuse } from '../../../core/refusal.ts'
import type { UpstreamIdentities } from '../../../people-ports.ts'
import type { Database, Query } from '../open-database.ts'
import { holdPrincipal, insertLogin } from './logins.ts'

const UNKNOWN = refuse(
  'sign_in_refused',
  'the provider says who you are, and nobody here is known by that; ask your administrator to register you',
)
const BOUND_TO_ANOTHER = refuse(
  'sign_in_refused',
  'whoever that is here signs in by another account of this provider; ask your administrator',
)

/** Who somebody at an upstream provider is here. */
export function upstreamIdentities({ transaction }: Pick<Database, 'transaction'>): UpstreamIdentities {
  return {
    use: ({ issuer, subject }, named, login, deed) =>
      transaction(async (tx) => {
        let principalId = await boundTo(tx, issuer, subject)
        const isNew = principalId === undefined
        if (principalId === undefined) {
          const candidates = named === undefined ? [] : await findNamed(tx, named)
          // Two that are named alike: nobody can tell which.
          principalId = candidates.length === 1 ? candidates[0] : undefined
        }
        if (principalId === undefined) return UNKNOWN
        // Alone, where he is to be bound: of two accounts that come at once, one is his.
        if (isNew) await tx('SELECT 1 AS one FROM principal WHERE id = $1 FOR NO KEY UPDATE', [principalId])
        if (!(await holdPrincipal(tx, principalId))) return UNKNOWN
        if (isNew) {
          const [other] = await tx<{ subject: string }>(
            'SELECT subject FROM upstream_identity WHERE issuer = $1 AND principal_id = $2 AND subject <> $3',
            [issuer, principalId, subject],
          )
          // An address that was given to somebody else would be a way in: an account is bound once, by the first who comes.
          if (other !== undefined) return BOUND_TO_ANOTHER
          if (!(await bind(tx, issuer, subject, principalId))) return UNKNOWN
        }
        // The account is told when somebody is bound, and to what.
        const shown = { principalId, method: 'upstream' as const, detail: issuer, by: issuer }
        return insertLogin(tx, login, { ...shown, ...(isNew && { bound: subject }) }, deed)
      }),
  }
}

async function boundTo(tx: Query, issuer: string, subject: string): Promise<string | undefined> {
  const [row] = await tx<{ principal_id: string }>(
    'SELECT principal_id FROM upstream_identity WHERE issuer = $1 AND subject = $2',
    [issuer, subject],
  )
  return row?.principal_id
}

/** Whether the pair is this principal's now. False: it is somebody else's, who came first. */
async function bind(tx: Query, issuer: string, subject: string, principalId: string): Promise<boolean> {
  const [bound] = await tx(
    `INSERT INTO upstream_identity (issuer, subject, principal_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING 1 AS one`,
    [issuer, subject, principalId],
  )
  return bound !== undefined || (await boundTo(tx, issuer, subject)) === principalId
}

/** Principals that may sign in and are named so; two at most. */
async function findNamed(
  tx: Query,
  { by, value }: { readonly by: 'email' | 'id'; readonly value: string },
): Promise<readonly string[]> {
  // Lower case of ASCII letters alone, as the value has it (core/people/claim-rule.ts).
  const column = by === 'id' ? 'id' : 'lower(email COLLATE "C")'
  const rows = await tx<{ id: string }>(
    `SELECT id FROM principal WHERE ${column} = $1 AND status = 'active' AND kind <> 'service' LIMIT 2`,
    [value],
  )
  return rows.map(({ id }) => id)
}
