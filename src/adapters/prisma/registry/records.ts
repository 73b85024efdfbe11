import type { AdminRecord, AuditRecord, RecordReader } from '../../../admin-ports.ts'
import type { JsonValue } from '../../../core/json.ts'
import type { Record } from '../generated/client.ts'
import type { TransactionClient } from './transaction-client.ts'

export interface RecordStore extends RecordReader {
  readonly add: (record: AdminRecord) => Promise<void>
}

export function recordStore(client: TransactionClient): RecordStore {
  return {
    page: async ({ type, after: later, before: earlier, ...equal }, { after, limit: take }) => {
      const where = {
        ...Object.fromEntries(Object.entries(equal).filter(([, value]) => value !== undefined)),
        ...(type !== undefined && { actionType: type }),
        ...((later ?? earlier) && { at: { ...(later && { gt: later }), ...(earlier && { lt: earlier }) } }),
        ...(after !== undefined && { id: { lt: after } }),
      }
      return (await client.record.findMany({ where, orderBy: { id: 'desc' }, take })).map(toAuditRecord)
    },
    issuanceOf: async (jti) => {
      const row = await client.record.findUnique({ where: { jti, decision: 'issued' } })
      return row === null ? undefined : toAuditRecord(row)
    },
    add: async ({ operation, target, reason, agent, principal, delegation, resource, ...record }) => {
      const data = {
        ...{ id: record.id, kind: 'admin', decision: 'done', client: record.client, requestId: record.requestId },
        agent: agent ?? null,
        principal: principal ?? null,
        delegation: delegation ?? null,
        resource: resource ?? null,
        actionType: record.actionType ?? null,
        actionTypeVersion: record.actionTypeVersion ?? null,
        because: { operation, target, ...(reason !== undefined && { reason }) },
      }
      await client.record.createMany({ data: [data] })
    },
  }
}

const toAuditRecord = ({ because, claimsDigest: _, ...row }: Record): AuditRecord => ({
  ...row,
  because: because as JsonValue,
})
