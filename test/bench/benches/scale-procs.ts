import type { Bench, Size } from '../harness/bench.ts'
import { costFigure, interleave, type Sample } from '../harness/interleave.ts'
import { type Measured, measure, mintRequests, startMinting } from '../ours/minting.ts'
import { countDoubleAccepts, type Pair, startPair } from '../ours/pair.ts'
import { type OtherServer, startLimit } from '../servers/limit.ts'

const REQUESTS = 3_000
const DOUBLE_ACCEPTS_OF = 20_000
/** Of an answer of ours, about. */
const RESPONSE_BYTES = 1_500

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
      const both = () => together(servers, (server) => measureHalf(server, world, minter, count))
      const comparison = await interleave(size, () => alone.mint(count), { two: both }, progress)
      const machine = await twoLimits(pair, size, progress)
      const { double } = await countDoubleAccepts(pair, size.count(DOUBLE_ACCEPTS_OF), progress)
      return {
        figures: [
          costFigure('scale.procs CPU of two', comparison, 'two', { goal: 1.1 }),
          // What two processes that share nothing cost each other here: that much of it is the machine's.
          costFigure('scale.procs CPU of two that share nothing', machine, 'two', {}),
          { name: 'scale.procs double accepts', value: double, unit: '', goal: { atMost: 0 } },
        ],
      }
    } finally {
      await pair?.stop()
      await alone.stop()
    }
  },
}

/** Limit servers, which know of no database: two at once, against one. */
async function twoLimits({ world, minter }: Pair, size: Size, progress: (line: string) => void) {
  const limits: OtherServer[] = []
  try {
    const options = { verifies: 2, signs: 1, responseBytes: RESPONSE_BYTES, isPinnable: false }
    const first = await startLimit(options)
    limits.push(first)
    limits.push(await startLimit(options))
    const count = size.count(REQUESTS)
    return await interleave(
      size,
      () => measure(first.process, first.target, mintRequests(world, count, minter)),
      { two: () => together(limits, (limit) => measureHalf(limit, world, minter, count)) },
      progress,
    )
  } finally {
    for (const limit of limits) await limit.stop()
  }
}

const measureHalf = (
  { process, target }: Pick<OtherServer, 'process' | 'target'>,
  world: Pair['world'],
  minter: Pair['minter'],
  count: number,
) => measure(process, target, mintRequests(world, Math.ceil(count / 2), minter))

/** Several at once: what a request cost, on average, and what came of all of them in a second. */
async function together<Server>(
  servers: readonly Server[],
  turn: (server: Server) => Promise<Measured>,
): Promise<Sample> {
  const parts = await Promise.all(servers.map(turn))
  return {
    cpuMicroseconds: parts.reduce((sum, part) => sum + part.cpuMicroseconds, 0) / parts.length,
    requestsPerSecond: parts.reduce((sum, part) => sum + part.requestsPerSecond, 0),
  }
}
