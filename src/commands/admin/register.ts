import type { Entities, NewEntity, NewKey, Noun, RegistryWriter } from '../../admin-ports.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { addKeys } from './add-key.ts'
import { type AdminPorts, type ChangeCall, recordDeed, SUBJECTS } from './change-call.ts'
import { RULES } from './registry-rules.ts'

/** Registers an agent, a principal, a resource, an administrator or an action type. */
export async function register<N extends Noun>(
  ports: AdminPorts,
  call: ChangeCall<Entities[N]>,
  noun: N,
  entity: NewEntity<N>,
  keys: readonly NewKey[] = [],
): Promise<Entities[N] | Refusal> {
  return call.change(async (writer) => {
    // Step 1: may it be, as it is described?
    const broken = await RULES[noun]({ ports, call, writer, id: entity.id, before: undefined, after: entity })
    if (broken !== undefined) return broken

    // Step 2: is what must be unique still free? The database decides, so that of two at once one wins.
    const taken = await take(writer, noun, entity)
    if (taken !== undefined) return taken
    const refusedKey = await addKeys(writer, entity.id, keys, ports.now())
    if (refusedKey !== undefined) return refusedKey

    // Step 3: write down who did it, and answer with what is stored.
    const stored = await writer.entities[noun].find(entity.id)
    if (stored === undefined) throw new Error(`the ${noun} that was just registered is missing`)
    const subject = SUBJECTS[noun](stored)
    await recordDeed(ports, call, writer, { operation: `${noun}.register`, target: entity.id, ...subject })
    return stored
  })
}

async function take<N extends Noun>(
  writer: RegistryWriter,
  noun: N,
  entity: NewEntity<N>,
): Promise<Refusal | undefined> {
  // Action types have names of their own; everything else shares one namespace, and an id is never used again.
  if (noun === 'action_type') {
    return (await writer.entities[noun].add(entity)) ? undefined : refuse('already_exists', 'the type exists', 'type')
  }
  if (!(await writer.takeId(entity.id, noun))) return refuse('already_exists', 'the id is or was in use', 'id')
  // Only a resource has something else that is unique.
  return (await writer.entities[noun].add(entity))
    ? undefined
    : refuse(
        'already_exists',
        'an identifier that differs at most by case or a trailing slash is registered',
        'identifier',
      )
}
