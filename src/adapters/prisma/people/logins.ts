import type { BegunLogin, Deed, Login, Logins, NewLogin, SignInMethod } from '../../../people-ports.ts'
import type { Database, Query } from '../open-database.ts'
import { recordOfPrincipal } from './principal-records.ts'

/** How old what is known of the last visit may be before it is written anew: not every request writes. */
const SEEN_SECONDS = 60
/** Shown at once; a browser that signs in more often than that has other troubles. */
const MAX_SHOWN = 200

/** A login that is good now; `$2` is how long it may go unseen, in seconds. */
const GOOD = `l.ended_at IS NULL AND l.expires_at > clock_timestamp()
  AND l.last_seen_at > clock_timestamp() - make_interval(secs => $2) AND p.status = 'active' AND p.kind <> 'service'`

interface LoginRow {
  readonly id: string
  readonly principal_id: string
  readonly principal_name: string
  readonly method: SignInMethod
  readonly detail: string | null
  readonly user_agent: string | null
  readonly created_at: Date
  readonly last_seen_at: Date
  readonly expires_at: Date
  readonly is_seen: boolean
}

const COLUMNS = `l.id, l.principal_id, p.name AS principal_name, l.method, l.detail, l.user_agent, l.created_at, l.last_seen_at,
  l.expires_at, l.last_seen_at > clock_timestamp() - make_interval(secs => ${SEEN_SECONDS}) AS is_seen`

/** Where principals are signed in; secrets by their digests only. Every decision is by the database's clock. */
export function logins({ query, transaction }: Pick<Database, 'query' | 'transaction'>): Logins {
  return {
    current: async (secretHash, idleSeconds) => {
      const [row] = await query<LoginRow>(
        `SELECT ${COLUMNS} FROM login l JOIN principal p ON p.id = l.principal_id WHERE l.secret_hash = $1 AND ${GOOD}`,
        [Buffer.from(secretHash, 'base64url'), idleSeconds],
      )
      if (row === undefined) return undefined
      // Where it may go unseen for less than that, each visit counts.
      if (!row.is_seen || idleSeconds <= 2 * SEEN_SECONDS) {
        await query('UPDATE login SET last_seen_at = clock_timestamp() WHERE id = $1 AND ended_at IS NULL', [row.id])
      }
      return toLogin(row)
    },
    ofPrincipal: async (principalId, idleSeconds) => {
      const rows = await query<LoginRow>(
        `SELECT ${COLUMNS} FROM login l JOIN principal p ON p.id = l.principal_id WHERE l.principal_id = $1 AND ${GOOD}
         ORDER BY l.id DESC LIMIT ${MAX_SHOWN}`,
        [principalId, idleSeconds],
      )
      return rows.map(toLogin)
    },
    end: (principalId, which, { loginId, ...deed }) =>
      transaction(async (tx) => {
        const [condition, id] = 'id' in which ? ['id = $2', which.id] : ['id <> $2', which.allBut]
        const ended = await tx<{ id: string }>(
          `UPDATE login SET ended_at = clock_timestamp() WHERE principal_id = $1 AND ${condition} AND ended_at IS NULL
             AND expires_at > clock_timestamp() RETURNING id`,
          [principalId, id],
        )
        if (ended.length > 0) {
          const target = 'id' in which ? which.id : 'all others'
          await recordOfPrincipal(tx, deed, { principalId, operation: 'login.end', target, loginId })
        }
        return ended.length
      }),
  }
}

/** Whose login begins, and how he showed it. */
export interface Shown {
  readonly principalId: string
  readonly method: SignInMethod
  readonly detail: string | null
  /** What he showed, for the record: a link's or a passkey's id, an issuer. */
  readonly by: string
  /** The subject at that issuer that was bound to him by this. */
  readonly bound?: string
}

/**
 * Whether a principal is one who may sign in now, which he stays until the end of the transaction: a suspension that committed before
 * wins, one that comes after finds the login.
 */
export async function holdPrincipal(tx: Query, principalId: string): Promise<boolean> {
  const [principal] = await tx(
    `SELECT 1 AS one FROM principal WHERE id = $1 AND status = 'active' AND kind <> 'service' FOR SHARE`,
    [principalId],
  )
  return principal !== undefined
}

/**
 * Begins a login of a principal who is held, in the transaction of whatever was used up for it, and ends the one that its browser held
 * before.
 */
export async function insertLogin(
  tx: Query,
  login: NewLogin,
  { principalId, method, detail, by, bound }: Shown,
  deed: Deed,
): Promise<BegunLogin> {
  if (login.replaces !== undefined) {
    await tx('UPDATE login SET ended_at = clock_timestamp() WHERE secret_hash = $1 AND ended_at IS NULL', [
      Buffer.from(login.replaces, 'base64url'),
    ])
  }
  await tx(
    `INSERT INTO login (id, secret_hash, principal_id, method, detail, user_agent, created_at, last_seen_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp(), clock_timestamp() + make_interval(secs => $7))`,
    [
      login.id,
      Buffer.from(login.secretHash, 'base64url'),
      principalId,
      method,
      detail,
      login.userAgent,
      login.lifetimeSeconds,
    ],
  )
  const entry = {
    principalId,
    operation: 'login.begin',
    target: login.id,
    loginId: login.id,
    because: { method, by, ...(bound !== undefined && { bound }) },
  }
  await recordOfPrincipal(tx, deed, entry)
  return { loginId: login.id, principalId }
}

const toLogin = (row: LoginRow): Login => ({
  id: row.id,
  principalId: row.principal_id,
  principalName: row.principal_name,
  method: row.method,
  detail: row.detail,
  userAgent: row.user_agent,
  createdAt: row.created_at,
  lastSeenAt: row.last_seen_at,
  expiresAt: row.expires_at,
})
