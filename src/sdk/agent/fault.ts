/** What can break. None of it is a decision: the same request may succeed later, or never reached anyone. */
export type WritFaultKind =
  /** No connection, or it was cut; the message has the system's code. */
  | 'unreachable'
  | 'timed_out'
  /** 503: a store or the server is away for now. `retryAfterSeconds` says when to come again, where it is known. */
  | 'unavailable'
  /** Another 5xx; `requestId` is what the server's operator looks for. */
  | 'server_error'
  /** An answer that the protocol does not have, a redirect among them. */
  | 'unexpected_answer'
  | 'signer_failed'
  /** A token that this process used before, or that has expired meanwhile: exchange for another. */
  | 'token_spent'

export interface WritFaultFacts {
  readonly status?: number | undefined
  readonly retryAfterSeconds?: number | undefined
  readonly requestId?: string | undefined
  /** Only what a developer's own signer threw: other causes could hold a request, and with it a token. */
  readonly cause?: unknown
}

/** Thrown when something broke. A deliberate "no" is a `WritRefusal` and is returned. A class, for it is thrown. */
export class WritFault extends Error {
  readonly kind: WritFaultKind
  declare readonly status?: number
  declare readonly retryAfterSeconds?: number
  declare readonly requestId?: string

  constructor(kind: WritFaultKind, message: string, facts: WritFaultFacts = {}) {
    super(message, facts.cause === undefined ? {} : { cause: facts.cause })
    this.name = 'WritFault'
    this.kind = kind
    if (facts.status !== undefined) this.status = facts.status
    if (facts.retryAfterSeconds !== undefined) this.retryAfterSeconds = facts.retryAfterSeconds
    if (facts.requestId !== undefined) this.requestId = facts.requestId
  }
}
