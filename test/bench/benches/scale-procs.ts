import type { Bench } from '../harness/bench.ts'
import { costFigure, interleave } from '../harness/interleave.ts'
import { measure, mintRequests, startMinting } from '../ours/minting.ts'
import { countDoubleAccepts, type Pair, startPair } from '../ours/pair.ts'

const REQUESTS = 3_000
const DOUBLE_ACCEPTS_OF = 20_000

/** What a second process on the same database costs, and whether the two ever accept the same thing. */
export const SCALE_PROCS: Bench = {
  name: 'scale.procs',
  what: 'two processes on one database, against one; and what both of them accepted',
  run: async ({ size, progress }) => {
    const alone = await startMinting({ isPinnable: false })
    let pair: Pair | undefined
    try {
      pair = await startPair()
      const { servers, world, minter } = pair
      const count = size.count(REQUESTS)
      const both = async () => {
        const halves = await Promise.all(
          servers.map(({ process, target }) => measure(process, target, mintRequests(world, count / 2, minter))),
        )
        return {
          cpuMicroseconds: halves.reduce((sum, half) => sum + half.cpuMicroseconds, 0) / halves.length,
          requestsPerSecond: halves.reduce((sum, half) => sum + half.requestsPerSecond, 0),
        }
      }
      const comparison = await interleave(size, () => alone.mint(count), { two: both }, progress)
      const { double } = await countDoubleAccepts(pair, size.count(DOUBLE_ACCEPTS_OF), progress)
      return {
        figures: [
          costFigure('scale.procs CPU of two', comparison, 'two', { goal: 1.1 }),
          { name: 'scale.procs double accepts', value: double, unit: '', goal: { atMost: 0 } },
        ],
      }
    } finally {
      await pair?.stop()
      await alone.stop()
    }
  },
}
