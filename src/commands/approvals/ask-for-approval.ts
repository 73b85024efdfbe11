import type { Approvals } from '../../approval-ports.ts'
import {
  type IssuePorts,
  type IssueRequest,
  issueActionToken,
  type Pending,
  type Refused,
} from '../issue-action-token.ts'

export interface AskPorts extends IssuePorts {
  readonly approvals: Pick<Approvals, 'pingWith'>
}

/** Asks for a yes to one action, whatever the rule of its delegation says: nothing is issued here (CIBA Core §7). */
export async function askForApproval(
  ports: AskPorts,
  request: Omit<IssueRequest, 'always'>,
): Promise<Pending | Refused> {
  const outcome = await issueActionToken(ports, { ...request, always: true })
  if (outcome.kind === 'issued') throw new Error('nothing is issued where a yes is asked for')
  const { notificationToken } = request
  if (outcome.kind === 'pending' && outcome.isNew === false && notificationToken !== undefined) {
    // It was open already, perhaps by an exchange that asked for no ping: the one that is expected now is sent.
    await ports.approvals.pingWith(outcome.approvalId, ports.sealPing(outcome.authReqId, notificationToken))
  }
  return outcome
}
