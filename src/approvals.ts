import type { KeyEncryption } from './adapters/keys/key-encryption.ts'
import { approvals, notificationSeal, type OnDecided } from './adapters/prisma/approvals.ts'
import type { Database } from './adapters/prisma/open-database.ts'
import type { ApprovalNotices, Approvals } from './approval-ports.ts'
import type { OpenPorts } from './commands/approvals/open-approval.ts'
import type { Config } from './config.ts'

export interface ApprovalParts {
  readonly database: Database
  readonly encryption: KeyEncryption
  readonly config: Pick<Config, 'approvalSeconds'>
  /** Writes down who is to be told, in the transaction that decides. Absent: nobody is. */
  readonly onDecided?: OnDecided
  /** Absent: nobody is told. */
  readonly notices?: ApprovalNotices
}

/** What a part of the server that asks somebody is made of. */
export function openApprovals({
  database,
  encryption,
  config,
  onDecided = async () => {},
  notices = { opened: async () => {} },
}: ApprovalParts): Omit<OpenPorts, 'ids'> & { readonly approvals: Approvals } {
  return {
    approvals: approvals(database, onDecided),
    approvalNotices: notices,
    approvalSeconds: config.approvalSeconds,
    sealNotificationToken: (token, approvalId) => encryption.seal(Buffer.from(token), notificationSeal(approvalId)),
  }
}
