import type { RegisteredSigningKey } from '../../admin-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { ROTATION_OVERLAP_SECONDS } from '../../core/token/signing-key.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/**
 * Makes a new signing key. It is published at once and signs after the overlap, when every verifier has seen it.
 *
 * When the present keys are compromised both waits are skipped: they verify nothing from now on, the new one signs.
 */
export async function rotateSigningKeys(
  ports: AdminPorts,
  call: ChangeCall<readonly RegisteredSigningKey[]>,
  { isCompromised, reason }: { readonly isCompromised: boolean; readonly reason: string | undefined },
): Promise<readonly RegisteredSigningKey[] | Refusal> {
  return call.change(async ({ signingKeys, ...writer }) => {
    const now = ports.now()
    await signingKeys.hold()
    if (isCompromised) {
      await signingKeys.markAllCompromised(now)
    } else if ((await signingKeys.all(now)).some(({ status }) => status === 'published')) {
      return refuse('status_conflict', 'a new key is published already and has not begun to sign')
    }
    const activatesAt = new Date(now.getTime() + (isCompromised ? 0 : ROTATION_OVERLAP_SECONDS * 1_000))
    const kid = await signingKeys.add(now, activatesAt)
    const operation = isCompromised ? 'signing_key.rotate_compromised' : 'signing_key.rotate'
    await recordDeed(ports, call, writer, { operation, target: kid, reason })
    return signingKeys.all(now)
  })
}
