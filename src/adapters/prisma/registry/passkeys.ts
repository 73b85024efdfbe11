import type { PasskeyStore } from '../../../admin-ports.ts'
import type { TransactionClient } from './transaction-client.ts'

/** The passkeys of principals, for administrators: what one signs in by is read elsewhere. */
export function passkeyStore(client: TransactionClient): PasskeyStore {
  return {
    page: async (principalId, { after, limit: take }) =>
      client.passkey.findMany({
        where: { principalId, removedAt: null, ...(after !== undefined && { id: { lt: after } }) },
        orderBy: { id: 'desc' },
        select: { id: true, label: true, createdAt: true, lastUsedAt: true },
        take,
      }),
    remove: async (principalId, id, now) => {
      const where = { principalId, removedAt: null, ...(id !== undefined && { id }) }
      // In one statement: what its principal removes at the same time is not removed twice.
      const removed = await client.passkey.updateManyAndReturn({
        ...{ where, data: { removedAt: now }, select: { id: true } },
      })
      return removed.map((passkey) => passkey.id)
    },
  }
}
