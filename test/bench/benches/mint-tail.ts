import { type Bench, CannotRun, type Figure, type Series, type Size } from '../harness/bench.ts'
import { closedLoop } from '../harness/closed-loop.ts'
import type { RawRequest, Target } from '../harness/connection.ts'
import { openLoop } from '../harness/open-loop.ts'
import { median, quantile, seededRandom, span } from '../harness/statistics.ts'
import { attested, offersAttestation } from '../ours/attestation.ts'
import { mintRequests, startMinting } from '../ours/minting.ts'
import { startLimit } from '../servers/limit.ts'

const LOAD = 0.7
/** Of each side, over all rounds. */
const SECONDS = 60
const WARM_UP = 3_000
const MAXIMUM_OF = 6_000
const MANY_IN_FLIGHT = 64
const LOADS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
const SECONDS_A_LOAD = 4

/** One side of the comparison, at a rate of its own. */
interface Loaded {
  readonly target: Target
  /** Requests a second when it is never idle. */
  readonly maximum: number
  readonly make: (count: number) => readonly RawRequest[]
}

/** How long a mint takes when others are under way: what an agent waits for, not what a server spends. */
export const MINT_TAIL: Bench = {
  name: 'mint.tail',
  what: 'latency at 70 % of the maximum, Poisson arrivals, against a limit that awaits one grouped INSERT',
  run: async ({ size, progress }) => {
    const ours = await startMinting()
    const stops = [ours.stop]
    try {
      const { world, database, target } = ours
      if (database === undefined) throw new CannotRun('mint.tail needs PostgreSQL')
      const isAttested = await offersAttestation(world.issuer)
      const minter = isAttested ? await attested(world, ours.minter) : ours.minter
      const make = (count: number) => mintRequests(world, count, minter)
      const { bodies } = await ours.mint(16, { minter })
      const limit = await startLimit({
        ...{ verifies: isAttested ? 1 : 2, signs: 1, databaseUrl: database.url },
        responseBytes: Buffer.byteLength(bodies[0] ?? ''),
      })
      stops.push(limit.stop)
      const sides = {
        limit: await loaded(limit.target, make, size),
        ours: await loaded(target, make, size),
      }
      progress(`at its maximum: limit ${sides.limit.maximum.toFixed(0)}/s, ours ${sides.ours.maximum.toFixed(0)}/s`)

      const seconds = size.seconds(SECONDS) / size.rounds
      const turn = (side: Loaded, n: number) => latencies(side, LOAD, seconds, n)
      const [ratios, noises, all] = [[] as number[], [] as number[], [] as number[]]
      let before = quantile(await turn(sides.limit, 0), 0.99)
      for (let round = 1; round <= size.rounds; round++) {
        const own = await turn(sides.ours, 2 * round)
        const after = quantile(await turn(sides.limit, 2 * round + 1), 0.99)
        const p99 = quantile(own, 0.99)
        const around = (before + after) / 2
        ratios.push(p99 / around)
        noises.push(Math.abs(after - before) / around)
        for (const latency of own) all.push(latency)
        progress(`round ${round} of ${size.rounds}: p99 limit ${around.toFixed(2)} ms, ours ${p99.toFixed(2)} ms`)
        before = after
      }
      const figures: Figure[] = [
        {
          ...{ name: 'mint.tail p99, in that of the limit', value: median(ratios), unit: '×', goal: { atMost: 1.5 } },
          ...{ spread: span(ratios), noise: median(noises) },
          detail: `${LOAD * 100} % is ${(LOAD * sides.ours.maximum).toFixed(0)}/s of ours, ${(LOAD * sides.limit.maximum).toFixed(0)}/s of the limit`,
        },
        { name: 'mint.tail p99', value: quantile(all, 0.99), unit: 'ms', stretch: { atMost: 3 } },
        { name: 'mint.tail p50', value: quantile(all, 0.5), unit: 'ms' },
      ]
      return { figures, series: [await curve(sides, size, progress)] }
    } finally {
      for (const stop of stops.reverse()) await stop()
    }
  },
}

/** Warms it up and finds how much it can do. */
async function loaded(target: Target, make: Loaded['make'], size: Size): Promise<Loaded> {
  const run = async (count: number) => {
    const { seconds, answers } = await closedLoop(target, make(count), MANY_IN_FLIGHT)
    if (answers.some(({ status }) => status !== 200)) throw new Error('a request failed')
    return count / seconds
  }
  await run(size.count(WARM_UP))
  return { target, make, maximum: await run(size.count(MAXIMUM_OF)) }
}

/** @returns latencies in ms. @throws when anything failed. */
async function latencies({ target, make, maximum }: Loaded, load: number, seconds: number, seed: number) {
  const rate = load * maximum
  const requests = make(Math.max(16, Math.round(rate * seconds)))
  const result = await openLoop(target, requests, rate, seededRandom(seed))
  if (result.failed > 0) throw new Error(`${result.failed} requests failed`)
  return result.latencies
}

/** Latency against load. */
async function curve(
  sides: { readonly limit: Loaded; readonly ours: Loaded },
  size: Size,
  progress: (line: string) => void,
): Promise<Series> {
  const lines = new Map<string, [number, number][]>()
  for (const load of size.isSmoke ? LOADS.slice(0, 2) : LOADS) {
    for (const [name, side] of Object.entries(sides)) {
      const found = await latencies(side, load, size.seconds(SECONDS_A_LOAD) / (size.isSmoke ? 4 : 1), load * 100)
      for (const [label, q] of [
        ['p50', 0.5],
        ['p99', 0.99],
      ] as const) {
        const line = lines.get(`${name} ${label}`) ?? []
        line.push([load * 100, quantile(found, q)])
        lines.set(`${name} ${label}`, line)
      }
    }
    progress(`load ${(load * 100).toFixed(0)} % done`)
  }
  return {
    ...{ name: 'latency-against-load', x: 'load (% of own maximum)', y: 'latency (ms)' },
    lines: [...lines].map(([name, points]) => ({ name, points })),
  }
}
