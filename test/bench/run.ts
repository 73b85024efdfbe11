import { execFileSync } from 'node:child_process'
import { benchAgainst } from './against.ts'
import { BENCHES } from './benches.ts'
import { benchControl } from './control.ts'
import { flame } from './flame.ts'
import type { Bench, Size } from './harness/bench.ts'
import { pinGenerator, stopMeasured } from './harness/measured-process.ts'
import { type BenchResult, describeMachine, isAllMet, tableRows, writeResults } from './harness/results.ts'
import { runBench } from './harness/run-bench.ts'
import { fullSize } from './harness/size.ts'
import { dropBenchDatabases, onServer } from './ours/bench-database.ts'
import { countDoubleAccepts, startPair } from './ours/pair.ts'
import { removeFolders } from './ours/start-server.ts'
import { report } from './report/report.ts'
import { smoke } from './smoke.ts'

const say = (line: string) => console.error(line)

interface Subcommand {
  readonly usage: string
  readonly what: string
  readonly run: (args: readonly string[]) => Promise<void>
}

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  help: { usage: 'help', what: 'this text', run: async () => console.log(helpText()) },
  smoke: {
    usage: 'smoke',
    what: 'every bench with a tiny count and without a verdict',
    run: (names) => smoke(chosen(names)),
  },
  report: {
    ...{ usage: 'report', what: 'bench-results.json into docs/performance.md, with its plots' },
    run: async () => console.log(`written: ${report(BENCHES.map(({ name }) => name)).join(', ')}`),
  },
  flame: {
    ...{ usage: 'flame <bench> <svg> [build]', what: 'where the CPU of our side goes; of a build in another folder' },
    run: ([name = '', out = '', build]) => flame(chosen([name])[0] as Bench, out, build, say),
  },
  'double-accepts': {
    ...{ usage: 'double-accepts [count]', what: '1 % replays at two processes at once: how many both accept' },
    run: doubleAccepts,
  },
  control: { usage: 'control', what: 'what limits and chains cost', run: () => benchControl(say) },
  '--against': { usage: '--against <revision>', what: 'this build against an earlier one', run: against },
}

/** `npm run bench -- …`; docs/performance.md says how to read what comes out. */
async function main([first = '', ...rest]: readonly string[]): Promise<void> {
  process.env.TEST_DATABASE_URL ||= 'postgresql://postgres@127.0.0.1:5432/postgres'
  const subcommand = Object.hasOwn(SUBCOMMANDS, first) ? SUBCOMMANDS[first] : undefined
  if (subcommand !== undefined) return subcommand.run(rest)
  const { names, size } = readArguments([first, ...rest].filter((text) => text !== ''))
  await measureAll(chosen(names), size)
}

const OPTIONS = {
  '--rounds': 'rounds of each interleaved run (default 7)',
  '--rows': 'agents of scale.rows, such as 100,10000,1000000',
  '--records': 'records in its largest database (default 10000000)',
} as const

function readArguments(args: readonly string[]): { readonly names: readonly string[]; readonly size: Size } {
  const names: string[] = []
  const options: Record<string, number[]> = {}
  for (let i = 0; i < args.length; i++) {
    const text = args[i] as string
    if (!text.startsWith('--')) {
      names.push(text)
      continue
    }
    const numbers = (args[++i] ?? '').split(',').map(Number)
    if (!Object.hasOwn(OPTIONS, text) || !numbers.every((n) => Number.isSafeInteger(n) && n > 0)) {
      throw new Error(`"${text}" is no option, or its value is no number; "npm run bench -- help" lists all`)
    }
    options[text] = numbers
  }
  const [rounds, records, rows] = [options['--rounds']?.[0], options['--records']?.[0], options['--rows']]
  return { names, size: fullSize({ ...(rounds && { rounds }), ...(records && { records }), ...(rows && { rows }) }) }
}

function chosen(names: readonly string[]): readonly Bench[] {
  const unknown = names.filter((name) => !BENCHES.some((bench) => bench.name === name))
  if (unknown.length > 0) throw new Error(`no such bench: ${unknown.join(', ')}; "npm run bench -- help" lists all`)
  return names.length === 0 ? BENCHES : BENCHES.filter(({ name }) => names.includes(name))
}

let isInterrupted = false

/** Measures, prints the table, writes bench-results.json, and fails where a goal is missed. */
async function measureAll(benches: readonly Bench[], size: Size): Promise<void> {
  pinGenerator()
  const results: BenchResult[] = []
  for (const bench of benches) {
    say(`${bench.name}: ${bench.what}`)
    const result = await runBench(bench, size, say).catch((error: unknown) => failed(bench, error))
    // What was cut off came to nothing, and takes the place of no earlier figures.
    if (isInterrupted) return
    for (const { name, detail } of result.figures) if (detail !== undefined) say(`  ${name}: ${detail}`)
    results.push(result)
    writeResults(await machine(), results)
  }
  console.table(tableRows(results))
  say('written: bench-results.json')
  if (!isAllMet(results)) process.exitCode = 1
}

/** A bench that came out wrong does not keep the others from being measured. */
function failed({ name, what }: Bench, error: unknown): BenchResult {
  console.error(error)
  const cannotRun = error instanceof Error ? error.message : String(error)
  return { name, what, at: new Date().toISOString(), figures: [], series: [], cannotRun }
}

async function doubleAccepts([count = '1000000']: readonly string[]): Promise<void> {
  const pair = await startPair()
  try {
    const { sent, replayed, double } = await countDoubleAccepts(pair, Number(count), say)
    console.log(`${sent} exchanges, ${replayed} of them sent to two processes at once: ${double} accepted twice`)
    if (double > 0) process.exitCode = 1
  } finally {
    await pair.stop()
  }
}

async function against([revision]: readonly string[]): Promise<void> {
  if (revision === undefined) throw new Error('--against needs a git revision')
  pinGenerator()
  if (!(await benchAgainst(revision, say))) process.exitCode = 1
}

async function machine() {
  const postgres = await onServer(async (client) => (await client.query('SHOW server_version')).rows[0].server_version)
  return describeMachine(
    postgres,
    execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim(),
  )
}

function helpText(): string {
  const list = (entries: readonly (readonly [string, string])[]) =>
    entries.map(([name, what]) => `  ${name.padEnd(28)} ${what}`).join('\n')
  return [
    'npm run bench -- [bench …] [options]     all benches, or those that are named',
    'npm run bench -- <subcommand>',
    '',
    `benches\n${list(BENCHES.map(({ name, what }) => [name, what]))}`,
    '',
    `options\n${list(Object.entries(OPTIONS))}`,
    '',
    `subcommands\n${list(Object.values(SUBCOMMANDS).map(({ usage, what }) => [usage, what]))}`,
  ].join('\n')
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    isInterrupted = true
    process.exitCode = 1
    await stopMeasured().then(dropBenchDatabases).then(removeFolders)
    process.exit(1)
  })
}
main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error && process.env.DEBUG === undefined ? error.stack : error)
  process.exit(1)
})
