import type { AdminRecord, RecordReader, StopReader, StopStore } from './account-ports.ts'
import type { Approvals } from './approval-ports.ts'
import type { DownstreamRuleReader, DownstreamRuleStore, TreeNode } from './chain-ports.ts'
import type { ConsentModel, FlowGrantType } from './consent-ports.ts'
import type { ActionTypeDefinition } from './core/action/action-type.ts'
import type { PublicJwk, Status } from './core/agent/client.ts'
import type { ApprovalRule } from './core/delegation/approval-rule.ts'
import type { Delegable, Delegation } from './core/delegation/delegation.ts'
import type { Limits } from './core/delegation/limits.ts'
import type { JsonValue } from './core/json.ts'
import type { Refusal } from './core/refusal.ts'
import type { SigningKeyFacts, SigningKeyStatus } from './core/token/signing-key.ts'
import type { IdempotencyClaim, IdempotencyKeys, StoredAnswer } from './idempotency-ports.ts'
import type { CounterReader, Counting } from './limit-ports.ts'
import type {
  PasskeyReader,
  PasskeyStore,
  SignInLinkReader,
  SignInLinkStore,
  UpstreamIdentityReader,
  UpstreamIdentityStore,
} from './sign-in-ports.ts'

/** What the commands of the admin API need from outside. What an issuance needs stands in ports.ts. */

export type { AdminRecord, AuditRecord, RecordFilter, RecordReader, Stop, StopStore } from './account-ports.ts'
export type { IdempotencyClaim, IdempotencyKeys, IdempotencyRequest, StoredAnswer } from './idempotency-ports.ts'
export type {
  PasskeyStore,
  RegisteredPasskey,
  RegisteredSignInLink,
  RegisteredUpstreamIdentity,
  SignInLinkStore,
  UpstreamIdentityStore,
} from './sign-in-ports.ts'

/** A public key, parsed; `kid` is its RFC 7638 thumbprint. */
export interface NewKey {
  readonly kid: string
  readonly jwk: PublicJwk
  readonly label: string | null
  /** Null: until it is retired. */
  readonly expiresAt: Date | null
}

export interface RegisteredKey extends NewKey {
  readonly status: 'active' | 'retired'
  readonly createdAt: Date
  readonly retiredAt: Date | null
}

