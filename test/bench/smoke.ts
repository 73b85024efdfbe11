import type { Bench } from './harness/bench.ts'
import { runBench } from './harness/run-bench.ts'
import { SMOKE } from './harness/size.ts'
import { shareServers } from './ours/start-server.ts'

/** Benches at once: nothing is measured. */
const LANES = 4

/** Runs every bench with a tiny count and without a verdict, to show that each of them works. */
export async function smoke(benches: readonly Bench[]): Promise<void> {
  const waiting = [...benches]
  const lane = async () => {
    for (let bench = waiting.shift(); bench !== undefined; bench = waiting.shift()) {
      const begun = performance.now()
      const { cannotRun } = await runBench(bench, SMOKE, () => {})
      const took = `${((performance.now() - begun) / 1_000).toFixed(1)} s`
      console.log(`${bench.name} ${cannotRun === undefined ? 'runs' : `cannot run: ${cannotRun}`} (${took})`)
    }
  }
  const stop = shareServers()
  await Promise.all(Array.from({ length: LANES }, lane)).finally(stop)
}
