import type { EnrolmentStore } from '../../../admin-ports.ts'
import type { TransactionClient } from './transaction-client.ts'

/** One-time codes by which agents bind keys; only their digests are kept. */
export function enrolmentStore(client: TransactionClient): EnrolmentStore {
  // What an administrator sees of a code is everything but its digest.
  const omit = { codeHash: true } as const
  return {
    find: async (agentId, id) => (await client.enrolment.findUnique({ where: { id, agentId }, omit })) ?? undefined,
    page: (agentId, { after, limit: take }) => {
      const where = after === undefined ? { agentId } : { agentId, id: { lt: after } }
      return client.enrolment.findMany({ where, orderBy: { id: 'desc' }, take, omit })
    },
    add: async ({ codeHash, ...enrolment }) => {
      await client.enrolment.create({ data: { ...enrolment, codeHash: Buffer.from(codeHash, 'base64url') } })
    },
    withdraw: async (agentId, id, now) => {
      const where = {
        agentId,
        usedAt: null,
        withdrawnAt: null,
        expiresAt: { gt: now },
        ...(id !== undefined && { id }),
      }
      const open = await client.enrolment.findMany({ where, select: { id: true } })
      const ids = open.map((row) => row.id)
      await client.enrolment.updateMany({
        where: { id: { in: ids }, usedAt: null, withdrawnAt: null },
        data: { withdrawnAt: now },
      })
      return ids
    },
  }
}
