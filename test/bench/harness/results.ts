import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { type Figure, goalText, judge, type Series } from './bench.ts'

/** What one bench came to, and when. */
export interface BenchResult {
  readonly name: string
  readonly what: string
  readonly at: string
  readonly figures: readonly Figure[]
  readonly series: readonly Series[]
  /** Why there are no figures. */
  readonly cannotRun?: string
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly node: string
  readonly platform: string
  readonly postgres: string
  /** The revision that was measured. */
  readonly revision: string
}

export interface Results {
  readonly machine: Machine
  readonly results: readonly BenchResult[]
}

export const RESULTS_FILE = 'bench-results.json'

export function readResults(): Results | undefined {
  return existsSync(RESULTS_FILE) ? (JSON.parse(readFileSync(RESULTS_FILE, 'utf8')) as Results) : undefined
}

/** Writes what was measured now over what was measured before; benches that were not run keep their figures. */
export function writeResults(machine: Machine, results: readonly BenchResult[]): void {
  const isNew = new Set(results.map(({ name }) => name))
  const kept = readResults()?.results.filter(({ name }) => !isNew.has(name)) ?? []
  writeFileSync(RESULTS_FILE, `${JSON.stringify({ machine, results: [...kept, ...results] }, null, 2)}\n`)
}

export function describeMachine(postgres: string, revision: string): Machine {
  const [first] = cpus()
  return {
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    postgres,
    revision,
  }
}

/** One row of the table for each figure. */
export function tableRows(results: readonly BenchResult[]): readonly Record<string, string>[] {
  return results.flatMap(({ name, figures, cannotRun }) =>
    cannotRun === undefined
      ? figures.map(row)
      : [
          {
            figure: name,
            measured: '',
            goal: '',
            stretch: '',
            spread: '',
            noise: '',
            verdict: `cannot run: ${cannotRun}`,
          },
        ],
  )
}

function row(figure: Figure): Record<string, string> {
  const { name, value, unit, goal, stretch, spread, noise } = figure
  return {
    figure: name,
    measured: `${number(value)} ${unit}`.trim(),
    goal: goalText(goal),
    stretch: goalText(stretch),
    spread: spread === undefined ? '' : `${number(spread[0])}–${number(spread[1])}`,
    noise: noise === undefined ? '' : `${(noise * 100).toFixed(1)} %`,
    verdict: judge(figure),
  }
}

/** Four digits are more than any of these numbers is good for. */
const number = (value: number) => (Math.abs(value) >= 1_000 ? value.toFixed(0) : String(Number(value.toPrecision(4))))

/** What a run of all benches comes to. */
export const isAllMet = (results: readonly BenchResult[]): boolean =>
  results.every(
    ({ figures, cannotRun }) => cannotRun === undefined && figures.every((figure) => judge(figure) !== 'missed'),
  )
