import type { JsonValue } from './core/json.ts'

/** What oidc-provider keeps between the requests of one flow, and what principals are asked for in browsers. */

/** What a principal can be asked for: by a browser that was sent here, by a user code, by the backchannel. */
export type ConsentModel = 'Interaction' | 'DeviceCode' | 'BackchannelAuthenticationRequest'

/** A model of oidc-provider as it is stored: what it is made of is the library's. */
export type ModelPayload = Readonly<Record<string, unknown>>

/** One request that waits for a principal. */
export interface StoredConsent {
  /** Names it in a path; gives no right to anything. */
  readonly handle: string
  readonly payload: ModelPayload
  readonly isAnswered: boolean
  readonly expiresAt: Date
}

/** Where oidc-provider's models live. Their ids are bearer secrets: only digests of them are stored. */
export interface OidcModels {
  readonly find: (model: string, id: string) => Promise<ModelPayload | undefined>
  readonly findByUserCode: (userCode: string) => Promise<ModelPayload | undefined>
  readonly findByUid: (model: string, uid: string) => Promise<ModelPayload | undefined>
  readonly save: (model: string, id: string, payload: ModelPayload, expiresInSeconds: number) => Promise<void>
  /** Uses it up. False: it was used up before; of two that come at once, one is told so. */
  readonly consume: (model: string, id: string) => Promise<boolean>
  readonly remove: (model: string, id: string) => Promise<void>
  readonly removeByGrant: (model: string, grantId: string) => Promise<void>
  readonly findConsent: (model: ConsentModel, handle: string) => Promise<StoredConsent | undefined>
  /** Requests of the backchannel that wait for a principal, those that end first come first; at most 101. */
  readonly waitingFor: (principalId: string) => Promise<readonly StoredConsent[]>
}

/** An agent as a client of the flows in which a principal delegates. */
export interface FlowClient {
  readonly id: string
  /** The administrator's word for it. */
  readonly name: string
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly FlowGrantType[]
  readonly deliveryMode: 'poll' | 'ping'
  readonly notificationEndpoint: string | undefined
}

/** What an agent may be registered for beyond what every agent has. */
export type FlowGrantType = 'authorization_code' | 'device_code' | 'ciba'

export interface FlowClients {
  /** Active agents only. */
  readonly find: (id: string) => Promise<FlowClient | undefined>
}

/** What stands behind a token that such a flow ends in: the delegation, as it is now. */
export interface FlowDelegations {
  /** Active, not expired, of an active principal and an active agent. */
  readonly find: (id: string) => Promise<FlowDelegation | undefined>
  /**
   * Uses up what the delegation is fetched with, and records that its subject token is about to be signed, in one transaction: of
   * two that fetch it at once, one does.
   */
  readonly redeem: (redemption: Redemption) => Promise<FlowDelegation | 'used_before' | 'fallen'>
  /** Ends it and what was given on from it: its code was presented twice. */
  readonly revoke: (id: string, entry: { readonly recordId: string; readonly requestId: string }) => Promise<void>
}

/** What an agent fetches the subject token of a new delegation with. */
export interface Redemption {
  /** `AuthorizationCode`, `DeviceCode`, `BackchannelAuthenticationRequest`. */
  readonly model: string
  /** Of the code or request: a bearer secret. */
  readonly id: string
  readonly delegationId: string
  /** The DPoP key of the request. */
  readonly jkt: string
  readonly recordId: string
  readonly requestId: string
}

export interface FlowDelegation {
  readonly id: string
  readonly principal: { readonly id: string }
  readonly agentId: string
  readonly authorizationDetails: readonly JsonValue[]
  readonly createdAt: Date
  readonly expiresAt: Date
}
