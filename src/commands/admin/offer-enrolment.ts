import type { RegisteredEnrolment } from '../../admin-ports.ts'
import { sha256Base64url } from '../../core/hash.ts'
import { type Refusal, refuse } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/** How long a code is good where nothing is said, and at most. Unit: seconds. */
const DEFAULT_SECONDS = 900
export const MAX_ENROLMENT_SECONDS = 86_400

/** An enrolment with its code, which is told once, here, and kept nowhere. */
export interface OfferedEnrolment {
  readonly enrolment: RegisteredEnrolment
  readonly code: string
}

/** Makes a one-time code with which the agent itself binds one more key. */
export function offerEnrolment(
  ports: AdminPorts,
  call: ChangeCall<OfferedEnrolment>,
  request: {
    readonly agentId: string
    readonly jkt: string | undefined
    readonly expiresInSeconds: number | undefined
  },
): Promise<OfferedEnrolment | Refusal> {
  const now = ports.now()
  // 128 bits of chance: nobody guesses one, so nobody has to remember how often somebody tried (RFC 6749 §10.10).
  const code = ports.ids.random()
  return call.change(async (writer) => {
    // Step 1: whose key will it be?
    const agent = await writer.entities.agent.hold(request.agentId)
    if (agent === undefined) return refuse('not_found', 'there is none of this id')
    if (agent.status === 'retired') return refuse('status_conflict', 'it is retired, for ever')

    // Step 2: write the code's digest, and who made it.
    const id = `enr_${ports.ids.recordId()}`
    await writer.enrolments.add({
      id,
      agentId: agent.id,
      codeHash: sha256Base64url(code),
      jkt: request.jkt ?? null,
      createdBy: call.administrator.clientId,
      createdAt: now,
      expiresAt: new Date(now.getTime() + (request.expiresInSeconds ?? DEFAULT_SECONDS) * 1_000),
    })
    const enrolment = await writer.enrolments.find(agent.id, id)
    if (enrolment === undefined) throw new Error('the enrolment that was just made is missing')
    await recordDeed(ports, call, writer, { operation: 'agent.enrol', target: `${agent.id}/${id}`, agent: agent.id })
    return { enrolment, code }
  })
}
