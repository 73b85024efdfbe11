import type { ApprovalToOpen, PingSealer } from '../../approval-ports.ts'
import type { ApprovalNeed } from '../../core/policy/approval-need.ts'
import type { Ids } from '../../ports.ts'

export interface OpenPorts extends PingSealer {
  readonly ids: Ids
  /** How long an approval waits for its answer. Unit: seconds. */
  readonly approvalSeconds: number
}

/** What the agent says beside what it asks for. */
export interface Asked {
  /** In the agent's own words, why. */
  readonly purpose?: string | undefined
  /** Whether somebody is asked even where no rule asks: then the principal. */
  readonly always?: boolean | undefined
  /** Never longer than the server would have it wait. Unit: seconds. */
  readonly lifetimeSeconds?: number | undefined
  /** What a ping to the agent is to carry (CIBA Core §7.1). */
  readonly notificationToken?: string | undefined
}

/** Nobody is asked over and over for what is gone before it can be read. */
const MIN_LIFETIME_SECONDS = 30

/** Who is to be asked for an action, by the rules of its delegations and by what the agent itself wants; empty: nobody. */
export const needsOf = (needs: readonly ApprovalNeed[], { always }: Asked, principalId: string) =>
  needs.length === 0 && always === true ? [{ approvers: [principalId], threshold: 1 }] : needs

/** What the commit opens. Its ids are new; a request that is open already keeps its own. */
export function approvalToOpen(
  { ids, approvalSeconds, sealPing }: OpenPorts,
  needs: readonly ApprovalNeed[],
  { purpose, lifetimeSeconds = approvalSeconds, notificationToken }: Asked,
  until: number,
): ApprovalToOpen {
  // 128 bits of chance, and good with the agent's own key alone (CIBA Core §7.3).
  const authReqId = `ap_${ids.random()}`
  return {
    id: `apr_${ids.recordId()}`,
    authReqId,
    needs,
    purpose,
    lifetimeSeconds: Math.min(Math.max(lifetimeSeconds, MIN_LIFETIME_SECONDS), approvalSeconds),
    until,
    notificationToken: notificationToken === undefined ? undefined : sealPing(authReqId, notificationToken),
  }
}
