import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'
import type { RegisteredInstance } from './registered.ts'

/** Stops one instance of an agent, for ever; its key stays taken. What is over already stays as it is. */
export function stopInstance(
  ports: AdminPorts,
  call: ChangeCall<RegisteredInstance>,
  { agentId, kid, reason }: { readonly agentId: string; readonly kid: string; readonly reason: string | undefined },
): Promise<RegisteredInstance | Refusal> {
  return call.change(async (writer) => {
    const agent = await writer.entities.agent.hold(agentId)
    const instance = agent && (await writer.instances.find(agentId, kid))
    if (instance === undefined) return refuse('not_found', 'there is no such instance')
    if (instance.stoppedAt !== null) return instance
    const stoppedAt = ports.now()
    await writer.instances.stop(kid, stoppedAt)
    const deed = { operation: 'agent.stop_instance', target: `${agentId}/${kid}`, reason, agent: agentId }
    await recordDeed(ports, call, writer, deed)
    return { ...instance, stoppedAt }
  })
}
