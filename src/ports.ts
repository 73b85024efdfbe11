import type { ApprovalToOpen, OpenedApproval } from './approval-ports.ts'
import type { ActionType } from './core/action/action-type.ts'
import type { Resource } from './core/action/resource.ts'
import type { AgentInstance, Client, PublicJwk } from './core/agent/client.ts'
import type { Charge } from './core/delegation/charge.ts'
import type { ChainedDelegation } from './core/delegation/delegation.ts'
import type { DownstreamRules } from './core/delegation/downstream.ts'
import type { JsonValue } from './core/json.ts'
import type { Refusal, RefusalCode } from './core/refusal.ts'

export type {
  Consumption,
  FeedLine,
  Receipt,
  ReceiptOutcome,
  RevocationFeed,
  Stops,
  TokenUses,
} from './control-ports.ts'

/** Every capability the commands need from outside, one narrow interface each. A port that fails throws; that is a fault. */

export type Clock = () => Date

export interface Ids {
  /** UUIDv7: ordered by time. */
  readonly recordId: () => string
  /** 128 bits of chance, base64url. */
  readonly random: () => string
}

/** What a client presented to show who it is, as it arrived. */
export interface ClientEvidence {
  /** The `client_id` parameter, when there was one; it must then agree with the assertion. */
  readonly clientId?: string | undefined
  readonly assertionType?: string | undefined
  readonly assertion?: string | undefined
  /** The `OAuth-Client-Attestation` header, when there was one. */
  readonly attestation?: string | undefined
  /** Every `DPoP` header of the request, so that a second one is seen. */
  readonly proofs: readonly string[]
  /** What the proof must name: the method and the absolute URL (RFC 9449 §4.2). */
  readonly target: { readonly method: string; readonly url: string }
}

/** A thing that may be used once. */
export interface ReplayMark {
  readonly kind: 'assertion' | 'proof'
  /** 32 bytes, hexadecimal: the digest of what makes it unique. */
  readonly key: string
  /** Until when it could still be accepted. NumericDate. */
  readonly until: number
  /** When it was made, as it says. NumericDate. */
  readonly issuedAt: number
}

/** Who the client has shown to be. Nothing is accepted before `marks` are committed. */
export interface Authentication {
  readonly refusal?: never
  readonly client: Client
  /** The registered key that stands behind it: that signed the assertion, that was attested, or that vouched for the instance. */
  readonly assertionKid: string
  /** Thumbprint of the DPoP key; absent only where the endpoint does not ask for a proof. */
  readonly jkt?: string
  /** The DPoP key, where there is one. */
  readonly jwk?: PublicJwk
  /** Absent: an assertion, and a registered key. `vouched`: an assertion for this key, which need not be known yet. */
  readonly by?: 'attestation' | 'vouched'
  /** The instance that the DPoP key is, when it is one. */
  readonly instance?: AgentInstance | undefined
  readonly marks: readonly ReplayMark[]
}

/** A refused authentication. `client` is there when the assertion was good and something after it was not. */
export type Unauthenticated =
  | { readonly refusal: Refusal; readonly client: Client; readonly marks: readonly ReplayMark[] }
  | { readonly refusal: Refusal; readonly client?: never; readonly marks: readonly [] }

/** What proof an endpoint asks for. `vouched`: also one by a key that the assertion names and nobody registered. */
export type ProofMode = 'required' | 'when_present' | 'vouched'

export interface Authenticator {
  /**
   * Checks an assertion (RFC 7523) and, where `proof` says so, possession of a registered key (RFC 9449); or an attestation
   * and possession of the attested key, which every endpoint then asks for.
   *
   * `cached` is for callers whose commit checks client and keys again; everyone else asks for `fresh`.
   */
  readonly authenticate: (
    evidence: ClientEvidence,
    proof: ProofMode,
    freshness: Freshness,
    now: Date,
  ) => Promise<Authentication | Unauthenticated>
}

/** What a verified subject token says; the database row decides, not the claims. */
export interface SubjectToken {
  readonly delegationId: string
  readonly principalId: string
  readonly agentId: string
}

export interface SubjectTokens {
  readonly verify: (token: string, now: Date) => Promise<SubjectToken | Refusal>
}

/** `cached` may be old, and is then caught by the commit; `fresh` was read for this very call. */
export type Freshness = 'cached' | 'fresh'

