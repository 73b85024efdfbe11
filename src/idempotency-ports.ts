import type { Refusal } from './core/refusal.ts'

/** Answers that are kept for the repeat of a request. A part of admin-ports.ts. */

/** One `Idempotency-Key` of one administrator, and what the request was. */
export interface IdempotencyRequest {
  readonly client: string
  readonly key: string
  readonly requestHash: string
}

export interface IdempotencyClaim extends IdempotencyRequest {
  readonly claimedAt: Date
}

export interface StoredAnswer {
  readonly status: number
  /** JSON text, so that the repeat is the same to the byte. */
  readonly body: string
  readonly location: string | undefined
}

export interface IdempotencyKeys {
  /** Takes the key before the request is served, or tells what became of the request that took it. */
  readonly claim: (
    request: IdempotencyRequest,
    now: Date,
  ) => Promise<IdempotencyClaim | StoredAnswer | Refusal<'idempotency_key_reused' | 'idempotency_key_in_progress'>>
  /** Gives the key back: the request changed nothing, so it may be sent again. */
  readonly release: (claim: IdempotencyClaim) => Promise<void>
}
