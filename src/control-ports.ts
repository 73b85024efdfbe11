import type { Client } from './core/agent/client.ts'
import type { JsonObject } from './core/json.ts'
import type { RevocationEntry } from './ports.ts'

/** What becomes of tokens after they were issued: their use, and their stop. A part of ports.ts. */

/** What came of a token, as its resource server said it. */
export interface Receipt {
  readonly outcome: ReceiptOutcome
  /** The resource server's words. */
  readonly detail: string | undefined
  readonly at: Date
}
export type ReceiptOutcome = 'succeeded' | 'failed' | 'refused'

/** What became of an attempt to use a token up. */
export type Consumption =
  | { readonly outcome: 'consumed'; readonly action: JsonObject }
  /** By the same resource server, for the same use. */
  | { readonly outcome: 'consumed_before'; readonly at: Date; readonly receipt: Receipt | undefined }
  | { readonly outcome: 'inactive' }

export interface TokenUses {
  /**
   * Uses a live token up. Of any number of attempts, on any number of processes, one is `consumed`.
   *
   * @param useId the resource server's own name for the use; a repeat with it is told of the first one.
   */
  readonly consume: (jti: string, consumerId: string, useId: string | undefined) => Promise<Consumption>
  /** Writes down what came of a token, once, and gives back what it counted when nothing was done. */
  readonly receipt: (
    receipt: {
      readonly jti: string
      readonly consumerId: string
      /** The identifier of the resource server: the `aud` of its tokens. */
      readonly audience: string
      readonly outcome: ReceiptOutcome
      readonly detail: string | undefined
    },
    entry: Pick<RevocationEntry, 'id' | 'requestId'>,
  ) => Promise<'created' | 'same' | 'different' | 'unknown'>
}

/** Whether an administrator has stopped everything: then nothing is issued to an agent. */
export interface Stops {
  readonly isEverythingStopped: () => Promise<boolean>
}

/** One line of the revocation feed. */
export interface FeedLine {
  /** Where a follower that comes back goes on. */
  readonly id: string
  /** A signed Security Event Token (RFC 8417). */
  readonly set: string
}

export interface RevocationFeed {
  /**
   * Tells a resource server what was stopped: what is in force, or what it missed since `lastEventId`, and then whatever
   * comes, until the returned function is called. `send` answers false when the follower does not keep up.
   *
   * @returns undefined when there are too many followers.
   */
  readonly follow: (
    follower: {
      readonly client: Client
      readonly jkt: string
      readonly audience: string
      readonly lastEventId: string | undefined
    },
    sink: { readonly send: (line: FeedLine) => boolean; readonly end: () => void },
  ) => (() => void) | undefined
}
