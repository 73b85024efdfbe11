/** Whether a thing may take part. `retired` is for ever. */
export type Status = 'active' | 'suspended' | 'retired'

export type ClientKind = 'agent' | 'resource' | 'administrator'

/** The public half of a key pair that only the client holds. */
export interface ClientKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly jwk: PublicJwk
  /** Absent: until it is retired. */
  readonly expiresAt?: Date
}

/** A public JWK with its required members only: P-256 or Ed25519. */
export type PublicJwk =
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }

/** Whoever may authenticate at an endpoint of this server: an agent, a resource server, an administrator. */
export interface Client {
  readonly id: string
  readonly kind: ClientKind
  readonly status: Status
  /** Registered, active keys only. */
  readonly keys: readonly ClientKey[]
  /** What an administrator may ask for; empty for everyone else. */
  readonly scope: readonly string[]
  /** A resource's identifier, the `aud` of tokens for it. */
  readonly identifier?: string
}

/** A key under an agent that one of its registered keys vouched for; authenticates by attestation alone. */
export interface AgentInstance {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  /** The registered key. */
  readonly vouchedBy: string
  readonly expiresAt: Date
}

/** Whether a key may still be used at this moment. */
export function isKeyCurrent(key: Pick<ClientKey, 'expiresAt'>, now: Date): boolean {
  return key.expiresAt === undefined || key.expiresAt > now
}