/** What an issuance rests on. A cached yes is checked again at the commit; a cached no is read afresh before it is said. */
export interface Directory {
  readonly client: (id: string, freshness: Freshness) => Promise<Client | undefined>
  /** An instance of the agent that was not stopped; its end is to be looked at. */
  readonly instance: (agentId: string, kid: string, freshness: Freshness) => Promise<AgentInstance | undefined>
  /** With everything it was given on from. */
  readonly delegation: (id: string, freshness: Freshness) => Promise<ChainedDelegation | undefined>
  readonly resource: (identifier: string, freshness: Freshness) => Promise<Resource | undefined>
  readonly actionType: (type: string, freshness: Freshness) => Promise<CataloguedActionType | undefined>
  /** What a resource server may have done elsewhere; undefined for anything but a resource server. */
  readonly downstream: (clientId: string, freshness: Freshness) => Promise<DownstreamRules | undefined>
}

export interface CataloguedActionType {
  readonly actionType: ActionType
  readonly status: 'active' | 'suspended' | 'retired'
}

/**
 * One entry of the account, before the database stamps it. Members as in the `record` table; what is undefined is not there, and is
 * written so where one shape of the object serves every exchange.
 */
export interface RecordEntry {
  readonly id: string
  readonly kind: RecordKind
  readonly refusal?: RefusalCode | undefined
  readonly detail?: string | undefined
  readonly client: string
  readonly agent?: string | undefined
  readonly principal?: string | undefined
  readonly delegation?: string | undefined
  readonly resource?: string | undefined
  readonly actionType?: string | undefined
  readonly actionTypeVersion?: number | undefined
  /** RFC 8785 form of the action. */
  readonly action?: string | undefined
  readonly actionDigest?: string | undefined
  readonly claimsDigest?: string | undefined
  readonly jti?: string | undefined
  readonly jkt?: string | undefined
  readonly txn?: string | undefined
  readonly turn?: string | undefined
  readonly because?: JsonValue | undefined
  /** NumericDate. */
  readonly tokenIssuedAt?: number | undefined
  /** NumericDate. */
  readonly tokenExpiresAt?: number | undefined
  /** `jti` of the action tokens that this one was exchanged from, first hop first. */
  readonly tokenLineage?: readonly string[] | undefined
  readonly requestId?: string | undefined
}

export type RecordKind =
  | 'action_token'
  | 'agent_token'
  | 'resource_token'
  | 'admin_token'
  | 'attestation'
  | 'client_authentication'
  | 'revocation'
  | 'delegation'
  | 'receipt'
  | 'approval'
  | 'admin'
  | 'principal'

/** What an issuance was decided on, checked again in the transaction that records it. */
export interface DecidedOn {
  readonly assertionKid: string
  /** Every delegation of the chain, root first. */
  readonly lineage: readonly string[]
  /** The agent of each of them, in the version it was decided on. */
  readonly actors: readonly { readonly id: string; readonly version: number }[]
  readonly resourceId: string
  readonly resourceVersion: number
  /** Of the resource server that asks on the strength of a token it was called with: its version, and so its rules'. */
  readonly clientVersion?: number | undefined
  /** A delegation of the chain has a rule by which somebody may be asked, and it was looked at. */
  readonly knowsRule?: true | undefined
}

/** The agent's own name for the step it is in: a repeat is given the same token again. */
export interface TurnClaim {
  /** 32 bytes, hexadecimal: the digest of delegation, resource, turn and action. */
  readonly key: string
  /** How long it is remembered. NumericDate. */
  readonly until: number
  /** The claims that will be signed, as JSON text. */
  readonly claimsJson: string
}

export type CommitEntry = {
  /** A UUID of ours for this request: the winner of a mark is known by it, also when the same entry is committed again. */
  readonly attemptId: string
  readonly marks: readonly ReplayMark[]
} & (
  | {
      readonly decision: 'issued'
      readonly record: RecordEntry
      readonly decidedOn: DecidedOn
      /** What it counts at every limit that it stands under. */
      readonly charges: readonly Charge[]
      readonly turn?: TurnClaim | undefined
      /** The approval that it redeems. */
      readonly approval?: string | undefined
    }
  /** Held to all that an issuance is held to; counted nowhere, and somebody is asked. */
  | {
      readonly decision: 'pending'
      readonly record: RecordEntry
      readonly decidedOn: DecidedOn
      readonly charges: readonly Charge[]
      readonly turn?: TurnClaim | undefined
      readonly opens: ApprovalToOpen
    }
  | {
      readonly decision: 'refused'
      readonly record: RecordEntry
      /** Where it rests on what is remembered: what has changed answers `stale`, as for an issuance. */
      readonly decidedOn?: DecidedOn | undefined
    }
  /** Only the marks. */
  | { readonly decision: 'none' }
)

