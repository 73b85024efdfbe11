import type { KeyStore, RegisteredKey } from '../../../admin-ports.ts'
import type { PublicJwk } from '../../../core/agent/client.ts'
import type { Key } from '../generated/client.ts'
import type { TransactionClient } from './transaction-client.ts'

/** Registered public keys of clients; instances of agents are kept beside them (instances.ts). */
export function keyStore(client: TransactionClient): KeyStore {
  return {
    find: async (ownerId, kid) => {
      const row = await client.key.findUnique({ where: { kid, ownerId, vouchedBy: null } })
      return row === null ? undefined : toKey(row)
    },
    page: async (ownerId, { after, limit }) => {
      const where = { ownerId, vouchedBy: null, ...(after !== undefined && { kid: { gt: after } }) }
      return (await client.key.findMany({ where, orderBy: { kid: 'asc' }, take: limit })).map(toKey)
    },
    countActive: (ownerId) => client.key.count({ where: { ownerId, status: 'active', vouchedBy: null } }),
    add: async (ownerId, { kid, jwk, label, expiresAt }) => {
      const data = [{ kid, ownerId, jwk: { ...jwk }, label, expiresAt }]
      return (await client.key.createMany({ data, skipDuplicates: true })).count === 1
    },
    retire: async (kid, now) => {
      await client.key.update({ where: { kid }, data: { status: 'retired', retiredAt: now } })
    },
  }
}

/** Reads the active keys of a client along with it. */
export const WITH_ACTIVE_KEYS = {
  identity: { select: { keys: { where: { status: 'active', vouchedBy: null }, orderBy: { createdAt: 'asc' } } } },
} as const

export function toKey({ kid, jwk, label, expiresAt, status, createdAt, retiredAt }: Key): RegisteredKey {
  // Only what parsePublicJwk returned is ever stored.
  return { kid, jwk: jwk as PublicJwk, label, expiresAt, status, createdAt, retiredAt }
}
