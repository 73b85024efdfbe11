import type { InstanceStore, RegisteredInstance } from '../../../admin-ports.ts'
import type { PublicJwk } from '../../../core/agent/client.ts'
import type { Key } from '../generated/client.ts'
import type { TransactionClient } from './transaction-client.ts'

/** Keys under agents that a registered key vouched for. They are added where they are attested (attestations.ts). */
export function instanceStore(client: TransactionClient): InstanceStore {
  return {
    find: async (ownerId, kid) => {
      const row = await client.key.findUnique({ where: { kid, ownerId, vouchedBy: { not: null } } })
      return row === null ? undefined : toInstance(row)
    },
    page: async (ownerId, { inForceAt }, { after, limit: take }) => {
      const where = {
        ...{ ownerId, vouchedBy: { not: null } },
        ...(inForceAt !== undefined && { status: 'active' as const, expiresAt: { gt: inForceAt } }),
        ...(after !== undefined && { kid: { gt: after } }),
      }
      return (await client.key.findMany({ where, orderBy: { kid: 'asc' }, take })).map(toInstance)
    },
    stop: async (kid, now) => {
      await client.key.update({ where: { kid }, data: { status: 'retired', retiredAt: now } })
    },
  }
}

function toInstance({ kid, jwk, vouchedBy, createdAt, expiresAt, retiredAt }: Key): RegisteredInstance {
  if (vouchedBy === null || expiresAt === null) throw new Error('an instance has a voucher and an end')
  return { kid, jwk: jwk as PublicJwk, vouchedBy, createdAt, expiresAt, stoppedAt: retiredAt }
}
