import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Series } from '../harness/bench.ts'
import { type BenchResult, type Machine, RESULTS_FILE, readResults, tableRows } from '../harness/results.ts'
import { plot } from './plot.ts'

const PAGE = 'docs/performance.md'
const IMAGES = 'docs/images'

/** Writes what bench-results.json holds into the page, and draws its plots. */
export function report(order: readonly string[]): readonly string[] {
  const found = readResults()
  if (found === undefined) throw new Error(`there is no ${RESULTS_FILE}: run the benches first`)
  const results = order.flatMap((name) => found.results.filter((result) => result.name === name))
  const page = readFileSync(PAGE, 'utf8')
  const series = results.flatMap((result) => result.series)
  const parts = { machine: machineText(found.machine), results: tableText(results), plots: plotsText(series) }
  writeFileSync(
    PAGE,
    Object.entries(parts).reduce((text, [name, part]) => replaced(text, name, part), page),
  )
  if (!existsSync(IMAGES)) mkdirSync(IMAGES)
  for (const one of series) writeFileSync(imageOf(one), plot(one))
  return [PAGE, ...series.map(imageOf)]
}

const imageOf = ({ name }: Series) => `${IMAGES}/${name}.svg`

export const plotsText = (series: readonly Series[]): string =>
  series.map(({ name, x, y }) => `![${y} against ${x}](images/${name}.svg)`).join('\n\n')

/** What stands between `<!-- name -->` and `<!-- /name -->` is the run's; the rest is the writer's. */
export function replaced(page: string, name: string, text: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [from, to] = [page.indexOf(start), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${PAGE} has no place for "${name}"`)
  return `${page.slice(0, from + start.length)}\n${text.trim()}\n${page.slice(to)}`
}

export const machineText = ({ cpu, cores, memoryGb, node, platform, postgres, revision }: Machine): string =>
  `Revision ${revision}, on ${cpu} with ${cores} cores and ${memoryGb} GB, ${platform}, Node.js ${node.slice(1)}, PostgreSQL ${postgres}.`

/** Every figure with the command that gives it. */
export function tableText(results: readonly BenchResult[]): string {
  const head = ['figure', 'measured', 'goal', 'stretch', 'spread', 'noise', '', 'bench']
  const rows = results.flatMap((result) =>
    tableRows([result]).map(({ figure, measured, goal, stretch, spread, noise, verdict }) => [
      ...[figure, measured, goal, stretch, spread, noise, verdict, `\`${result.name}\``],
    ]),
  )
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
