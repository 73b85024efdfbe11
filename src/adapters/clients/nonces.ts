import { hkdfSync, timingSafeEqual } from 'node:crypto'

const STEP_SECONDS = 60
/** Steps before and after the present one whose nonce is still, or already, accepted. */
const ACCEPTED_STEPS = [0, -1, 1, -2, 2] as const

/** DPoP nonces (RFC 9449 §8): made from a secret and the time, so that every process accepts what another gave out. */
export interface NonceKeeper {
  /** The nonce to hand out now. */
  readonly next: (now: Date) => string
  readonly isExpected: (nonce: string, now: Date) => boolean
}

/**
 * DECISION: the construction is the one that oidc-provider uses (HKDF-SHA-256 over 60-second steps), so that one nonce
 * serves our doors and the grants it serves; test/http/oauth/dpop-nonce.test.ts fails if theirs changes.
 */
export function nonceKeeper(secret: Buffer): NonceKeeper {
  const nonceOf = (step: number) => {
    const salt = Buffer.alloc(8)
    salt.writeBigInt64BE(BigInt(step))
    return Buffer.from(hkdfSync('sha256', secret, salt, 'DPoP', 32)).toString('base64url')
  }
  const stepOf = (now: Date) => Math.floor(now.getTime() / 1_000 / STEP_SECONDS)
  return {
    next: (now) => nonceOf(stepOf(now) + 1),
    isExpected: (nonce, now) => ACCEPTED_STEPS.some((offset) => isSame(nonceOf(stepOf(now) + offset), nonce)),
  }
}

function isSame(ours: string, theirs: string): boolean {
  const [a, b] = [Buffer.from(ours), Buffer.from(theirs)]
  return a.length === b.length && timingSafeEqual(a, b)
}
