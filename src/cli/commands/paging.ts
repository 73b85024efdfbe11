import type { Command } from 'commander'
import { parseWhole } from '../input/parse-when.ts'

/** What every list understands. */
export interface PagingOptions {
  readonly limit?: number
  readonly all?: boolean
  readonly cursor?: string
}

const DEFAULT_COUNT = 50

/** Declares the options of a list. */
export const addPaging = (command: Command): Command =>
  command
    .option('-n, --limit <n>', `how many (default: ${DEFAULT_COUNT})`, parseWhole(1, 100_000))
    .option('--all', 'all of them')
    .option('--cursor <cursor>', 'go on where an earlier list ended (its "next_cursor" in --json)')

/** How many items are wanted. */
export const countOf = ({ limit, all }: PagingOptions): number =>
  all ? Number.POSITIVE_INFINITY : (limit ?? DEFAULT_COUNT)
