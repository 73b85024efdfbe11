import type { Entities, Members, Noun, RegistryWriter } from '../../admin-ports.ts'
import { compileActionType } from '../../core/action/action-type.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, beyondOwnScope, type ChangeCall } from './change-call.ts'

/** What a rule may look at. `before` is absent while the thing is being registered. */
export interface RuleFacts<N extends Noun> {
  readonly ports: AdminPorts
  readonly call: Pick<ChangeCall<never>, 'administrator'>
  readonly writer: RegistryWriter
  readonly id: string
  readonly before: Entities[N] | undefined
  readonly after: Members[N]
}

type Rule<N extends Noun> = (facts: RuleFacts<N>) => Promise<Refusal | undefined>

/** What must hold of each thing beyond the form of its members, at registration and at every change. */
export const RULES: { readonly [N in Noun]: Rule<N> } = {
  agent: async ({ ports, after }) => refuseFlows(after, ports.refuseOutboundUrl),
  principal: async () => undefined,
  resource: async ({ writer, after }) => {
    if (after.actionTypes === 'all') return undefined
    const [unknown] = await writer.unknownActionTypes(after.actionTypes)
    return unknown === undefined
      ? undefined
      : refuse('member_invalid', 'names an action type that does not exist', 'action_types')
  },
  administrator: async ({ call, before, after }) => {
    const added = after.scope.filter((scope) => before === undefined || !before.scope.includes(scope))
    return beyondOwnScope(call.administrator, added)
  },
  action_type: async ({ id, before, after }) => {
    if (before?.isBuiltIn) {
      // Enforcers carry the built-in ones in their code: one that differs would mean two things under one name.
      return refuse('member_invalid', 'a built-in action type cannot be changed; define one of another name', 'type')
    }
    const { title, schema, digestible, template, risk, isSingleUse: single_use } = after
    const definition = { type: id, title, schema, digestible, template, risk, single_use }
    const compiled = compileActionType(definition, (before?.version ?? 0) + 1)
    return isRefusal(compiled) ? compiled : undefined
  },
}

/** Nothing is accepted that nothing would come of. */
function refuseFlows(
  agent: Members['agent'],
  refuseOutboundUrl: AdminPorts['refuseOutboundUrl'],
): Refusal<'member_invalid'> | undefined {
  const { redirectUris, grantTypes, backchannelTokenDeliveryMode: mode } = agent
  const endpoint = agent.backchannelClientNotificationEndpoint
  const no = (member: string, detail: string) => refuse('member_invalid', detail, member)
  const hasCodes = grantTypes.includes('authorization_code')
  if (hasCodes && redirectUris.length === 0) return no('redirect_uris', 'is needed with the grant "authorization_code"')
  if (!hasCodes && redirectUris.length > 0) return no('redirect_uris', 'goes with the grant "authorization_code" only')
  const name = 'backchannel_client_notification_endpoint'
  if (mode === 'ping' && endpoint === null) return no(name, 'is needed with the mode "ping"')
  if (mode !== 'ping' && endpoint !== null) return no(name, 'goes with the mode "ping" only')
  const problem = endpoint === null ? undefined : refuseOutboundUrl(endpoint)
  return problem === undefined ? undefined : no(name, problem)
}
