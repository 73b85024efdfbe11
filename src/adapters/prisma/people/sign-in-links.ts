import { refuse } from '../../../core/refusal.ts'
import type { SignInLinks } from '../../../people-ports.ts'
import type { Database } from '../open-database.ts'
import { holdPrincipal, insertLogin } from './logins.ts'

/** A link that can be used; `$1` is the digest of its code. */
const OPEN = `k.code_hash = $1 AND k.used_at IS NULL AND k.withdrawn_at IS NULL AND k.expires_at > clock_timestamp()`

/** Unknown, used, withdrawn, expired, or of a principal who is not active: who guesses learns nothing by the difference. */
const UNKNOWN = refuse('sign_in_refused', 'the link is unknown, used or expired')

/** One-time links, on the row that the code's digest names. */
export function signInLinks({ query, transaction }: Pick<Database, 'query' | 'transaction'>): SignInLinks {
  const findOpen = async (codeHash: string) => {
    const [row] = await query<{ principal_id: string; name: string; expires_at: Date }>(
      `SELECT k.principal_id, p.name, k.expires_at FROM sign_in_link k JOIN principal p ON p.id = k.principal_id
       WHERE ${OPEN} AND p.status = 'active' AND p.kind <> 'service'`,
      [Buffer.from(codeHash, 'base64url')],
    )
    return row
  }
  return {
    find: async (codeHash) => {
      const row = await findOpen(codeHash)
      return row && { principalName: row.name, expiresAt: row.expires_at }
    },
    use: async (codeHash, login, deed) => {
      // Whoever guesses causes one lookup: no row, no transaction.
      const named = await findOpen(codeHash)
      if (named === undefined) return UNKNOWN
      return transaction(async (tx) => {
        // The principal first and the link then, as whoever withdraws links does: nobody waits for the other in a circle.
        if (!(await holdPrincipal(tx, named.principal_id))) return UNKNOWN
        // The second of two waits here for the first, looks at the row again and finds it used.
        const [link] = await tx<{ id: string }>(
          `UPDATE sign_in_link k SET used_at = clock_timestamp() WHERE ${OPEN} RETURNING k.id`,
          [Buffer.from(codeHash, 'base64url')],
        )
        if (link === undefined) return UNKNOWN
        const shown = { principalId: named.principal_id, method: 'link' as const, detail: null, by: link.id }
        return insertLogin(tx, login, shown, deed)
      })
    },
  }
}
