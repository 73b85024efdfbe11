import { LRUCache } from 'lru-cache'
import { sha256Base64url } from '../../core/hash.ts'
import { isRefusal, refuse } from '../../core/refusal.ts'
import {
  type AttestationRefusal,
  checkAttestationTimes,
  readClientAttestation,
  verifyClientAttestation,
} from '../../wire/client-attestation.ts'
import type { SigningKeys } from '../keys/signing-keys.ts'

/** Verified attestations that are remembered, about 0.6 kB each. */
const REMEMBERED = 20_000

/** What a verified attestation says. */
export interface Attested {
  readonly clientId: string
  /** Thumbprint of the key it is for. */
  readonly jkt: string
  /** NumericDate. */
  readonly iat: number
  /** NumericDate. */
  readonly exp: number
  /** Set by whoever looked its key up afresh: until then, what is remembered of an instance may be of an earlier voucher. */
  isLookedUp: boolean
}

export interface AttestationVerifier {
  readonly verify: (jwt: string, now: Date) => Promise<Attested | AttestationRefusal>
}

export interface AttestationVerifierParts {
  readonly issuer: string
  readonly keys: Pick<SigningKeys, 'verificationKey'>
  /** When this database was restored from a backup, if it was. */
  readonly restoredAt: () => Promise<Date | undefined>
  /** Default: 20,000. */
  readonly remembered?: number
}

/**
 * Verifies client attestations, each of them once: after that it is known by its digest.
 *
 * Only what was verified is remembered, so nobody pushes anything out with what is not. Whether agent and key may still act is
 * asked of the database by every commit; here only the times and the signing key are looked at again.
 */
export function attestationVerifier({
  issuer,
  keys,
  restoredAt,
  remembered = REMEMBERED,
}: AttestationVerifierParts): AttestationVerifier {
  const verified = new LRUCache<string, Attested & { readonly kid: string }>({ max: remembered })
  return {
    verify: async (jwt, now) => {
      const digest = sha256Base64url(jwt)
      const known = verified.get(digest)
      // A signing key that turned out to be compromised verifies nothing any more, nor what it verified before.
      if (known !== undefined && keys.verificationKey(known.kid) !== undefined) {
        return checkAttestationTimes(known, now) ?? known
      }
      const read = readClientAttestation(jwt, issuer, now)
      if (isRefusal(read)) return read as AttestationRefusal
      const refused = verifyClientAttestation(read, keys.verificationKey(read.kid))
      if (refused !== undefined) return refused
      const { clientId, jkt, iat, exp, kid } = read
      // What was withdrawn in the time that the backup does not know of must not come back with it. A restore under a running
      // server is caught by the commit: no mark is older than the attestation it came with.
      const epoch = await restoredAt()
      if (epoch !== undefined && iat * 1_000 <= epoch.getTime()) {
        return refuse('attestation_expired', 'the client attestation is older than this database')
      }
      const attested = { clientId, jkt, iat, exp, kid, isLookedUp: false }
      verified.set(digest, attested)
      return attested
    },
  }
}
