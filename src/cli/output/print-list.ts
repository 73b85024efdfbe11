import { visible } from '../../core/visible.ts'
import type { Cli } from '../cli.ts'
import type { Item, Listing } from '../connection/pages.ts'
import { text } from './fields.ts'
import { paintStatus } from './paint.ts'
import { table } from './table.ts'

/** Headings, and the member or the text of each. */
export type Columns = readonly (readonly [heading: string, cell: string | ((item: Item) => string)])[]

/** Prints a list as a table, or as the API's JSON. */
export function printList(cli: Cli, { items, nextCursor }: Listing, columns: Columns, whenEmpty: string): void {
  const json = { items, ...(nextCursor !== undefined && { next_cursor: nextCursor }) }
  cli.print(json, () => {
    if (items.length === 0) return [whenEmpty]
    const more = `There are more: --all for all, --limit for more, --cursor ${visible(nextCursor ?? '')} to go on.`
    return [...listTable(cli, items, columns), ...(nextCursor === undefined ? [] : [cli.paint('dim', more)])]
  })
}

/** The lines of the table alone. */
export function listTable(
  { io, paint }: Pick<Cli, 'io' | 'paint'>,
  items: readonly Item[],
  columns: Columns,
): string[] {
  const headings = columns.map(([heading]) => paint('bold', heading))
  const rows = items.map((item) =>
    columns.map(([, cell]) => {
      if (typeof cell === 'function') return cell(item)
      return cell === 'status' || cell === 'decision' || cell === 'state'
        ? paintStatus(paint, text(item, cell))
        : text(item, cell)
    }),
  )
  return table(headings, rows, io.isTerminal ? io.columns : undefined)
}
