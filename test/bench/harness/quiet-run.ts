import { type Bench, CannotRun, Discarded, type Size } from './bench.ts'
import type { BenchResult } from './results.ts'

/** Runs of one bench before the machine is said to be too busy. */
const ATTEMPTS = 3

/**
 * Runs a bench; a run in which the reference differs from itself by more than a tenth is discarded and repeated.
 *
 * @throws when every attempt was discarded, or anything came out wrong.
 */
export async function quietRun(bench: Bench, size: Size, say: (line: string) => void): Promise<BenchResult> {
  const about = { name: bench.name, what: bench.what, at: new Date().toISOString() }
  for (let attempt = 1; ; attempt++) {
    try {
      const { figures, series = [] } = await bench.run({ size, progress: (line) => say(`  ${line}`) })
      return { ...about, figures, series }
    } catch (error) {
      if (error instanceof CannotRun) return { ...about, figures: [], series: [], cannotRun: error.message }
      if (!(error instanceof Discarded)) throw error
      if (attempt === ATTEMPTS) throw new Error(`${error.message} in ${ATTEMPTS} runs: this machine is too busy`)
      say(`  discarded: ${error.message}`)
    }
  }
}
