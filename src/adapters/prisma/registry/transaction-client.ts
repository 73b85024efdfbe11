import type { Limits } from '../../../core/delegation/limits.ts'
import { Prisma } from '../generated/client.ts'
import type { Query } from '../open-database.ts'

/** Prisma Client, or the part of it that works inside one transaction: the stores here take either. */
export type TransactionClient = Prisma.TransactionClient

/** Plain SQL inside the client's transaction. */
export const queryOn =
  (client: TransactionClient): Query =>
  <Row>(sql: string, params: readonly unknown[] = []) =>
    client.$queryRawUnsafe<Row[]>(sql, ...params)

/** Locks one row until the end of the transaction; `table` and `column` are words of ours, never input. */
export async function lockRow(
  client: TransactionClient,
  table: 'agent' | 'principal' | 'resource' | 'administrator' | 'action_type',
  id: string,
): Promise<void> {
  const column = table === 'action_type' ? 'type' : 'id'
  await client.$queryRawUnsafe(`SELECT 1 AS locked FROM "${table}" WHERE "${column}" = $1 FOR NO KEY UPDATE`, id)
}

/** Keyset paging in order of id. */
export const byId = ({ after, limit }: { readonly after: string | undefined; readonly limit: number }) => ({
  where: after === undefined ? {} : { id: { gt: after } },
  orderBy: { id: 'asc' as const },
  take: limit,
})

/** Limits as a column: NULL and not the JSON null where there are none. */
export const limitsColumn = (limits: Limits | null) => limits ?? Prisma.DbNull
