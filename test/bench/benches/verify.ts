import type { Bench, BenchContext, Figure } from '../harness/bench.ts'
import { costFigure, interleave } from '../harness/interleave.ts'
import { type MeasuredWorker, startWorker } from '../harness/measured-process.ts'
import { span } from '../harness/statistics.ts'
import { FEW_MEMBERS, LARGE, MANY_MEMBERS, SHAPES, shapeName, TYPICAL } from '../workers/match-shapes.ts'
import type { Verifier, VerifyTold } from '../workers/verify-worker.ts'

const CALLS = 4_000
const COMPARISONS = 200_000
const FLAT = 'depth 1'

export const VERIFY_RS: Bench = {
  name: 'verify.rs',
  what: "the resource SDK's whole check of a call, against two raw verifications",
  run: ({ size, progress }) =>
    withVerifiers(['raw', 'ours'], async ({ raw, ours }) => {
      const count = size.count(CALLS)
      const turns = { ours: () => ours.measure(FLAT, count) }
      const comparison = await interleave(size, () => raw.measure(FLAT, count), turns, progress)
      return [costFigure('verify.rs', comparison, 'ours', { goal: 1.15, stretch: 1.08 })]
    }),
}

export const VERIFY_PEERS: Bench = {
  name: 'verify.peers',
  what: 'the same, against what oauth4webapi and express-oauth2-jwt-bearer check of it',
  run: ({ size, progress }) =>
    withVerifiers(['ours', 'oauth4webapi', 'express-oauth2-jwt-bearer'], async (workers) => {
      const count = size.count(CALLS)
      const peers = ['oauth4webapi', 'express-oauth2-jwt-bearer'] as const
      // Ours is what the peers are measured in: their cost in it is how many times cheaper it is.
      const comparison = await interleave(
        size,
        () => workers.ours.measure(FLAT, count),
        {
          oauth4webapi: () => workers.oauth4webapi.measure(FLAT, count),
          'express-oauth2-jwt-bearer': () => workers['express-oauth2-jwt-bearer'].measure(FLAT, count),
        },
        progress,
      )
      return peers.map((peer) => timesCheaper(`verify.peers ${peer}`, costFigure('', comparison, peer, {})))
    }),
}

/** The peer's cost in ours as the number of times that ours is cheaper. */
const timesCheaper = (name: string, figure: Figure): Figure => ({
  ...figure,
  ...{ name, goal: { atLeast: 2.5 }, stretch: { atLeast: 3 } },
})

export const SCALE_DEPTH: Bench = {
  name: 'scale.depth',
  what: "the resource SDK's check with 2, 4 and 8 actors in the chain, against 1",
  run: ({ size, progress }) =>
    withVerifiers(['ours'], async ({ ours }) => {
      const count = size.count(CALLS)
      const turn = (depth: number) => () => ours.measure(`depth ${depth}`, count)
      const turns = { two: turn(2), four: turn(4), eight: turn(8) }
      const comparison = await interleave(size, turn(1), turns, progress)
      return [
        costFigure('scale.depth 2', comparison, 'two', { goal: 1.1 }),
        costFigure('scale.depth 4', comparison, 'four', { goal: 1.1 }),
        costFigure('scale.depth 8', comparison, 'eight', { goal: 1.1 }),
      ]
    }),
}

export const VERIFY_MATCH: Bench = {
  name: 'verify.match',
  what: 'the comparison of actions alone: 1 to 32 members, 200 B to 64 kB',
  run: async ({ size, progress }: BenchContext) => {
    const worker = await startWorker('workers/match-worker.js', {}, { isOurs: true })
    try {
      const costs = new Map<string, number[]>(SHAPES.map((shape) => [shapeName(shape), []]))
      for (let round = 1 - size.warmUpRounds; round <= size.rounds; round++) {
        for (const [name, measured] of costs) {
          const { cpuMicroseconds } = await worker.measure(name, size.count(COMPARISONS))
          if (round >= 1) measured.push(cpuMicroseconds)
        }
      }
      // The least is what the comparison costs; everything above it is the machine's.
      const least = (name: string) => Math.min(...(costs.get(name) ?? []))
      for (const name of costs.keys()) progress(`${name}: ${least(name).toFixed(3)} µs`)
      const typical = costs.get(shapeName(TYPICAL)) ?? []
      const perMember = least(shapeName(MANY_MEMBERS)) / MANY_MEMBERS.members
      const perMemberOfFew = least(shapeName(FEW_MEMBERS)) / FEW_MEMBERS.members
      const perByte = (shape: typeof LARGE) => least(shapeName(shape)) / shape.bytes
      const figures: Figure[] = [
        {
          ...{ name: `verify.match ${shapeName(TYPICAL)}`, value: Math.min(...typical), unit: 'µs' },
          ...{ goal: { atMost: 2 }, spread: span(typical) },
        },
        {
          ...{ name: 'verify.match a member of 32, in one of 4', value: perMember / perMemberOfFew, unit: '×' },
          goal: { atMost: 1.5 },
        },
        {
          ...{ name: 'verify.match a byte of 64 kB, in one of 1.6 kB', value: perByte(LARGE) / perByte(FEW_MEMBERS) },
          ...{ unit: '×', goal: { atMost: 1.5 } },
        },
      ]
      return { figures }
    } finally {
      await worker.stop()
    }
  },
}

/** Each in a process of its own. */
async function withVerifiers<Name extends Verifier>(
  names: readonly Name[],
  work: (workers: Readonly<Record<Name, MeasuredWorker>>) => Promise<readonly Figure[]>,
): Promise<{ readonly figures: readonly Figure[] }> {
  const started = await Promise.all(
    names.map(async (verifier) => {
      const told: VerifyTold = { verifier }
      const worker = await startWorker('workers/verify-worker.js', told, { isOurs: verifier === 'ours' })
      return [verifier, worker] as const
    }),
  )
  try {
    return { figures: await work(Object.fromEntries(started) as Record<Name, MeasuredWorker>) }
  } finally {
    for (const [, worker] of started) await worker.stop()
  }
}
