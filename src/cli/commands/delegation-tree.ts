import type { Command } from 'commander'
import { z } from 'zod'
import { visible } from '../../core/visible.ts'
import { act, examples } from '../cli.ts'
import { CliError, EXIT } from '../cli-error.ts'
import { readPages } from '../connection/pages.ts'
import { drawTree, ShownNode } from '../explain/draw-tree.ts'
import type { Io } from '../io.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'

/** `writ delegations tree`. */
export function addTree(group: Command, io: Io): void {
  const tree = addPaging(group.command('tree <id>').summary('draw what was given on from a delegation'))
  tree.description(
    'Draws a delegation and everything that was given on from it: which agent, its state, its end, its bounds. ' +
      'What ends one of them ends everything below it.',
  )
  examples(tree, [['writ delegations tree dlg_0199…'], ['writ delegations tree dlg_0199… --all --json']])
  act(tree, io, async (cli, id: string, options: PagingOptions) => {
    const path = `/admin/delegations/${encodeURIComponent(id)}/tree`
    const { items, nextCursor } = await readPages(await cli.api(), path, { ...options, count: countOf(options) })
    const nodes = z.array(ShownNode).safeParse(items)
    if (!nodes.success) throw new CliError(EXIT.unreachable, 'the answer is no tree of delegations', { where: path })
    cli.print({ items, ...(nextCursor !== undefined && { next_cursor: nextCursor }) }, () => [
      ...drawTree(nodes.data, { paint: cli.paint, now: io.now() }),
      ...(nextCursor === undefined
        ? []
        : [cli.paint('dim', `There are more: --all for all, --cursor ${visible(nextCursor)} to go on.`)]),
    ])
  })
}
