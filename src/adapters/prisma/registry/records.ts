import type { AdminRecord, AuditRecord, RecordReader } from '../../../admin-ports.ts'
import type { JsonValue } from '../../../core/json.ts'
import { uuidV7 } from '../../clock.ts'
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
        // Ids ascend with time, so that a time far back is not looked for in everything that came after it.
        AND: [
          ...(after === undefined ? [] : [{ id: { lt: after } }]),
          ...(earlier === undefined ? [] : [{ id: { lt: idAt(earlier.getTime() + CLOCKS_APART, 'ff') } }]),
          ...(later === undefined ? [] : [{ id: { gt: idAt(later.getTime() - CLOCKS_APART, '00') } }]),
        ],
      }
      return (await client.record.findMany({ where, orderBy: { id: 'desc' }, take })).map(toAuditRecord)
    },
    issuanceOf: async (jti) => {
      const row = await client.record.findUnique({ where: { jti, decision: 'issued' } })
      return row === null ? undefined : toAuditRecord(row)
    },
    add: async ({ operation, target, reason, login, flow, agent, principal, delegation, resource, ...record }) => {
      const { id, kind = 'admin', client: caller, requestId } = record
      const data = {
        ...{ id, kind, decision: 'done', client: caller, requestId },
        agent: agent ?? null,
        principal: principal ?? null,
        delegation: delegation ?? null,
        resource: resource ?? null,
        actionType: record.actionType ?? null,
        actionTypeVersion: record.actionTypeVersion ?? null,
        because: {
          ...{ operation, target, ...(reason !== undefined && { reason }) },
          ...(login !== undefined && { login }),
          ...(flow !== undefined && { flow }),
        },
      }
      await client.record.createMany({ data: [data] })
    },
  }
}

/** How far the clock that makes ids and the database's, which stamps records, may be apart at most. Unit: milliseconds. */
const CLOCKS_APART = 3_600_000
const LAST_MILLISECOND = 2 ** 48 - 1

/** The first id of a millisecond, or the last one. */
const idAt = (milliseconds: number, byte: '00' | 'ff'): string =>
  uuidV7(Math.min(Math.max(milliseconds, 0), LAST_MILLISECOND), byte.repeat(10))

const toAuditRecord = ({ because, claimsDigest: _, ...row }: Record): AuditRecord => ({
  ...row,
  because: because as JsonValue,
})
