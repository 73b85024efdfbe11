import type { Page } from './admin-ports.ts'

/** How principals sign in, as administrators arrange and see it. A part of admin-ports.ts. */

/** A link, but for its code. */
export interface RegisteredSignInLink {
  readonly id: string
  readonly principalId: string
  readonly createdBy: string
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly usedAt: Date | null
  readonly withdrawnAt: Date | null
}

export type NewSignInLink = Omit<RegisteredSignInLink, 'usedAt' | 'withdrawnAt'> & {
  /** SHA-256 of the code, base64url. */
  readonly codeHash: string
}

export interface SignInLinkReader {
  readonly find: (principalId: string, id: string) => Promise<RegisteredSignInLink | undefined>
  /** Newest first. */
  readonly page: (principalId: string, page: Page) => Promise<readonly RegisteredSignInLink[]>
}

export interface SignInLinkStore extends SignInLinkReader {
  readonly add: (link: NewSignInLink) => Promise<void>
  /** Withdraws what is open, one or all, and tells which. */
  readonly withdraw: (principalId: string, id: string | undefined, now: Date) => Promise<readonly string[]>
}

/** An account at an upstream provider that is bound to a principal. */
export interface RegisteredUpstreamIdentity {
  readonly issuer: string
  readonly subject: string
  readonly createdAt: Date
}

export interface UpstreamIdentityReader {
  /** In order of issuer; of each there is one. */
  readonly page: (principalId: string, page: Page) => Promise<readonly RegisteredUpstreamIdentity[]>
}

export interface UpstreamIdentityStore extends UpstreamIdentityReader {
  /** @returns the issuers. */
  readonly unbind: (principalId: string) => Promise<readonly string[]>
}

/** A passkey of a principal, without its key: nobody but the sign-in needs that. */
export interface RegisteredPasskey {
  readonly id: string
  readonly label: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

export interface PasskeyReader {
  /** Newest first; none that was removed. */
  readonly page: (principalId: string, page: Page) => Promise<readonly RegisteredPasskey[]>
}

export interface PasskeyStore extends PasskeyReader {
  /** Removes one, or all, and tells which. */
  readonly remove: (principalId: string, id: string | undefined, now: Date) => Promise<readonly string[]>
}
