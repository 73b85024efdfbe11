import type { PublicJwk } from './core/agent/client.ts'
import type { Refusal } from './core/refusal.ts'
import type { IssuedClientToken } from './core/token/issued-client-token.ts'

/** What attesting an agent's key needs from outside. */

/** An attestation that is about to be signed. */
export interface AttestationEntry {
  readonly recordId: string
  readonly requestId: string
  readonly agentId: string
  /** The registered key that stands behind it. */
  readonly assertionKid: string
  /** The attested key. */
  readonly jkt: string
  readonly jti: string
  /** NumericDate. */
  readonly iat: number
  /** NumericDate. */
  readonly exp: number
  readonly claimsDigest: string
  /** Of a key that a registered one vouches for now: it becomes, or goes on as, an instance. Absent: a known key. */
  readonly vouched?: {
    readonly jwk: PublicJwk
    readonly until: Date
    /** Instances of one agent that may be in force at once. */
    readonly maxInstances: number
  }
}

export interface Attestations {
  /**
   * Records an attestation before it is signed, in one transaction with the re-check of agent and keys, and with the instance
   * where it is one. A refusal leaves nothing behind.
   */
  readonly record: (entry: AttestationEntry) => Promise<'recorded' | Refusal>
}

export interface AttestationSigner {
  /** Signs claims, given as the exact JSON text that was recorded, as a client attestation. */
  readonly signClientAttestation: (claimsJson: string) => Promise<string>
}

export interface AgentTokens {
  /** Records an agent token before it is signed. @throws when everything was stopped meanwhile. */
  readonly recordClientToken: (facts: IssuedClientToken) => Promise<void>
}
