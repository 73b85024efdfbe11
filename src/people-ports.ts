import type { ClaimRule, NamedPrincipal } from './core/people/claim-rule.ts'
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

/** A passkey of a principal as its owner sees it. */
export interface Passkey {
  readonly id: string
  readonly label: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

/** What an authenticator made, verified. Nothing of it is secret. */
export interface NewCredential {
  /** Base64url. */
  readonly credentialId: string
  /** COSE. */
  readonly publicKey: Uint8Array<ArrayBuffer>
  readonly counter: number
  readonly transports: readonly string[]
}

/** A passkey that is in use, of a principal who may sign in. */
export interface StoredPasskey extends NewCredential {
  readonly id: string
  readonly principalId: string
}

/** From which login something is done. */
export type ByLogin = Deed & { readonly loginId: string }

export interface Passkeys {
  /** Those in use, newest first. */
  readonly ofPrincipal: (principalId: string) => Promise<readonly Passkey[]>
  /** Their credential ids, so that an authenticator makes no second one. */
  readonly credentialIds: (principalId: string) => Promise<readonly string[]>
  readonly find: (credentialId: string) => Promise<StoredPasskey | undefined>
  readonly add: (
    passkey: NewCredential & { readonly id: string; readonly principalId: string; readonly label: string },
    by: ByLogin,
  ) => Promise<Refusal<'sign_in_refused'> | undefined>
  /** False: there is no such passkey of this principal. */
  readonly rename: (principalId: string, id: string, label: string, by: ByLogin) => Promise<boolean>
  readonly remove: (principalId: string, id: string, by: ByLogin) => Promise<boolean>
  /** Notes the authenticator's counter, which must have risen where it counts, and begins the login: one transaction. */
  readonly use: (
    passkey: StoredPasskey,
    counter: number,
    login: NewLogin,
    deed: Deed,
  ) => Promise<BegunLogin | Refusal<'sign_in_refused'>>
}

/** What a browser is asked for; JSON as the WebAuthn API of browsers takes it, with the challenge in it. */
export interface CredentialOptions {
  readonly challenge: string
  readonly json: string
}

/** WebAuthn for this server's own origin (Web Authentication Level 2). Texts are what a browser sent, unread. */
export interface WebAuthn {
  readonly registrationOptions: (
    principal: { readonly id: string; readonly name: string },
    exclude: readonly string[],
  ) => Promise<CredentialOptions>
  readonly authenticationOptions: () => Promise<CredentialOptions>
  readonly verifyRegistration: (text: string, challenge: string) => Promise<NewCredential | Refusal<'sign_in_refused'>>
  /** Which credential an answer says that it is of. Undefined: it is no answer of an authenticator. */
  readonly credentialIdOf: (text: string) => string | undefined
  /** @returns the authenticator's counter. */
  readonly verifyAuthentication: (
    text: string,
    challenge: string,
    passkey: StoredPasskey,
  ) => Promise<{ readonly counter: number } | Refusal<'sign_in_refused'>>
}

/** Takes something that may happen once. False: it has happened. One atomic statement, shared by all processes. */
export type OnceOnly = (what: string, forSeconds: number) => Promise<boolean>

/** Sign-ins that were refused although it is known whose they would have been: for the account, so many an hour. */
export interface RefusedSignIns {
  readonly record: (
    principalId: string,
    refused: { readonly method: SignInMethod; readonly by: string; readonly detail: string },
    deed: Deed,
  ) => Promise<void>
}

/** What a browser that went to an upstream provider has to come back with; held by that browser, sealed. */
export interface UpstreamRequest {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
}

/** Who somebody is at an upstream provider, verified: the pair that never changes, and what the provider says of him. */
export interface UpstreamPerson {
  readonly issuer: string
  readonly subject: string
  readonly claims: Readonly<Record<string, unknown>>
}

/** One OpenID provider that is trusted to say who somebody is (OpenID Connect Core 1.0). */
export interface UpstreamProvider {
  readonly name: string
  readonly title: string
  readonly issuer: string
  readonly rule: ClaimRule
  /** Where to send the browser. */
  readonly begin: (
    redirectUri: string,
  ) => Promise<{ readonly url: string; readonly request: UpstreamRequest } | Refusal>
  /** @param callback the whole URL that the browser came back to. */
  readonly complete: (callback: string, request: UpstreamRequest) => Promise<UpstreamPerson | Refusal>
}

export interface UpstreamIdentities {
  /**
   * Begins a login of the principal who is bound to the pair. Where nobody is, whoever the rule names is bound to it first, unless he is
   * bound to another subject of this provider already: one transaction.
   */
  readonly use: (
    person: Pick<UpstreamPerson, 'issuer' | 'subject'>,
    named: NamedPrincipal | undefined,
    login: NewLogin,
    deed: Deed,
  ) => Promise<BegunLogin | Refusal<'sign_in_refused'>>
}
