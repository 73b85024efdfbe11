import { writeFileSync } from 'node:fs'
import { benchAgainst } from './against.ts'
import { benchControl } from './control.ts'
import type { Comparison } from './interleave.ts'
import { mintHttpPrivateKeyJwt } from './mint-http-pkjwt.ts'

/** Above this the limit disagreed with itself, and the run says nothing. */
const MAX_LIMIT_NOISE = 0.1
const ATTEMPTS = 3

interface Bench {
  readonly name: string
  readonly what: string
  /** Smallest ratio that meets the goal. */
  readonly goal: number
  readonly run: (progress: (line: string) => void) => Promise<Comparison>
}

const BENCHES: readonly Bench[] = [
  {
    name: 'mint.http.pkjwt',
    what: 'exchange with private_key_jwt and DPoP on PostgreSQL, against 2v1s',
    goal: 0.7,
    run: mintHttpPrivateKeyJwt,
  },
]

/**
 * Runs the benches that are named, or all; prints a table, writes bench-results.json, and fails where a goal is missed.
 * `--against <revision>` compares with an earlier build instead; `control` tells what limits and chains cost.
 */
async function main(names: readonly string[]): Promise<void> {
  process.env.TEST_DATABASE_URL ||= 'postgresql://postgres@127.0.0.1:5432/postgres'
  const [first, revision] = names
  if (first === '--against') {
    if (revision === undefined) throw new Error('--against needs a git revision')
    if (!(await benchAgainst(revision, (line) => console.error(line)))) process.exitCode = 1
    return
  }
  if (first === 'control') return benchControl((line) => console.error(line))
  const chosen = BENCHES.filter(({ name }) => names.length === 0 || names.includes(name))
  if (chosen.length === 0) throw new Error(`no such bench; there are: ${BENCHES.map(({ name }) => name).join(', ')}`)
  const results = []
  for (const bench of chosen) {
    console.error(`${bench.name}: ${bench.what}`)
    results.push({ ...bench, comparison: await quietRun(bench) })
  }
  console.table(
    results.map(({ name, goal, comparison: { ratio, spread, limitNoise } }) => ({
      bench: name,
      ratio: ratio.toFixed(3),
      goal: `≥ ${goal}`,
      spread: `${spread[0].toFixed(3)}–${spread[1].toFixed(3)}`,
      'limit against itself': `${(limitNoise * 100).toFixed(1)} %`,
      met: ratio >= goal ? 'yes' : 'no',
    })),
  )
  const machine = { node: process.version, platform: `${process.platform} ${process.arch}` }
  writeFileSync(
    'bench-results.json',
    `${JSON.stringify({ at: new Date().toISOString(), machine, results }, null, 2)}\n`,
  )
  console.error('written: bench-results.json')
  if (results.some(({ goal, comparison }) => !(comparison.ratio >= goal))) process.exitCode = 1
}

/** A run in which the limit differs from itself by more than a tenth is discarded and repeated. */
async function quietRun(bench: Bench): Promise<Comparison> {
  for (let attempt = 1; ; attempt++) {
    const comparison = await bench.run((line) => console.error(`  ${line}`))
    if (comparison.limitNoise <= MAX_LIMIT_NOISE) return comparison
    const noise = `the limit differed from itself by ${(comparison.limitNoise * 100).toFixed(1)} %`
    if (attempt === ATTEMPTS) throw new Error(`${noise} in ${ATTEMPTS} runs: this machine is too busy to measure on`)
    console.error(`  discarded: ${noise}`)
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
