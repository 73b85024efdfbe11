import { z } from 'zod'
import { CliError, EXIT } from '../cli-error.ts'
import type { AdminApi } from './admin-api.ts'

/** What one request may ask for at most. */
const MAX_PAGE = 200

export type Item = Readonly<Record<string, unknown>>

const Page = z.object({ items: z.array(z.record(z.string(), z.unknown())), next_cursor: z.string().optional() })

export interface Listing {
  readonly items: readonly Item[]
  /** Where the list goes on; absent at its end. */
  readonly nextCursor?: string
}

/** Reads a list, page by page, until there are `count` items or it ends. */
export async function readPages(
  api: AdminApi,
  path: string,
  request: {
    readonly filters?: Readonly<Record<string, string | undefined>>
    readonly count: number
    readonly cursor?: string | undefined
  },
): Promise<Listing> {
  const items: Item[] = []
  let cursor = request.cursor
  while (items.length < request.count) {
    const limit = String(Math.min(MAX_PAGE, request.count - items.length))
    const page = Page.safeParse(await api.ask('GET', path, { query: { ...request.filters, limit, cursor } }))
    if (!page.success) throw new CliError(EXIT.unreachable, 'the answer is no list', { where: path })
    items.push(...page.data.items)
    cursor = page.data.next_cursor
    if (cursor === undefined) return { items }
  }
  return cursor === undefined ? { items } : { items, nextCursor: cursor }
}
