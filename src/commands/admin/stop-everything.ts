import type { Stop } from '../../admin-ports.ts'
import type { Refusal } from '../../core/refusal.ts'
import { type AdminPorts, type ChangeCall, recordDeed } from './change-call.ts'

/** Whether everything is stopped; `stop` is absent when it is not. */
export interface StopState {
  readonly stop: Stop | undefined
}

/**
 * Stops everything at once: nothing is issued to an agent and no action token is active, on every process, from the answer
 * on. Administrators go on. Stopping what is stopped leaves it as it was.
 */
export async function stopEverything(
  ports: AdminPorts,
  call: ChangeCall<StopState>,
  reason: string | undefined,
): Promise<StopState | Refusal> {
  return call.change(async (writer) => {
    const before = await writer.stop.hold()
    if (before !== undefined) return { stop: before }
    const stop = { since: ports.now(), by: call.administrator.clientId, reason: reason ?? null }
    await writer.stop.set(stop)
    await recordDeed(ports, call, writer, { operation: 'stop', target: 'everything', reason })
    return { stop }
  })
}

/** Ends the stop. Tokens that were issued before it and have not expired are active again. */
export async function endStop(
  ports: AdminPorts,
  call: ChangeCall<StopState>,
  reason: string | undefined,
): Promise<StopState | Refusal> {
  return call.change(async (writer) => {
    if ((await writer.stop.hold()) === undefined) return { stop: undefined }
    await writer.stop.set(undefined)
    await recordDeed(ports, call, writer, { operation: 'stop.undo', target: 'everything', reason })
    return { stop: undefined }
  })
}

export const lookUpStop = async ({ registry }: AdminPorts): Promise<StopState> => ({
  stop: await registry.read.stop.find(),
})
