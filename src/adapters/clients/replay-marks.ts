import { sha256Hex } from '../../core/hash.ts'
import type { ReplayMark } from '../../ports.ts'
import type { AssertionClaims } from '../../wire/client-assertion.ts'
import type { Proof } from '../../wire/dpop.ts'

/** One key function for every door that takes an assertion: client and `jti`. */
export function assertionMark({ clientId, jti, iat, rememberUntil }: AssertionClaims): ReplayMark {
  return { kind: 'assertion', key: markKey('assertion', clientId, jti), until: rememberUntil, issuedAt: iat }
}

/** One key function for every door that takes a proof: key and `jti` (RFC 9449 §11.1). */
export function proofMark({ jkt, jti, iat, rememberUntil }: Proof): ReplayMark {
  return { kind: 'proof', key: markKey('proof', jkt, jti), until: rememberUntil, issuedAt: iat }
}

/** The parts are told apart by a byte that neither a client id nor a thumbprint can hold. */
const markKey = (kind: string, owner: string, jti: string): string => sha256Hex(`${kind}\n${owner}\n${jti}`)
