import type { StopStore } from '../../../admin-ports.ts'
import { queryOn, type TransactionClient } from './transaction-client.ts'

/** The one row that says whether everything is stopped. */
export function stopStore(client: TransactionClient): StopStore {
  const find = async () => {
    const row = await client.generation.findUnique({ where: { id: 1 } })
    if (row === null || row.stoppedAt === null) return undefined
    return { since: row.stoppedAt, by: row.stoppedBy ?? '', reason: row.stopReason }
  }
  return {
    find,
    hold: async () => {
      await queryOn(client)('SELECT 1 AS one FROM generation WHERE id = 1 FOR UPDATE')
      return find()
    },
    set: async (stop) => {
      const data = { stoppedAt: stop?.since ?? null, stoppedBy: stop?.by ?? null, stopReason: stop?.reason ?? null }
      await client.generation.update({ where: { id: 1 }, data })
    },
  }
}
