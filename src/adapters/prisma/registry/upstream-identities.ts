import type { UpstreamIdentityStore } from '../../../admin-ports.ts'
import type { TransactionClient } from './transaction-client.ts'

/** As whom principals are known at upstream providers. */
export function upstreamIdentityStore(client: TransactionClient): UpstreamIdentityStore {
  return {
    page: async (principalId, { after, limit: take }) =>
      client.upstreamIdentity.findMany({
        where: { principalId, ...(after !== undefined && { issuer: { gt: after } }) },
        orderBy: { issuer: 'asc' },
        select: { issuer: true, subject: true, createdAt: true },
        take,
      }),
    unbind: async (principalId) => {
      const issuers = await client.upstreamIdentity.findMany({ where: { principalId }, select: { issuer: true } })
      await client.upstreamIdentity.deleteMany({ where: { principalId } })
      return issuers.map(({ issuer }) => issuer)
    },
  }
}
