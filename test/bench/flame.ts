import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bench } from './harness/bench.ts'
import { pinGenerator } from './harness/measured-process.ts'
import { runBench } from './harness/run-bench.ts'
import { fullSize } from './harness/size.ts'
import { flameGraph, frames } from './report/flame-graph.ts'

const ROUNDS = 3

/**
 * Runs a bench with a profiler in our processes, and draws what it saw of the busiest one.
 *
 * @param build the folder of another build, made by its `npm run setup`; default: this one.
 */
export async function flame(
  bench: Bench,
  out: string,
  build: string | undefined,
  say: (line: string) => void,
): Promise<void> {
  if (!out.endsWith('.svg')) throw new Error('flame needs a bench and the name of an .svg file')
  const folder = mkdtempSync(join(tmpdir(), 'writ-profile-'))
  try {
    process.env.BENCH_PROFILE = folder
    if (build !== undefined) process.env.BENCH_ROOT = build
    pinGenerator()
    await runBench(bench, fullSize({ rounds: ROUNDS }), say)
    const profiles = readdirSync(folder).map((file) => frames(JSON.parse(readFileSync(join(folder, file), 'utf8'))))
    const [busiest] = profiles.sort((a, b) => b.total - a.total)
    if (busiest === undefined) throw new Error(`${bench.name} runs no process of ours that can be profiled`)
    writeFileSync(out, flameGraph(busiest, `${bench.name}: ${(busiest.total / 1e6).toFixed(1)} s on the CPU`))
    console.log(`written: ${out}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
