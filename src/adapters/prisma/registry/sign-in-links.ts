import type { SignInLinkStore } from '../../../admin-ports.ts'
import type { TransactionClient } from './transaction-client.ts'

/** One-time links by which principals sign in; only the digests of their codes are kept. */
export function signInLinkStore(client: TransactionClient): SignInLinkStore {
  // What an administrator sees of a link is everything but its digest.
  const omit = { codeHash: true } as const
  return {
    find: async (principalId, id) =>
      (await client.signInLink.findUnique({ where: { id, principalId }, omit })) ?? undefined,
    page: (principalId, { after, limit: take }) => {
      const where = after === undefined ? { principalId } : { principalId, id: { lt: after } }
      return client.signInLink.findMany({ where, orderBy: { id: 'desc' }, take, omit })
    },
    add: async ({ codeHash, ...link }) => {
      await client.signInLink.create({ data: { ...link, codeHash: Buffer.from(codeHash, 'base64url') } })
    },
    withdraw: async (principalId, id, now) => {
      const where = {
        ...{ principalId, usedAt: null, withdrawnAt: null, expiresAt: { gt: now } },
        ...(id !== undefined && { id }),
      }
      const open = await client.signInLink.findMany({ where, select: { id: true } })
      const ids = open.map((row) => row.id)
      await client.signInLink.updateMany({
        where: { id: { in: ids }, usedAt: null, withdrawnAt: null },
        data: { withdrawnAt: now },
      })
      return ids
    },
  }
}
