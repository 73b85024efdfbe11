import type { IncomingMessage } from 'node:http'
import Provider, { type AdapterFactory, type AdapterPayload, errors } from 'oidc-provider'
import type { FlowClient, FlowDelegation, FlowDelegations, OidcModels } from '../../commands/people/consents.ts'
import type { Client } from '../../core/agent/client.ts'
import { CIBA } from './approval-poll.ts'
import { AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE } from './token.ts'

/** The grants of the flows in which a principal delegates, as the protocol names them. */
export const FLOW_GRANTS = { authorization_code: AUTHORIZATION_CODE, device_code: DEVICE_CODE, ciba: CIBA } as const

export interface AdapterParts {
  readonly findClient: (id: string) => Promise<Client | undefined>
  readonly findFlowClient: (id: string) => Promise<FlowClient | undefined>
  /** Marks an id as used. False: it was used before. One atomic statement. */
  readonly markOnce: (id: string, expiresInSeconds: number) => Promise<boolean>
  readonly models: OidcModels
  readonly delegations: FlowDelegations
  readonly newRecordId: () => string
}

/** Who a request was shown to come from, before oidc-provider saw it. */
export interface Shown {
  readonly clientId: string
  /** The DPoP key; absent where the endpoint does not ask for one. */
  readonly jkt?: string | undefined
  readonly requestId: string
}

/** Requests whose client was authenticated at our door. Nothing that comes in a request can put it here. */
export const shown = new WeakMap<IncomingMessage, Shown>()
/** The delegation whose token a request is answered with, once it is on record. */
export const redeemed = new WeakMap<IncomingMessage, FlowDelegation>()

/** What lives between the requests of one flow. */
const KEPT = new Set([
  ...['Interaction', 'AuthorizationCode', 'DeviceCode', 'BackchannelAuthenticationRequest'],
  'PushedAuthorizationRequest',
])

/**
 * What oidc-provider stores, each in its place: clients come from our tables, replay marks go into ours, a grant **is** the
 * delegation it stands for, and of sessions nothing is kept: who is signed in is known from our own logins alone.
 */
export function adapterFactory(parts: AdapterParts): AdapterFactory {
  const { models, delegations } = parts
  return (model) => ({
    find: async (id) => {
      if (model === 'Client') return clientMetadata(parts, id)
      if (model === 'Grant') return grantOf(await delegations.find(id))
      return KEPT.has(model) ? payload(await models.find(model, id)) : undefined
    },
    upsert: async (id, payload, expiresInSeconds) => {
      if (model === 'Session') return
      if (expiresInSeconds === undefined) throw new Error(`${model} without an end is not stored`)
      if (KEPT.has(model)) return models.save(model, id, { ...payload }, expiresInSeconds)
      if (model !== 'ReplayDetection') throw new Error(`${model} is not stored`)
      // The library looks first and writes then; of two that looked at once, the second is told here.
      if (!(await parts.markOnce(`oidc-provider\n${id}`, expiresInSeconds)))
        throw new errors.InvalidClientAuth('used before')
    },
    findByUserCode: async (userCode) => payload(await models.findByUserCode(userCode)),
    findByUid: async () => undefined,
    consume: async (id) => {
      if (model !== 'PushedAuthorizationRequest') return redeem(parts, model, id)
      if (!(await models.consume(model, id))) throw new errors.InvalidRequestUri('the request_uri was already used')
    },
    destroy: async (id) => {
      if (model === 'Grant') await delegations.revoke(id, entryOf(parts))
      else if (KEPT.has(model)) await models.remove(model, id)
    },
    revokeByGrantId: async (grantId) => {
      if (KEPT.has(model)) await models.removeByGrant(model, grantId)
    },
  })
}

