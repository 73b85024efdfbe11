import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/**
 * Removes passkeys of a principal, one or all: nobody signs in by them from then on. Whoever is signed in stays so; a suspension ends
 * that.
 */
export function removePasskeys(
  ports: AdminPorts,
  call: ChangeCall<{ readonly removed: readonly string[] }>,
  { principalId, id }: { readonly principalId: string; readonly id: string | undefined },
): Promise<{ readonly removed: readonly string[] } | Refusal> {
  return call.change(async (writer) => {
    const principal = await writer.entities.principal.hold(principalId)
    if (principal === undefined) return refuse('not_found', 'there is none of this id')
    const removed = await writer.passkeys.remove(principalId, id, ports.now())
    if (id !== undefined && removed.length === 0) return refuse('not_found', 'there is no such passkey')
    for (const one of removed) {
      const deed = { operation: 'principal.remove_passkey', target: `${principalId}/${one}`, principal: principalId }
      await recordDeed(ports, call, writer, deed)
    }
    return { removed }
  })
}
