import type { Refusal } from './core/refusal.ts'

/** What the commands of principals need from outside: where they are signed in, and how they sign in. */

/** How somebody showed who he is. */
export type SignInMethod = 'link' | 'passkey' | 'upstream'

/** Where a principal is signed in: one browser. */
export interface Login {
  readonly id: string
  readonly principalId: string
  readonly principalName: string
  readonly method: SignInMethod
  /** Of an upstream provider: its issuer. Of a passkey: its label. Null: of a link. */
  readonly detail: string | null
  /** As the browser called itself when it signed in; a stranger's words. */
  readonly userAgent: string | null
  readonly createdAt: Date
  readonly lastSeenAt: Date
  readonly expiresAt: Date
}

/** A login that is about to begin: what its browser will hold is known to nobody else. */
export interface NewLogin {
  readonly id: string
  /** SHA-256 of the cookie's secret, base64url. */
  readonly secretHash: string
  readonly userAgent: string | null
  /** From the moment it begins. Unit: seconds. */
  readonly lifetimeSeconds: number
  /** SHA-256 of the secret that this browser held before; that login ends. Undefined: it held none. */
  readonly replaces: string | undefined
}

/** Who and when, for the record of what a principal does. Holds no secret. */
export interface Deed {
  readonly recordId: string
  readonly requestId: string
}

export interface Logins {
  /**
   * The login of a secret, if it has not ended, is not past its time, was seen within `idleSeconds`, and its principal is active
   * and one who signs in. It counts as seen. Read from the database each time it is asked.
   */
  readonly current: (secretHash: string, idleSeconds: number) => Promise<Login | undefined>
  /** Those of a principal that are good now, newest first. */
  readonly ofPrincipal: (principalId: string, idleSeconds: number) => Promise<readonly Login[]>
  /** Ends one of a principal's logins, or all but one, at once. @returns how many. */
  readonly end: (
    principalId: string,
    which: { readonly id: string } | { readonly allBut: string },
    by: Deed & { readonly loginId: string },
  ) => Promise<number>
}

/** A login that has begun. */
export interface BegunLogin {
  readonly loginId: string
  readonly principalId: string
}

/** Who a sign-in link is for, while it can be used. */
export interface OpenSignInLink {
  readonly principalName: string
  readonly expiresAt: Date
}

export interface SignInLinks {
  /** Looks at it, and leaves it as it is. */
  readonly find: (codeHash: string) => Promise<OpenSignInLink | undefined>
  /** Uses it up and begins the login: one transaction, one winner. */
  readonly use: (codeHash: string, login: NewLogin, deed: Deed) => Promise<BegunLogin | Refusal<'sign_in_refused'>>
}
