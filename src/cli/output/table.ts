import { stripVTControlCharacters } from 'node:util'

const GAP = '  '
/** Narrower than this no column is made. Unit: characters. */
const MIN_WIDTH = 6

/**
 * Lines of a table: a heading, then the rows, columns as wide as their longest cell.
 *
 * @param width the columns of the terminal: what does not fit is cut, with `…`, in the widest columns first. Absent: nothing is cut.
 */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], width?: number): string[] {
  const all = [headings, ...rows]
  const widths = headings.map((_, column) => Math.max(...all.map((row) => lengthOf(row[column] ?? ''))))
  if (width !== undefined) shrink(widths, width - GAP.length * (widths.length - 1))
  return all.map((row) =>
    row
      .map((cell, column) => pad(cut(cell, widths[column] ?? 0), widths[column] ?? 0))
      .join(GAP)
      .trimEnd(),
  )
}

const lengthOf = (cell: string) => Array.from(stripVTControlCharacters(cell)).length
const pad = (cell: string, width: number) => cell + ' '.repeat(Math.max(0, width - lengthOf(cell)))

function cut(cell: string, width: number): string {
  if (lengthOf(cell) <= width) return cell
  // A cut cell loses its colour: half an escape sequence would colour the rest of the screen.
  return `${Array.from(stripVTControlCharacters(cell))
    .slice(0, width - 1)
    .join('')}…`
}

function shrink(widths: number[], available: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) - available
  while (excess > 0) {
    const widest = Math.max(...widths)
    if (widest <= MIN_WIDTH) return
    widths[widths.indexOf(widest)] = widest - 1
    excess--
  }
}
