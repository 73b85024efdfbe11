import type { PrincipalKind } from './admin-ports.ts'
import type { ApprovalNeed } from './core/policy/approval-need.ts'

/** What approvals need from outside: one exact action that waits for a yes, who may say it, and what became of it. */

/** `void`: what it rested on changed. `expired` is never stored: it is `pending` or `approved` after its time. */
export type ApprovalState = 'pending' | 'approved' | 'denied' | 'redeemed' | 'void' | 'expired'

/** An id and a name that a person can read. */
export interface Named {
  readonly id: string
  readonly name: string
}

/** What one approver answered. */
export interface ApprovalVote {
  readonly approver: string
  /** `principal`, or `admin:<client>` where an administrator answered for an organization or a service. */
  readonly answeredBy: string
  readonly isYes: boolean
  readonly at: Date
}

/** An approval as it stands in the database. */
export interface StoredApproval {
  /** `apr_…`; the page of it is named by this, and it gives no right to anything. */
  readonly id: string
  /** `ap_…`: what the agent polls with. */
  readonly authReqId: string
  readonly state: ApprovalState
  /** Whether all that it rests on stands at this moment: principal, agent, key, delegations, resource, version of the type. */
  readonly isStanding: boolean
  readonly delegationId: string
  readonly principal: Named & { readonly kind: PrincipalKind }
  readonly agent: Named
  /** The agents that the delegation was given on by, root first; the last one is `agent`. */
  readonly chain: readonly Named[]
  /** The DPoP key that asked, and the only one that is given the token. */
  readonly jkt: string
  /** A resource identifier. */
  readonly resource: string
  /** RFC 8785 form of the action. */
  readonly action: string
  readonly actionDigest: string
  readonly actionType: string
  readonly actionTypeVersion: number
  readonly turn: string | null
  /** The agent's own words: shown apart, and marked so. */
  readonly purpose: string | null
  /** Who may answer, and how many of them must say yes: each of these, where several delegations of a chain ask. */
  readonly needs: readonly ApprovalNeed[]
  /** Everybody who may answer. */
  readonly approvers: readonly Named[]
  readonly votes: readonly ApprovalVote[]
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly decidedAt: Date | null
  /** Of the token that was issued. */
  readonly jti: string | null
  /** How long the agent waits between two polls. Unit: seconds. */
  readonly intervalSeconds: number
}

export interface ApprovalFilter {
  /** Those that this principal may answer. */
  readonly approver?: string | undefined
  readonly agent?: string | undefined
  readonly principal?: string | undefined
  readonly state?: ApprovalState | undefined
}

export interface ApprovalReader {
  readonly find: (id: string) => Promise<StoredApproval | undefined>
  readonly findByAuthReqId: (authReqId: string) => Promise<StoredApproval | undefined>
  /** Newest first. */
  readonly page: (
    filter: ApprovalFilter,
    page: { readonly after: string | undefined; readonly limit: number },
  ) => Promise<readonly StoredApproval[]>
}

/** One answer of one approver. */
export interface ApprovalAnswer {
  readonly id: string
  /** The principal who answers, or for whom it is answered. */
  readonly approver: string
  readonly isYes: boolean
  /** An administrator client that answers for an organization or a service; absent: the principal does. */
  readonly administrator?: string
  /** Where the principal is signed in. */
  readonly loginId?: string
  readonly recordId: string
  readonly requestId: string
}

/** What became of an answer; `state` is the approval's after it. */
export interface Answered {
  readonly outcome:
    | 'answered'
    /** The same was answered before. */
    | 'repeat'
    /** Not there, or not for this approver. */
    | 'not_found'
    | 'approver_inactive'
    /** An administrator answers for no person. */
    | 'for_a_person'
    /** It is not pending any more. */
    | 'over'
    /** This approver answered differently before. */
    | 'answered_before'
    /** Found to rest on what has changed, and void from now on. */
    | 'void'
  readonly state: ApprovalState
}

export interface Approvals extends ApprovalReader {
  /**
   * Writes one answer and its record, and decides the approval when it is the last that was needed, in one transaction that
   * re-checks everything the approval rests on. Whoever is to be pinged is written down in it too, by a trigger.
   */
  readonly answer: (answer: ApprovalAnswer) => Promise<Answered>
  /** Counts one poll of a pending approval. `isTooSoon`: the interval is longer from now on (CIBA Core §11). */
  readonly countPoll: (
    id: string,
  ) => Promise<{ readonly isTooSoon: boolean; readonly intervalSeconds: number; readonly expiresInSeconds: number }>
  /** What the agent is to be sent once it is decided, instead of what was; at once where it is. */
  readonly pingWith: (id: string, sealed: Uint8Array) => Promise<void>
  /** Ends one that rests on what has changed, or whose yes was of somebody who is not active any more. */
  readonly makeVoid: (id: string) => Promise<void>
}

/** What is to be opened where an action needs a yes. Written by the commit, beside the record of the pending decision. */
export interface ApprovalToOpen {
  readonly id: string
  readonly authReqId: string
  readonly needs: readonly ApprovalNeed[]
  readonly purpose: string | undefined
  readonly lifetimeSeconds: number
  /** When the delegation ends: it waits no longer. NumericDate. */
  readonly until: number
  /** The sealed ping that the agent is to be sent (CIBA Core §10.2). */
  readonly notificationToken: Uint8Array | undefined
}

/** What was opened, or was open already for the same request. */
export interface OpenedApproval {
  readonly id: string
  readonly authReqId: string
  readonly expiresInSeconds: number
  readonly intervalSeconds: number
  readonly isNew: boolean
}

/** Makes the ping that an agent is to be sent once its approval is decided (CIBA Core §10.2); `notificationToken` is what it makes. */
export interface PingSealer {
  /** @param token the agent's `client_notification_token`. */
  readonly sealPing: (authReqId: string, token: string) => Uint8Array
}
