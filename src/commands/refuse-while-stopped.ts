import type { Client } from '../core/agent/client.ts'
import { type Refusal, refuse } from '../core/refusal.ts'
import type { Stops } from '../ports.ts'

export interface StopPorts {
  readonly stops: Stops
}

/** While everything is stopped an agent is given nothing. Administrators and followers of the feed go on. */
export async function refuseWhileStopped({ stops }: StopPorts, client: Client): Promise<Refusal | undefined> {
  if (client.kind !== 'agent' || !(await stops.isEverythingStopped())) return undefined
  return refuse('stopped', 'an administrator has stopped everything')
}
