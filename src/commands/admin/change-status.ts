import type { Entities, Noun } from '../../admin-ports.ts'
import type { Status } from '../../core/agent/client.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed, SUBJECTS } from './change-call.ts'

export type StatusVerb = 'suspend' | 'resume' | 'retire'

const BECOMES: Readonly<Record<StatusVerb, Status>> = { suspend: 'suspended', resume: 'active', retire: 'retired' }

/**
 * Suspends, resumes or retires a registered thing; from the moment this answers no issuance rests on a stopped one.
 *
 * What is already so stays as it is: no new version, no record. What is retired stays retired.
 */
export async function changeStatus<N extends Noun>(
  ports: AdminPorts,
  call: ChangeCall<Entities[N]>,
  {
    noun,
    id,
    verb,
    reason,
  }: { readonly noun: N; readonly id: string; readonly verb: StatusVerb; readonly reason: string | undefined },
): Promise<Entities[N] | Refusal> {
  return call.change(async (writer) => {
    const store = writer.entities[noun]
    const before = await store.hold(id)
    if (before === undefined) return refuse('not_found', 'there is none of this id')
    const status = BECOMES[verb]
    if (before.status === status) return before
    if (before.status === 'retired') return refuse('status_conflict', 'it is retired, for ever')

    const change = { status, reason: status === 'active' ? null : (reason ?? null) }
    if (!(await store.amend(id, before.version, change, ports.now()))) {
      throw new Error(`the ${noun} changed while it was held`)
    }
    const stored = await store.find(id)
    if (stored === undefined) throw new Error(`the ${noun} that was just changed is missing`)
    const subject = SUBJECTS[noun](stored)
    await recordDeed(ports, call, writer, { operation: `${noun}.${verb}`, target: id, reason, ...subject })
    return stored
  })
}
