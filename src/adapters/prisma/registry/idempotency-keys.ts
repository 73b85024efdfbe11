import type { IdempotencyClaim, IdempotencyKeys, IdempotencyRequest, StoredAnswer } from '../../../admin-ports.ts'
import { type Refusal, refuse } from '../../../core/refusal.ts'
import type { TransactionClient } from './transaction-client.ts'

const MILLISECONDS_A_DAY = 86_400_000
/** A request that has held a key for longer has died; should it still live, its completion fails and rolls it back. */
const LEASE_MILLISECONDS = 30_000

/** Keys that make a POST of the admin API safe to repeat for a day. */
export function idempotencyKeys(client: TransactionClient): IdempotencyKeys {
  const take = async (request: IdempotencyRequest, now: Date): Promise<IdempotencyClaim | undefined> => {
    const { count } = await client.idempotencyKey.createMany({
      data: [{ ...request, createdAt: now }],
      skipDuplicates: true,
    })
    return count === 1 ? { ...request, claimedAt: now } : undefined
  }
  const takeOver = async (request: IdempotencyRequest, before: Date, now: Date) => {
    const { count } = await client.idempotencyKey.updateMany({
      where: { client: request.client, key: request.key, status: null, createdAt: before },
      data: { createdAt: now },
    })
    return count === 1 ? { ...request, claimedAt: now } : undefined
  }
  return {
    claim: async (request, now) => {
      const { client: administrator, key, requestHash } = request
      await client.idempotencyKey.deleteMany({
        where: { createdAt: { lt: new Date(now.getTime() - MILLISECONDS_A_DAY) } },
      })
      const taken = await take(request, now)
      if (taken !== undefined) return taken
      const row = await client.idempotencyKey.findUnique({ where: { client_key: { client: administrator, key } } })
      // Given back between the two statements.
      if (row === null) return (await take(request, now)) ?? inProgress()
      if (row.requestHash !== requestHash) {
        return refuse('idempotency_key_reused', 'this "Idempotency-Key" belongs to another request')
      }
      if (row.status !== null) {
        return { status: row.status, body: String(row.body), location: row.location ?? undefined }
      }
      if (row.createdAt.getTime() > now.getTime() - LEASE_MILLISECONDS) return inProgress()
      return (await takeOver(request, row.createdAt, now)) ?? inProgress()
    },
    release: async ({ client: administrator, key, claimedAt }) => {
      const where = { client: administrator, key, status: null, createdAt: claimedAt }
      await client.idempotencyKey.deleteMany({ where })
    },
  }
}

/** Keeps the answer, in the transaction of the change. False: the key was taken over, so the change must not be. */
export async function completeIdempotencyKey(
  client: TransactionClient,
  { client: administrator, key, claimedAt }: IdempotencyClaim,
  { status, body, location }: StoredAnswer,
): Promise<boolean> {
  const { count } = await client.idempotencyKey.updateMany({
    where: { client: administrator, key, status: null, createdAt: claimedAt },
    data: { status, body, location: location ?? null },
  })
  return count === 1
}

const inProgress = (): Refusal<'idempotency_key_in_progress'> =>
  refuse('idempotency_key_in_progress', 'the first request with this "Idempotency-Key" is in progress')