/** `stale`: decided on a version that is no longer current; nothing was recorded, decide again with fresh facts. */
export type CommitOutcome =
  | { readonly outcome: 'committed'; readonly isStored: boolean }
  /** Of a turn: nothing was recorded or counted; these claims were, and are signed again. */
  | { readonly outcome: 'repeat'; readonly claimsJson: string }
  /** Somebody is asked: from now on, or was already for the very same. */
  | { readonly outcome: 'pending'; readonly opened: OpenedApproval }
  | {
      readonly outcome: 'refused'
      readonly code: RefusalCode
      readonly isStored: boolean
      /** Index of the charge that would go over its limit. */
      readonly reached?: number
    }
  | { readonly outcome: 'stale' }

export interface Issuance {
  /**
   * Commits replay marks, the re-check of every status and the record, in one transaction.
   *
   * INVARIANT: once this answers `committed` the marks and the record are durable, and no revocation that was committed
   * before the call was overlooked (test/pg/stop.test.ts).
   */
  readonly commit: (entry: CommitEntry) => Promise<CommitOutcome>
}

export interface Signer {
  /** Signs claims, given as the exact JSON text that was recorded, as an `at+jwt`. */
  readonly signAccessToken: (claimsJson: string) => Promise<string>
  /** Signs a Security Event Token (RFC 8417 §2.3). */
  readonly signSecurityEvent: (claimsJson: string) => Promise<string>
  /** Signs an answer of introspection (RFC 9701 §5). */
  readonly signIntrospection: (claimsJson: string) => Promise<string>
}

/** Whether a client may be served now, or asks too often. */
export interface Admission {
  /** Takes one of the client's requests, if there is one. */
  readonly admits: (clientId: string, now: Date) => boolean
  /** Gives one back: the request was not the client's own. Whoever replays what he caught must not use up its share. */
  readonly giveBack: (clientId: string, now: Date) => void
  /** Takes one of the requests that a client may get wrong; their number is counted apart. */
  readonly admitsFailure: (clientId: string, now: Date) => boolean
}

/** Refusals of strangers: counted, never stored one by one. */
export interface StrangerTally {
  readonly count: (code: RefusalCode) => void
}

/** A token that its client may withdraw. */
export interface RevocableToken {
  readonly use: 'action' | 'agent' | 'subject'
  readonly jti: string
  /** The client it was issued to; for a subject token the agent it names. */
  readonly clientId: string
  /** The key that it is bound to; absent for a subject token. */
  readonly jkt?: string
  /** NumericDate. */
  readonly exp: number
}

export interface RevocableTokens {
  readonly read: (token: string, now: Date) => RevocableToken | Refusal
}

/** Who withdraws, for the record. */
export interface RevocationEntry {
  readonly id: string
  readonly client: string
  readonly requestId: string
}

export interface Revocations {
  readonly revokeToken: (token: RevocableToken, entry: RevocationEntry) => Promise<void>
  /** Ends the delegation, and every one that was given on from it. */
  readonly revokeDelegation: (delegationId: string, entry: RevocationEntry) => Promise<void>
}

/** Proofs of a request, and what they must name. */
export interface ProofCall {
  /** Every `DPoP` header of the request. */
  readonly proofs: readonly string[]
  readonly method: string
  /** Absolute URL, built from the issuer. */
  readonly url: string
}

/** A key whose possession was proved. */
export interface ProvedKey {
  readonly jwk: PublicJwk
  /** RFC 7638 thumbprint. */
  readonly kid: string
  readonly mark: ReplayMark
}

export interface NewKeyProofs {
  /** Checks a proof by a key that nobody knows yet. */
  readonly check: (call: ProofCall, now: Date) => ProvedKey | Refusal
}

export interface Enrolments {
  /** Uses up a code and binds the key, in one transaction with the record: of two that come with one code, one wins. */
  readonly redeem: (
    redemption: ProvedKey & {
      readonly code: string
      readonly label: string | undefined
      readonly recordId: string
      readonly requestId: string
    },
  ) => Promise<{ readonly agentId: string; readonly kid: string } | Refusal>
}

/** What a token of a client for this server itself says; whether the client may still use it is asked of the database. */
export interface ClientTokenFacts {
  readonly clientId: string
  readonly jti: string
  readonly jkt: string
  /** Empty for agents. */
  readonly scope: readonly string[]
  /** NumericDate. */
  readonly iat: number
}

/** What a client calls this server itself with. */
export type ClientTokenUse = 'agent' | 'resource' | 'admin'

export interface ClientTokens {
  /** Verifies a token of one use and the proof that comes with it (RFC 9449 §7.1). */
  readonly verify: (
    use: ClientTokenUse,
    call: ProofCall & { readonly token: string },
    now: Date,
  ) => { readonly facts: ClientTokenFacts; readonly marks: readonly ReplayMark[] } | Refusal
  readonly isRevoked: (jti: string, issuedAt: number) => Promise<boolean>
}
