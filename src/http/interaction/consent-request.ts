import type { ConsentModel, FlowClient, FlowGrantType } from '../../commands/people/consents.ts'
import { type Asked, type JudgeAskedPorts, judgeAsked } from '../../commands/people/judge-asked.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'

/** What an agent asks a principal for, however it came. */
export interface ConsentRequest {
  readonly model: ConsentModel
  readonly handle: string
  /** By which grant. */
  readonly flow: string
  readonly agentId: string
  /** The administrator's word for the agent. */
  readonly agentName: string
  readonly resource: string | undefined
  readonly asked: Asked
  /** The agent's own words, and what it calls them. */
  readonly words: readonly { readonly name: string; readonly text: string }[]
  /** Where the browser goes when it is answered; absent: it stays here. */
  readonly redirectUri: string | undefined
  readonly expiresAt: Date
}

const FLOWS: Readonly<Record<ConsentModel, FlowGrantType>> = {
  Interaction: 'authorization_code',
  DeviceCode: 'device_code',
  BackchannelAuthenticationRequest: 'ciba',
}

export interface ConsentRequestParts {
  readonly ports: JudgeAskedPorts
  readonly issuer: string
  readonly findFlowClient: (id: string) => Promise<FlowClient | undefined>
}

/** Reads a request as it was stored, and judges again what it asks for: a type or a place may have changed since. */
export async function readConsentRequest(
  { ports, issuer, findFlowClient }: ConsentRequestParts,
  stored: {
    readonly model: ConsentModel
    readonly handle: string
    readonly params: Readonly<Record<string, unknown>>
    readonly expiresAt: Date
  },
): Promise<ConsentRequest | Refusal> {
  const { params } = stored
  const text = (name: string) => (typeof params[name] === 'string' ? params[name] : undefined)
  const agentId = text('client_id') ?? ''
  const agent = await findFlowClient(agentId)
  if (agent === undefined) return refuse('client_inactive', 'the agent is not active any more')
  const flow = FLOWS[stored.model]
  const redirectUri = text('redirect_uri')
  // What an administrator took from it since is taken: no code is sent to an address that is not the agent's any more.
  const isRegistered = flow !== 'authorization_code' || agent.redirectUris.includes(redirectUri ?? '')
  if (!agent.grantTypes.includes(flow) || !isRegistered) {
    return refuse('grant_not_allowed', 'the agent is not registered for this any more')
  }
  const named = text('resource')
  const resource = named === issuer ? undefined : named
  const asked = await judgeAsked(ports, { authorizationDetails: text('authorization_details') ?? '', resource })
  if (isRefusal(asked)) return asked
  return {
    ...{ model: stored.model, handle: stored.handle, flow, expiresAt: stored.expiresAt },
    ...{ agentId, agentName: agent.name, resource, asked },
    words: ['purpose', 'binding_message'].flatMap((name) => {
      const words = text(name)
      return words === undefined ? [] : [{ name, text: words }]
    }),
    redirectUri,
  }
}
