import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/**
 * Forgets as whom a principal is known at upstream providers: the next account there that the provider's rule takes for him is bound to
 * him. Where he is signed in he stays so.
 */
export function unbindUpstream(
  ports: AdminPorts,
  call: ChangeCall<{ readonly unbound: readonly string[] }>,
  principalId: string,
): Promise<{ readonly unbound: readonly string[] } | Refusal> {
  return call.change(async (writer) => {
    const principal = await writer.entities.principal.hold(principalId)
    if (principal === undefined) return refuse('not_found', 'there is none of this id')
    const unbound = await writer.upstreamIdentities.unbind(principalId)
    if (unbound.length > 0) {
      const deed = { operation: 'principal.unbind_upstream', target: principalId, principal: principalId }
      await recordDeed(ports, call, writer, deed)
    }
    return { unbound }
  })
}
