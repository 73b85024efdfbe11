import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { median } from './harness/statistics.ts'
import { startMinting } from './ours/minting.ts'

const ROUNDS = 9
const REQUESTS = 3_000
const WARM_UP_ROUNDS = 2

/**
 * Compares an earlier revision with this one: `npm run bench -- --against <revision>`.
 *
 * Both builds mint (mint.http.pkjwt) in turns; the old one against itself is the run's own noise.
 *
 * @returns whether this one is no dearer than the noise.
 */
export async function benchAgainst(revision: string, progress: (line: string) => void): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-against-'))
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim()
  let stop = async () => rmSync(folder, { recursive: true, force: true })
  try {
    const commit = git('rev-parse', '--short', `${revision}^{commit}`)
    progress(`building ${commit} …`)
    git('clone', '--quiet', '--no-hardlinks', resolve('.'), folder)
    git('-C', folder, 'checkout', '--quiet', commit)
    execFileSync(process.execPath, ['scripts/setup.mjs'], { cwd: folder, stdio: 'ignore' })
    const servers: { readonly stop: () => Promise<void> }[] = []
    stop = async () => {
      for (const server of servers) await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
    const [older, newer] = [await startMinting({ root: folder }), await startMinting()]
    servers.push(older, newer)

    const cost = async ({ mint }: typeof older) => (await mint(REQUESTS)).cpuMicroseconds
    const rounds: { readonly ratio: number; readonly noise: number }[] = []
    // One after the other, so that neither rests for longer: a process that rests is slower for a while.
    let before = await cost(older)
    for (let round = 1 - WARM_UP_ROUNDS; round <= ROUNDS; round++) {
      const [own, after] = [await cost(newer), await cost(older)]
      const old = (before + after) / 2
      const noise = Math.abs(after - before) / old
      before = after
      if (round < 1) continue
      rounds.push({ ratio: own / old, noise })
      const [a, b] = [old.toFixed(0), own.toFixed(0)]
      progress(`round ${round} of ${ROUNDS}: ${commit} ${a} µs, this ${b} µs, ratio ${(own / old).toFixed(3)}`)
    }
    const ratios = rounds.map(({ ratio }) => ratio)
    const [ratio, noise] = [median(ratios), median(rounds.map((round) => round.noise))]
    const isUnchanged = ratio <= 1 + noise
    console.table([
      {
        bench: `mint.http.pkjwt, this ÷ ${commit}`,
        ratio: ratio.toFixed(3),
        spread: `${Math.min(...ratios).toFixed(3)}–${Math.max(...ratios).toFixed(3)}`,
        [`${commit} against itself`]: `${(noise * 100).toFixed(1)} %`,
        'no dearer than the noise': isUnchanged ? 'yes' : 'no',
      },
    ])
    return isUnchanged
  } finally {
    await stop()
  }
}
