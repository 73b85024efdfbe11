import { refuse } from '../../../core/refusal.ts'
import type { Passkey, Passkeys } from '../../../people-ports.ts'
import type { Database } from '../open-database.ts'
import { holdPrincipal, insertLogin } from './logins.ts'
import { recordOfPrincipal } from './principal-records.ts'

/** Passkeys of one principal that are in use. */
const MAX_PASSKEYS = 20

/** Public keys of authenticators, by the credential's id. A passkey that was removed stays, so that it is never added again. */
export function passkeys({ query, transaction }: Pick<Database, 'query' | 'transaction'>): Passkeys {
  return {
    ofPrincipal: (principalId) =>
      query<Passkey>(
        `SELECT id, label, created_at AS "createdAt", last_used_at AS "lastUsedAt" FROM passkey
         WHERE principal_id = $1 AND removed_at IS NULL ORDER BY id DESC`,
        [principalId],
      ),
    credentialIds: async (principalId) => {
      const rows = await query<{ credential_id: Uint8Array }>(
        'SELECT credential_id FROM passkey WHERE principal_id = $1 AND removed_at IS NULL',
        [principalId],
      )
      return rows.map(({ credential_id }) => Buffer.from(credential_id).toString('base64url'))
    },
    find: async (credentialId) => {
      const [row] = await query<{ id: string; principal_id: string; public_key: Uint8Array; counter: bigint }>(
        `SELECT k.id, k.principal_id, k.public_key, k.counter FROM passkey k JOIN principal p ON p.id = k.principal_id
         WHERE k.credential_id = $1 AND k.removed_at IS NULL AND p.status = 'active' AND p.kind <> 'service'`,
        [Buffer.from(credentialId, 'base64url')],
      )
      if (row === undefined) return undefined
      const { id, principal_id: principalId, counter } = row
      const publicKey = new Uint8Array(row.public_key)
      return { id, principalId, credentialId, publicKey, counter: Number(counter), transports: [] }
    },
    add: ({ id, principalId, label, credentialId, publicKey, counter, transports }, { loginId, ...deed }) =>
      transaction(async (tx) => {
        // Held until the end: a login that ended before, or a principal who was suspended, adds nothing that outlives it.
        const [held] = await tx(
          `SELECT 1 AS one FROM principal p JOIN login l ON l.principal_id = p.id AND l.id = $2 AND l.ended_at IS NULL
             AND l.expires_at > clock_timestamp()
           WHERE p.id = $1 AND p.status = 'active' FOR NO KEY UPDATE OF p FOR SHARE OF l`,
          [principalId, loginId],
        )
        if (held === undefined) return refuse('sign_in_refused', 'you are not signed in here any more')
        const [{ count } = { count: MAX_PASSKEYS }] = await tx<{ count: number }>(
          'SELECT count(*)::int AS count FROM passkey WHERE principal_id = $1 AND removed_at IS NULL',
          [principalId],
        )
        if (count >= MAX_PASSKEYS) {
          return refuse('sign_in_refused', `you have ${MAX_PASSKEYS} passkeys; remove one first`)
        }
        const [added] = await tx(
          `INSERT INTO passkey (id, credential_id, principal_id, public_key, counter, transports, label)
           VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING 1 AS one`,
          [id, Buffer.from(credentialId, 'base64url'), principalId, Buffer.from(publicKey), counter, transports, label],
        )
        if (added === undefined) return refuse('sign_in_refused', 'the passkey is or was in use; make a new one')
        await recordOfPrincipal(tx, deed, { principalId, operation: 'passkey.add', target: id, loginId })
        return undefined
      }),
    rename: (principalId, id, label, { loginId, ...deed }) =>
      transaction(async (tx) => {
        const [renamed] = await tx(
          `UPDATE passkey SET label = $3 WHERE principal_id = $1 AND id = $2 AND removed_at IS NULL RETURNING 1 AS one`,
          [principalId, id, label],
        )
        if (renamed === undefined) return false
        await recordOfPrincipal(tx, deed, { principalId, operation: 'passkey.rename', target: id, loginId })
        return true
      }),
    remove: (principalId, id, { loginId, ...deed }) =>
      transaction(async (tx) => {
        const [removed] = await tx(
          `UPDATE passkey SET removed_at = clock_timestamp() WHERE principal_id = $1 AND id = $2 AND removed_at IS NULL
           RETURNING 1 AS one`,
          [principalId, id],
        )
        if (removed === undefined) return false
        await recordOfPrincipal(tx, deed, { principalId, operation: 'passkey.remove', target: id, loginId })
        return true
      }),
    use: ({ id, principalId }, counter, login, deed) =>
      transaction(async (tx) => {
        if (!(await holdPrincipal(tx, principalId)))
          return refuse('sign_in_refused', 'the passkey is not one that is good here')
        // Of two answers with the same counter one is a copy; authenticators that do not count always say 0 (WebAuthn Level 2 §7.2 step 21).
        const [used] = await tx<{ label: string }>(
          `UPDATE passkey SET counter = $2, last_used_at = clock_timestamp()
           WHERE id = $1 AND removed_at IS NULL AND (counter < $2 OR (counter = 0 AND $2 = 0)) RETURNING label`,
          [id, counter],
        )
        if (used === undefined) return refuse('sign_in_refused', 'the passkey was removed, or used meanwhile')
        return insertLogin(tx, login, { principalId, method: 'passkey', detail: used.label, by: id }, deed)
      }),
  }
}
