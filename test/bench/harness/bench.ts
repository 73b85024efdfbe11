/** A workload with goals; `npm run bench -- <name>` runs it alone. */
export interface Bench {
  readonly name: string
  /** One line: what is run against what. */
  readonly what: string
  readonly run: (context: BenchContext) => Promise<BenchOutcome>
}

export interface BenchContext {
  readonly size: Size
  /** Takes a line of progress. */
  readonly progress: (line: string) => void
}

/** How much is run. A smoke run only shows that a bench works. */
export interface Size {
  readonly isSmoke: boolean
  /** Rounds of an interleaved run that count. */
  readonly rounds: number
  /** Rounds before them: code that ran a few thousand times is not yet as fast as it will be. */
  readonly warmUpRounds: number
  /** As many as are needed, or as few as show that it works. */
  readonly count: (full: number) => number
  /** Unit: seconds. */
  readonly seconds: (full: number) => number
  /** Agents (and as many delegations) of scale.rows, in the order in which they are compared; the first is the reference. */
  readonly rows: readonly number[]
  /** Records in the largest database of scale.rows; ten for each agent in the others. */
  readonly records: number
}

export interface BenchOutcome {
  readonly figures: readonly Figure[]
  /** For plots. */
  readonly series?: readonly Series[]
}

/** One measured number and what it should be. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: '×' | 'µs' | 'ms' | 'MB' | 'B' | ''
  /** The goal of the design; a figure without one is only told. */
  readonly goal?: Goal
  readonly stretch?: Goal
  /** Smallest and largest value of a round. */
  readonly spread?: readonly [number, number]
  /** How far the reference was from itself, as a share. */
  readonly noise?: number
  /** What stands behind the number, in words. */
  readonly detail?: string
}

export type Goal = { readonly atMost: number } | { readonly atLeast: number }

export interface Series {
  readonly name: string
  readonly x: string
  readonly y: string
  readonly lines: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[]
}

/** The bench needs something that this build does not have. */
export class CannotRun extends Error {
  override readonly name = 'CannotRun'
}

/** The run says nothing: the machine was too busy with something else. */
export class Discarded extends Error {
  override readonly name = 'Discarded'
}

export type Verdict = 'met' | 'stretch' | 'missed' | 'told'

export function judge({ value, goal, stretch }: Pick<Figure, 'value' | 'goal' | 'stretch'>): Verdict {
  if (goal !== undefined && !isMet(goal, value)) return 'missed'
  if (stretch !== undefined && isMet(stretch, value)) return 'stretch'
  return goal === undefined ? 'told' : 'met'
}

// Written so that NaN meets nothing.
const isMet = (goal: Goal, value: number) => ('atMost' in goal ? value <= goal.atMost : value >= goal.atLeast)

export const goalText = (goal: Goal | undefined): string =>
  goal === undefined ? '' : 'atMost' in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`
