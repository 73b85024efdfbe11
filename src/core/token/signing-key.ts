/** Life of a key of the server: published, so that everyone knows it; active, it signs; retired, it only verifies. */
export type SigningKeyStatus = 'published' | 'active' | 'retired' | 'compromised'

/** A key of the server without its private part. */
export interface SigningKeyView {
  readonly kid: string
  readonly alg: string
  readonly status: SigningKeyStatus
  readonly createdAt: Date
  /** When a published key begins to sign. */
  readonly activatesAt: Date
  readonly retiredAt?: Date
  /** Until when a retired key stays published. */
  readonly publishedUntil?: Date
}

/** How long a new key is published before it signs, and an old one after it stopped. Unit: seconds. */
export const ROTATION_OVERLAP_SECONDS = 600