/** What all registered things have; `version` is raised by every change. */
interface Registered {
  readonly id: string
  readonly status: Status
  /** Why it was suspended or retired, in an administrator's words. */
  readonly reason: string | null
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

export interface AgentMembers {
  readonly name: string
  readonly description: string | null
  readonly owner: string | null
  /** Counted for every token that the agent acts in; null: none. */
  readonly limits: Limits | null
  /** Where codes may be sent, compared as strings. */
  readonly redirectUris: readonly string[]
  /** By which flows it may ask principals for delegations. */
  readonly grantTypes: readonly FlowGrantType[]
  /** Null: it polls. */
  readonly backchannelTokenDeliveryMode: 'poll' | 'ping' | null
  readonly backchannelClientNotificationEndpoint: string | null
}
export interface RegisteredAgent extends Registered, AgentMembers, Counting {
  /** Active ones only. */
  readonly keys: readonly RegisteredKey[]
}

export type PrincipalKind = 'person' | 'organization' | 'service'
export interface PrincipalMembers {
  readonly name: string
  readonly email: string | null
}
export interface RegisteredPrincipal extends Registered, PrincipalMembers {
  /** Never changes: what may be done for a person is told by it. */
  readonly kind: PrincipalKind
}

export interface ResourceMembers {
  readonly name: string
  readonly actionTypes: readonly string[] | 'all'
  /** Null: the server's default. Unit: seconds. */
  readonly tokenLifetimeSeconds: number | null
  /** `consume`: a token that was not used up by its expiry was not used. */
  readonly enforcement: 'consume' | 'offline'
  readonly tokenContent: 'full' | 'digest'
  /** Counted for every token for it; null: none. */
  readonly limits: Limits | null
}
export interface RegisteredResource extends Registered, ResourceMembers, Counting {
  readonly identifier: string
  readonly keys: readonly RegisteredKey[]
}

export interface AdministratorMembers {
  readonly name: string
  readonly scope: readonly AdminScope[]
}
export interface RegisteredAdministrator extends Registered, AdministratorMembers {
  readonly keys: readonly RegisteredKey[]
}

/** What an administrator may be allowed: everything but approving, reading, approving. */
export type AdminScope = 'admin' | 'admin:read' | 'admin:approve'

export interface ActionTypeMembers {
  readonly title: string
  readonly schema: ActionTypeDefinition['schema']
  readonly digestible: NonNullable<ActionTypeDefinition['digestible']>
  readonly template: string
  readonly risk: ActionTypeDefinition['risk']
  readonly isSingleUse: boolean
}
/** `id` is the type's name. */
export interface RegisteredActionType extends Registered, ActionTypeMembers {
  readonly isBuiltIn: boolean
}

/** What can be registered, amended and suspended, and what a reader sees of it. */
export interface Entities {
  readonly agent: RegisteredAgent
  readonly principal: RegisteredPrincipal
  readonly resource: RegisteredResource
  readonly administrator: RegisteredAdministrator
  readonly action_type: RegisteredActionType
}
export type Noun = keyof Entities

/** What may be changed of each; everything else is fixed when it is registered. */
export interface Members {
  readonly agent: AgentMembers
  readonly principal: PrincipalMembers
  readonly resource: ResourceMembers
  readonly administrator: AdministratorMembers
  readonly action_type: ActionTypeMembers
}

/** What is fixed when it is registered. */
interface Fixed {
  readonly agent: unknown
  readonly principal: { readonly kind: PrincipalKind }
  readonly resource: { readonly identifier: string; readonly identifierFolded: string }
  readonly administrator: unknown
  readonly action_type: unknown
}
export type NewEntity<N extends Noun> = { readonly id: string } & Members[N] & Fixed[N]

/** A page of a list: what comes after `after` in the list's order. */
export interface Page {
  readonly after: string | undefined
  readonly limit: number
}

export interface EntityReader<N extends Noun> {
  readonly find: (id: string) => Promise<Entities[N] | undefined>
  /** In order of id. */
  readonly page: (page: Page) => Promise<readonly Entities[N][]>
}

export interface EntityStore<N extends Noun> extends EntityReader<N> {
  /** Reads it and holds it until the end of the transaction: nobody changes it meanwhile. */
  readonly hold: (id: string) => Promise<Entities[N] | undefined>
  /** False: something unique of it is taken. */
  readonly add: (entity: NewEntity<N>) => Promise<boolean>
  /** Writes the next version. False: it is not at `version`. */
  readonly amend: (id: string, version: number, change: Change<N>, now: Date) => Promise<boolean>
}

export interface Change<N extends Noun> {
  readonly members?: Partial<Members[N]>
  readonly status?: Status
  readonly reason?: string | null
}

/** Owners of keys. */
export type ClientNoun = 'agent' | 'resource' | 'administrator'

export interface KeyReader {
  readonly find: (ownerId: string, kid: string) => Promise<RegisteredKey | undefined>
  /** Retired ones included, in order of `kid`. */
  readonly page: (ownerId: string, page: Page) => Promise<readonly RegisteredKey[]>
}

export interface KeyStore extends KeyReader {
  /** False: the thumbprint is taken, by whomever and whenever. */
  readonly add: (ownerId: string, key: NewKey) => Promise<boolean>
  readonly countActive: (ownerId: string) => Promise<number>
  readonly retire: (kid: string, now: Date) => Promise<void>
}

/** A key under an agent that one of its registered keys vouched for. */
export interface RegisteredInstance {
  /** RFC 7638 thumbprint: an instance is named by its key. */
  readonly kid: string
  readonly jwk: PublicJwk
  /** The registered key. */
  readonly vouchedBy: string
  readonly createdAt: Date
  readonly expiresAt: Date
  /** When it was stopped, or the key that vouched for it was retired. */
  readonly stoppedAt: Date | null
}

export interface InstanceReader {
  readonly find: (agentId: string, kid: string) => Promise<RegisteredInstance | undefined>
  /** In order of `kid`. `inForceAt`: only those that were not stopped and have not ended by then. */
  readonly page: (
    agentId: string,
    filter: { readonly inForceAt?: Date | undefined },
    page: Page,
  ) => Promise<readonly RegisteredInstance[]>
}

export interface InstanceStore extends InstanceReader {
  readonly stop: (kid: string, now: Date) => Promise<void>
}

/** A one-time code, but for the code. */
export interface RegisteredEnrolment {
  readonly id: string
  readonly agentId: string
  /** The only key that it fits; null: any new one. */
  readonly jkt: string | null
  readonly createdBy: string
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly usedAt: Date | null
  /** The key that was bound. */
  readonly kid: string | null
  readonly withdrawnAt: Date | null
}

export type NewEnrolment = Omit<RegisteredEnrolment, 'usedAt' | 'kid' | 'withdrawnAt'> & {
  /** SHA-256 of the code, base64url. */
  readonly codeHash: string
}

export interface EnrolmentReader {
  readonly find: (agentId: string, id: string) => Promise<RegisteredEnrolment | undefined>
  /** Newest first. */
  readonly page: (agentId: string, page: Page) => Promise<readonly RegisteredEnrolment[]>
}

export interface EnrolmentStore extends EnrolmentReader {
  readonly add: (enrolment: NewEnrolment) => Promise<void>
  /** Withdraws what is open, one or all, and tells which. */
  readonly withdraw: (agentId: string, id: string | undefined, now: Date) => Promise<readonly string[]>
}

export interface RegisteredDelegation extends Delegation, Counting {
  readonly grantedBy: string
  readonly purpose: string | null
  readonly revokedAt: Date | null
  readonly reason: string | null
  readonly createdAt: Date
}

export interface DelegationFilter {
  /** Only those that are active and have not expired at this time. */
  readonly openAt?: Date | undefined
  readonly agent?: string | undefined
  readonly principal?: string | undefined
}

export interface DelegationReader {
  readonly find: (id: string) => Promise<RegisteredDelegation | undefined>
  /** Newest first. */
  readonly page: (filter: DelegationFilter, page: Page) => Promise<readonly RegisteredDelegation[]>
  /** A delegation and all that was given on from it, each followed by its own children. Pages go on after a lineage. */
  readonly tree: (id: string, page: Page, now: Date) => Promise<readonly TreeNode[]>
}

export interface NewDelegation {
  readonly id: string
  readonly principalId: string
  readonly agentId: string
  readonly resource: string | null
  readonly authorizationDetails: readonly JsonValue[]
  readonly limits?: Limits | undefined
  readonly delegable?: Delegable | undefined
  readonly approval?: ApprovalRule | undefined
  readonly grantedBy: string
  readonly purpose: string | null
  readonly notBefore: Date | null
  readonly expiresAt: Date
  readonly createdAt: Date
}

export interface DelegationStore extends DelegationReader {
  readonly add: (delegation: NewDelegation) => Promise<void>
  /** Ends it and every one that was given on from it. @returns how many; 0: it had ended, or there is none. */
  readonly revoke: (id: string, reason: string | null, now: Date) => Promise<number>
}

/** A key of the server as an administrator sees it. */
export interface RegisteredSigningKey extends SigningKeyFacts {
  readonly alg: string
  readonly jwk: PublicJwk
  readonly status: SigningKeyStatus
  readonly retiredAt: Date | undefined
}

export interface SigningKeyReader {
  readonly all: (now: Date) => Promise<readonly RegisteredSigningKey[]>
}

export interface SigningKeyStore extends SigningKeyReader {
  /** Lets only one transaction at a time change the keys. */
  readonly hold: () => Promise<void>
  readonly add: (createdAt: Date, activatesAt: Date) => Promise<string>
  readonly markAllCompromised: (now: Date) => Promise<void>
}

/** Reading, each call for itself. */
export interface RegistryReader {
  readonly entities: { readonly [N in Noun]: EntityReader<N> }
  readonly keys: KeyReader
  readonly instances: InstanceReader
  readonly enrolments: EnrolmentReader
  readonly signInLinks: SignInLinkReader
  readonly passkeys: PasskeyReader
  readonly upstreamIdentities: UpstreamIdentityReader
  readonly downstreamRules: DownstreamRuleReader
  readonly delegations: DelegationReader
  readonly counters: CounterReader
  readonly records: RecordReader
  readonly signingKeys: SigningKeyReader
  readonly stop: StopReader
}

/** Reading and writing inside one transaction. */
export interface RegistryWriter {
  readonly entities: { readonly [N in Noun]: EntityStore<N> }
  /** Takes an id of the one namespace, for ever. False: taken. */
  readonly takeId: (id: string, kind: Exclude<Noun, 'action_type'>) => Promise<boolean>
  /** Those of the identifiers that active resources have. */
  readonly activeIdentifiers: (identifiers: readonly string[]) => Promise<ReadonlySet<string>>
  /** Those of the names that are no action type. */
  readonly unknownActionTypes: (types: readonly string[]) => Promise<readonly string[]>
  /** Those of the ids that are no agent, or one that was retired. */
  readonly unknownAgents: (ids: readonly string[]) => Promise<readonly string[]>
  readonly keys: KeyStore
  readonly instances: InstanceStore
  readonly enrolments: EnrolmentStore
  readonly signInLinks: SignInLinkStore
  readonly passkeys: PasskeyStore
  readonly upstreamIdentities: UpstreamIdentityStore
  readonly downstreamRules: DownstreamRuleStore
  readonly delegations: DelegationStore
  readonly approvals: Pick<Approvals, 'find' | 'answer'>
  readonly counters: CounterReader
  readonly records: RecordReader & { readonly add: (record: AdminRecord) => Promise<void> }
  readonly signingKeys: SigningKeyStore
  readonly stop: StopStore
  /** Marks what a principal was asked for as answered. False: it was answered before, or is over. */
  readonly takeConsent: (model: ConsentModel, handle: string) => Promise<boolean>
  /** Withdraws a token until it would expire; withdrawing it twice is the same. */
  readonly revokeToken: (jti: string, expiresAt: Date, revokedBy: string) => Promise<void>
  /** Keeps the answer to a POST that holds the key since `claimedAt`. False: another one took it over meanwhile. */
  readonly completeIdempotencyKey: (claim: IdempotencyClaim, answer: StoredAnswer) => Promise<boolean>
}

export interface Registry {
  readonly read: RegistryReader
  /** Runs `work` in one transaction. A refusal that it returns, and whatever it throws, rolls everything back. */
  readonly change: <T>(work: (writer: RegistryWriter) => Promise<T | Refusal>) => Promise<T | Refusal>
  readonly idempotency: IdempotencyKeys
}

/** Signs the subject token of a delegation. It is no bearer secret: only the agent can use it. */
export type SignSubjectToken = (delegation: RegisteredDelegation) => string
