import { type Bench, CannotRun, type Size } from './bench.ts'
import type { BenchResult } from './results.ts'

/** Runs a bench; of one that cannot run here it is said why. @throws when anything came out wrong. */
export async function runBench(bench: Bench, size: Size, say: (line: string) => void): Promise<BenchResult> {
  const about = { name: bench.name, what: bench.what, at: new Date().toISOString() }
  try {
    const { figures, series = [] } = await bench.run({ size, progress: (line) => say(`  ${line}`) })
    return { ...about, figures, series }
  } catch (error) {
    if (error instanceof CannotRun) return { ...about, figures: [], series: [], cannotRun: error.message }
    throw error
  }
}
