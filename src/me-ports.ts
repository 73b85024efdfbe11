import type { AuditRecord } from './account-ports.ts'
import type { Page, RegisteredDelegation } from './admin-ports.ts'
import type { Status } from './core/agent/client.ts'

/** What a principal sees and stops of its own: agents that act for it, delegations, what they did. */

/** An agent that may act for a principal. */
export interface OwnAgent {
  readonly id: string
  readonly name: string
  readonly description: string | null
  readonly owner: string | null
  readonly status: Status
  /** Delegations of the principal to it that have neither ended nor been revoked. */
  readonly openCount: number
  /** When it was last issued a token for the principal; null: never. */
  readonly lastIssuedAt: Date | null
}

/** A delegation, with what a person needs to know it by. */
export interface OwnDelegation {
  readonly delegation: RegisteredDelegation
  readonly agent: { readonly id: string; readonly name: string; readonly status: Status }
  /** The agents above it, root first: it was given on by the last of them. Empty: it was granted. */
  readonly givenOnBy: readonly { readonly id: string; readonly name: string }[]
  /** Delegations that were given on from it, near and far, and have not ended. */
  readonly openBelow: number
  /** Whether it and all that it stands on lets anything happen now. */
  readonly isInForce: boolean
}

/** What became of a token, as its resource server told. */
export interface OwnReceipt {
  readonly outcome: 'succeeded' | 'failed' | 'refused'
  /** The resource server's words. */
  readonly detail: string | null
  readonly at: Date
}

/** One entry of the account that concerns a principal. */
export interface OwnEntry {
  readonly record: AuditRecord
  /** Null: the entry names no agent. */
  readonly agentName: string | null
  /** When the token was used, where its use is known here. */
  readonly consumedAt: Date | null
  readonly receipt: OwnReceipt | null
}

export interface OwnDelegationFilter {
  readonly agent?: string | undefined
  /** Only those that are active and have not expired at this time. */
  readonly openAt?: Date | undefined
}

export interface OwnEntryFilter {
  readonly agent?: string | undefined
  readonly delegation?: string | undefined
  /** Only what was refused. */
  readonly isRefused?: boolean | undefined
}

/** Everything is asked for one principal: what is another's is not there. */
export interface OwnAffairs {
  /** How many approvals and consents wait for the principal's answer; no more than 100 of each are counted. */
  readonly waiting: (principalId: string) => Promise<number>
  /** By id; of what is no agent there is none. */
  readonly agentNames: (ids: readonly string[]) => Promise<ReadonlyMap<string, string>>
  /** Agents with an open delegation, in order of id. */
  readonly agents: (principalId: string, now: Date, page: Page) => Promise<readonly OwnAgent[]>
  /** One agent that has, or had, a delegation of the principal. */
  readonly agent: (principalId: string, agentId: string, now: Date) => Promise<OwnAgent | undefined>
  /** Newest first. */
  readonly delegations: (
    principalId: string,
    filter: OwnDelegationFilter,
    now: Date,
    page: Page,
  ) => Promise<readonly OwnDelegation[]>
  readonly delegation: (principalId: string, id: string, now: Date) => Promise<OwnDelegation | undefined>
  /** What was given on from a delegation, parents before children. */
  readonly below: (principalId: string, id: string, now: Date, limit: number) => Promise<readonly OwnDelegation[]>
  /** Newest first. */
  readonly entries: (principalId: string, filter: OwnEntryFilter, page: Page) => Promise<readonly OwnEntry[]>
}

/** Who does it, and under which ids it is recorded. */
export interface OwnDeed {
  readonly principalId: string
  /** Where the principal is signed in. */
  readonly loginId: string
  readonly recordId: string
  readonly requestId: string
}

/** Each in one transaction with its record. */
export interface OwnStops {
  /** Ends a delegation of the principal and its tree. @returns how many ended; undefined: there is no such delegation of his. */
  readonly revoke: (id: string, deed: OwnDeed, now: Date) => Promise<number | undefined>
  /** Ends every delegation of the principal to the agent, and all that was given on from them. @returns how many ended. */
  readonly stopAgent: (agentId: string, deed: OwnDeed, now: Date) => Promise<number>
}

/** What an open page of a principal is told. */
export interface PrincipalNews {
  /** Approvals that he may answer and has not, and what agents ask him to delegate. */
  readonly waiting: number
  /** Is another when something that he may answer came, or came to an end. */
  readonly approvals: string
  /** Is another when something was recorded for him. */
  readonly account: string
}

export interface Follower {
  readonly loginId: string
  readonly principalId: string
}

export interface NewsFeed {
  /**
   * Tells an open page what is new, as long as its login is good. @returns how to leave; undefined: there are too many.
   */
  readonly follow: (
    follower: Follower,
    take: {
      /** False: it does not keep up, and is let go. */
      readonly send: (news: PrincipalNews) => boolean
      /** Keeps the connection in use. */
      readonly alive: () => boolean
      /** `ended`: the login is good no more. */
      readonly end: (reason: 'ended' | 'stopped') => void
    },
  ) => (() => void) | undefined
}
