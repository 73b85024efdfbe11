import type { ClientNoun, RegisteredKey } from '../../admin-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed, SUBJECTS } from './change-call.ts'

/** Takes a key out of use, for ever; its thumbprint stays taken. What is retired already stays as it is. */
export async function retireKey<N extends ClientNoun>(
  ports: AdminPorts,
  call: ChangeCall<RegisteredKey>,
  {
    noun,
    id,
    kid,
    reason,
  }: { readonly noun: N; readonly id: string; readonly kid: string; readonly reason: string | undefined },
): Promise<RegisteredKey | Refusal> {
  return call.change(async (writer) => {
    const owner = await writer.entities[noun].hold(id)
    const key = owner && (await writer.keys.find(id, kid))
    if (owner === undefined || key === undefined) return refuse('not_found', 'there is no such key')
    if (key.status === 'retired') return key

    await writer.keys.retire(kid, ports.now())
    await writer.entities[noun].amend(id, owner.version, {}, ports.now())
    const stored = await writer.keys.find(id, kid)
    if (stored === undefined) throw new Error('the key that was just retired is missing')
    const subject = SUBJECTS[noun](owner)
    await recordDeed(ports, call, writer, {
      operation: `${noun}.retire_key`,
      target: `${id}/${kid}`,
      reason,
      ...subject,
    })
    return stored
  })
}
