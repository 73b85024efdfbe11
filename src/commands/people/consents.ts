import type { Registry } from '../../admin-ports.ts'
import type { ConsentModel, OidcModels, StoredConsent } from '../../consent-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import type { Directory, Ids } from '../../ports.ts'

export type {
  ConsentModel,
  FlowClient,
  FlowClients,
  FlowDelegation,
  FlowDelegations,
  FlowGrantType,
  ModelPayload,
  OidcModels,
  Redemption,
  StoredConsent,
} from '../../consent-ports.ts'

/** Requests of one agent that may wait for one principal. */
export const MAX_WAITING = 20
/** Requests of all agents that may wait for one principal: his inbox shows them all. */
const MAX_WAITING_OF_ALL = 100

/** A request of the backchannel that waits for a principal. */
export interface PendingConsent {
  /** Names its page: `/me/consents/<handle>`. */
  readonly handle: string
  readonly agentId: string
  /** The agent's own words. */
  readonly bindingMessage: string | undefined
  readonly expiresAt: Date
}

/** What agents ask a principal to delegate, by the backchannel; the page of each is `/me/consents/<handle>`. */
export async function listPendingConsents(
  { models }: { readonly models: Pick<OidcModels, 'waitingFor'> },
  principalId: string,
): Promise<readonly PendingConsent[]> {
  return (await models.waitingFor(principalId)).map(toPending)
}

/**
 * Whether an agent may ask a principal for one thing more.
 *
 * @param isStored it has asked: of many that were let in at once because none of them saw the others, those are refused now that
 * are too many. Rather all of them than one too many.
 */
export async function admitConsent(
  ports: { readonly models: Pick<OidcModels, 'waitingFor'> },
  principalId: string,
  agentId: string,
  { isStored }: { readonly isStored: boolean },
): Promise<Refusal | undefined> {
  const waiting = await listPendingConsents(ports, principalId)
  const own = waiting.filter((one) => one.agentId === agentId)
  const itself = isStored ? 0 : 1
  return own.length + itself > MAX_WAITING || waiting.length + itself > MAX_WAITING_OF_ALL ? FULL : undefined
}

const FULL = refuse('approvals_full', 'too many requests wait for this principal already')

function toPending({ handle, payload, expiresAt }: StoredConsent): PendingConsent {
  const params = typeof payload.params === 'object' && payload.params !== null ? payload.params : {}
  const bindingMessage = 'binding_message' in params ? params.binding_message : undefined
  return {
    ...{ handle, expiresAt, agentId: String(payload.clientId) },
    bindingMessage: typeof bindingMessage === 'string' ? bindingMessage : undefined,
  }
}

export interface RefuseConsentPorts {
  readonly ids: Ids
  readonly directory: Directory
  readonly registry: Pick<Registry, 'change'>
}

/** A principal says no to what an agent asks for. Once: of a yes and a no at once, one counts. */
export async function refuseConsent(
  ports: RefuseConsentPorts,
  no: {
    readonly consent: { readonly model: ConsentModel; readonly handle: string }
    readonly principal: string
    readonly agent: string
    readonly loginId: string
    readonly flow: string
    readonly requestId: string
  },
): Promise<Refusal | undefined> {
  const outcome = await ports.registry.change<'done'>(async (writer) => {
    if (!(await writer.takeConsent(no.consent.model, no.consent.handle))) return ANSWERED
    await writer.records.add({
      ...{ id: ports.ids.recordId(), kind: 'principal', client: null, requestId: no.requestId },
      ...{ operation: 'delegation.refuse', target: no.agent, login: no.loginId, flow: no.flow },
      ...{ agent: no.agent, principal: no.principal },
    })
    return 'done'
  })
  return outcome === 'done' ? undefined : outcome
}

export const ANSWERED = refuse('status_conflict', 'it was answered before, or its time is over')
