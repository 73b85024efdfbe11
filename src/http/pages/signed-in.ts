/** A principal in a browser: who is signed in, by which login, and the token without which no form of the login counts. */
export interface SignedIn {
  readonly loginId: string
  readonly principalId: string
  readonly principalName: string
  readonly csrfToken: string
}
