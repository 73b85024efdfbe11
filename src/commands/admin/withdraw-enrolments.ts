import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/** Withdraws open codes of an agent: one, or all. Codes that were used or have expired are left as they are. */
export function withdrawEnrolments(
  ports: AdminPorts,
  call: ChangeCall<{ readonly withdrawn: readonly string[] }>,
  { agentId, id }: { readonly agentId: string; readonly id: string | undefined },
): Promise<{ readonly withdrawn: readonly string[] } | Refusal> {
  return call.change(async (writer) => {
    const agent = await writer.entities.agent.hold(agentId)
    if (agent === undefined) return refuse('not_found', 'there is none of this id')
    if (id !== undefined && (await writer.enrolments.find(agentId, id)) === undefined) {
      return refuse('not_found', 'there is no such enrolment')
    }
    const withdrawn = await writer.enrolments.withdraw(agentId, id, ports.now())
    for (const one of withdrawn) {
      const deed = { operation: 'agent.withdraw_enrolment', target: `${agentId}/${one}`, agent: agentId }
      await recordDeed(ports, call, writer, deed)
    }
    return { withdrawn }
  })
}
