import type { ClientNoun, NewKey, RegisteredKey, RegistryWriter } from '../../admin-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, beyondOwnScope, type ChangeCall, recordDeed, SUBJECTS } from './change-call.ts'

/** Active keys of one client. */
export const MAX_ACTIVE_KEYS = 10

/** Registers one more public key of a client. */
export async function addKey<N extends ClientNoun>(
  ports: AdminPorts,
  call: ChangeCall<RegisteredKey>,
  { noun, id, key }: { readonly noun: N; readonly id: string; readonly key: NewKey },
): Promise<RegisteredKey | Refusal> {
  return call.change(async (writer) => {
    // Step 1: whose key is it? Holding the owner lets nobody else add one between the count and the insertion.
    const owner = await writer.entities[noun].hold(id)
    if (owner === undefined) return refuse('not_found', 'there is none of this id')
    if (owner.status === 'retired') return refuse('status_conflict', 'it is retired, for ever')
    // A key of an administrator is all that he may do.
    const beyond = 'scope' in owner ? beyondOwnScope(call.administrator, owner.scope) : undefined
    if (beyond !== undefined) return beyond

    // Step 2: is there room for it, and is it new?
    if ((await writer.keys.countActive(id)) >= MAX_ACTIVE_KEYS) {
      return refuse('keys_exhausted', `it has ${MAX_ACTIVE_KEYS} active keys; retire one first`)
    }
    const refused = await addKeys(writer, id, [key], ports.now())
    if (refused !== undefined) return refused

    // Step 3: the owner's next version, and who made it.
    await writer.entities[noun].amend(id, owner.version, {}, ports.now())
    const stored = await writer.keys.find(id, key.kid)
    if (stored === undefined) throw new Error('the key that was just added is missing')
    const subject = SUBJECTS[noun](owner)
    await recordDeed(ports, call, writer, { operation: `${noun}.add_key`, target: `${id}/${key.kid}`, ...subject })
    return stored
  })
}

/** Adds keys to a client that the caller holds. */
export async function addKeys(
  writer: RegistryWriter,
  ownerId: string,
  keys: readonly NewKey[],
  now: Date,
): Promise<Refusal | undefined> {
  // In one order, so that two registrations of the same keys never wait for each other in a circle.
  for (const key of [...keys].sort((a, b) => (a.kid < b.kid ? -1 : 1))) {
    if (key.expiresAt !== null && key.expiresAt <= now) {
      return refuse('member_invalid', 'must be in the future', 'expires_at')
    }
    if (!(await writer.keys.add(ownerId, key))) return refuse('already_exists', 'the key is or was in use', 'jwk')
  }
  return undefined
}