/** Uses up a code and puts on record what is about to be signed: of two at once, one (RFC 6749 §4.1.2). */
async function redeem(parts: AdapterParts, model: string, id: string): Promise<void> {
  const request = Provider.ctx?.req
  const client = request && shown.get(request)
  const stored = await parts.models.find(model, id)
  if (request === undefined || client?.jkt === undefined || typeof stored?.grantId !== 'string') {
    // Said no to, or nobody knows by whom it is asked for: then there is nothing to sign.
    await parts.models.consume(model, id)
    return
  }
  // The key that the request was bound to (RFC 9449 §10), asked before anything is used up.
  if (stored.dpopJkt !== undefined && stored.dpopJkt !== client.jkt) {
    throw new errors.InvalidGrant('the DPoP key is not that of "dpop_jkt"')
  }
  const { jkt, requestId } = client
  const delegation = await parts.delegations.redeem({
    ...{ model, id, delegationId: stored.grantId, jkt, requestId },
    recordId: parts.newRecordId(),
  })
  if (typeof delegation === 'string') throw new errors.InvalidGrant('used before, or the delegation has ended')
  redeemed.set(request, delegation)
}

const entryOf = ({ newRecordId }: AdapterParts) => {
  const request = Provider.ctx?.req
  return { recordId: newRecordId(), requestId: (request && shown.get(request)?.requestId) ?? '' }
}

const payload = (stored: Readonly<Record<string, unknown>> | undefined) => stored as AdapterPayload | undefined

/** The grant that stands for a delegation: there as long as the delegation lets anything happen. */
function grantOf(delegation: FlowDelegation | undefined): AdapterPayload | undefined {
  if (delegation === undefined) return undefined
  return {
    kind: 'Grant',
    jti: delegation.id,
    accountId: delegation.principal.id,
    clientId: delegation.agentId,
    iat: Math.floor(delegation.createdAt.getTime() / 1_000),
    exp: Math.floor(delegation.expiresAt.getTime() / 1_000),
    openid: { scope: 'openid' },
  }
}

async function clientMetadata(parts: AdapterParts, id: string): Promise<AdapterPayload | undefined> {
  const client = await parts.findClient(id)
  if (client === undefined || client.status !== 'active') return undefined
  const flows = client.kind === 'agent' ? await parts.findFlowClient(id) : undefined
  const isWeb = flows?.redirectUris.every((uri) => /^https?:/.test(uri)) ?? true
  const request = Provider.ctx?.req
  // Our door has authenticated it, by the rules of the exchange: the library takes its word for the client it names, and no other.
  const isShown = request !== undefined && shown.get(request)?.clientId === id
  const hasCode = flows?.grantTypes.includes('authorization_code') === true && flows.redirectUris.length > 0
  return {
    client_id: client.id,
    application_type: isWeb ? 'web' : 'native',
    token_endpoint_auth_method: isShown ? 'none' : 'private_key_jwt',
    grant_types: [
      CLIENT_CREDENTIALS,
      ...(flows?.grantTypes ?? [])
        .filter((grant) => grant !== 'authorization_code' || hasCode)
        .map((grant) => FLOW_GRANTS[grant]),
    ],
    response_types: hasCode ? ['code'] : [],
    // What a form would carry needs a script that our pages do not run.
    response_modes: ['query'],
    redirect_uris: hasCode ? [...(flows?.redirectUris ?? [])] : [],
    ...(flows?.grantTypes.includes('ciba') === true && {
      backchannel_token_delivery_mode: flows.deliveryMode,
      ...(flows.notificationEndpoint !== undefined && {
        backchannel_client_notification_endpoint: asHttps(flows.notificationEndpoint),
      }),
    }),
    jwks: { keys: client.keys.map(({ kid, jwk }) => ({ ...jwk, kid })) },
  }
}

/** No name: nothing is ever asked there. */
const STANDS_FOR = 'https://ping.invalid/'

/** The library knows no endpoint but https; in development one may be http on this machine (RFC 6761 §6.4). */
const asHttps = (endpoint: string) =>
  endpoint.startsWith('https:') ? endpoint : `${STANDS_FOR}${encodeURIComponent(endpoint)}`

/** The endpoint itself; whether it may be asked is for the guard to say. */
export const notificationEndpoint = (url: string): string =>
  url.startsWith(STANDS_FOR) ? decodeURIComponent(url.slice(STANDS_FOR.length)) : url
