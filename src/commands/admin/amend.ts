import type { Entities, Members, Noun } from '../../admin-ports.ts'
import { isRefusal, type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed, SUBJECTS } from './change-call.ts'
import { RULES } from './registry-rules.ts'

/**
 * Changes members of a registered thing.
 *
 * `apply` says what the members become, given what they are. Of two changes that were made on one version, one is refused
 * as stale.
 */
export async function amend<N extends Noun>(
  ports: AdminPorts,
  call: ChangeCall<Entities[N]>,
  {
    noun,
    id,
    isExpected,
  }: { readonly noun: N; readonly id: string; readonly isExpected: (version: number) => boolean },
  apply: (current: Entities[N]) => Members[N] | Refusal,
): Promise<Entities[N] | Refusal> {
  return call.change(async (writer) => {
    const store = writer.entities[noun]
    // Step 1: is it there, and still what the administrator has seen?
    const before = await store.hold(id)
    if (before === undefined) return refuse('not_found', 'there is none of this id')
    if (!isExpected(before.version)) return refuse('version_stale', 'it was changed since; read it again')
    if (before.status === 'retired') return refuse('status_conflict', 'it is retired, for ever')

    // Step 2: may it become that?
    const after = apply(before)
    if (isRefusal(after)) return after
    const broken = await RULES[noun]({ ports, call, writer, id, before, after })
    if (broken !== undefined) return broken

    // Step 3: the next version, and who made it.
    if (!(await store.amend(id, before.version, { members: after }, ports.now()))) {
      return refuse('version_stale', 'it was changed since; read it again')
    }
    const stored = await store.find(id)
    if (stored === undefined) throw new Error(`the ${noun} that was just changed is missing`)
    const subject = SUBJECTS[noun](stored)
    await recordDeed(ports, call, writer, { operation: `${noun}.amend`, target: id, ...subject })
    return stored
  })
}
