import type { Charge } from './core/delegation/charge.ts'
import type { Remaining } from './core/delegation/remaining.ts'

/** What is left of limits at the moment of reading. Counting changes no version of what they are limits of. */
export interface Counting {
  /** Only where there are limits. */
  readonly remaining?: Remaining
}

export interface CounterReader {
  /** What still counts at the rule of each charge, in their order: decimal strings. Nothing is counted by asking. */
  readonly used: (charges: readonly Charge[]) => Promise<readonly string[]>
}
