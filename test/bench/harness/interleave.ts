import { Discarded, type Figure, type Goal, type Size } from './bench.ts'
import { median, span } from './statistics.ts'

/** What one side of a comparison did in one turn. */
export interface Sample {
  /** CPU of the measured process for each request. Unit: microseconds. */
  readonly cpuMicroseconds: number
  readonly requestsPerSecond: number
}

export type Turn = () => Promise<Sample>

/** One side, compared with the reference. */
export interface Side {
  /** Its CPU ÷ that of the reference around it, of every round. */
  readonly costs: readonly number[]
  readonly cpuMicroseconds: number
  readonly requestsPerSecond: number
}

export interface Comparison<Name extends string> {
  readonly reference: Omit<Side, 'costs'>
  readonly sides: Readonly<Record<Name, Side>>
  /** How far the reference was from itself within a round: the median, as a share. */
  readonly noise: number
}

/** Above this the reference disagreed with itself, and the run says nothing. */
const MAX_NOISE = 0.1

/**
 * Runs reference, one side, reference, the next side, reference, …, round after round, and compares each turn with the two
 * turns of the reference around it: machines are shared, and an absolute number means nothing.
 *
 * @throws Discarded when the reference differed from itself by more than a tenth.
 */
export async function interleave<Name extends string>(
  { rounds, warmUpRounds, isSmoke }: Size,
  reference: Turn,
  sides: Readonly<Record<Name, Turn>>,
  progress: (line: string) => void,
): Promise<Comparison<Name>> {
  const names = Object.keys(sides) as Name[]
  const references: Sample[] = []
  const noises: number[] = []
  const samples = Object.fromEntries(names.map((name) => [name, [] as Sample[]])) as Record<Name, Sample[]>
  const costs = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  // The reference's turn after one side is its turn before the next, so that none rests for longer than the others: a
  // process that rests is slower for a while.
  let before = await reference()
  for (let round = 1 - warmUpRounds; round <= rounds; round++) {
    const line: string[] = []
    for (const name of names) {
      const own = await sides[name]()
      const after = await reference()
      const around = (before.cpuMicroseconds + after.cpuMicroseconds) / 2
      const cost = own.cpuMicroseconds / around
      line.push(`${name} ${own.cpuMicroseconds.toFixed(1)} µs (${cost.toFixed(3)})`)
      if (round >= 1) {
        references.push(before, after)
        noises.push(Math.abs(after.cpuMicroseconds - before.cpuMicroseconds) / around)
        samples[name].push(own)
        costs[name].push(cost)
      }
      before = after
    }
    const title = round < 1 ? 'warm-up' : `round ${round} of ${rounds}`
    progress(`${title}: reference ${before.cpuMicroseconds.toFixed(1)} µs, ${line.join(', ')}`)
  }
  const noise = median(noises)
  if (!isSmoke && !(noise <= MAX_NOISE)) {
    throw new Discarded(`the reference differed from itself by ${(noise * 100).toFixed(1)} %`)
  }
  return {
    reference: summary(references),
    sides: Object.fromEntries(
      names.map((name) => [name, { ...summary(samples[name]), costs: costs[name] }]),
    ) as unknown as Record<Name, Side>,
    noise,
  }
}

const summary = (samples: readonly Sample[]) => ({
  cpuMicroseconds: median(samples.map((sample) => sample.cpuMicroseconds)),
  requestsPerSecond: median(samples.map((sample) => sample.requestsPerSecond)),
})

interface Goals {
  readonly goal?: number
  readonly stretch?: number
}

/** How much dearer than the reference: at most the goal. */
export function costFigure<Name extends string>(
  name: string,
  comparison: Comparison<Name>,
  side: Name,
  { goal, stretch }: Goals,
): Figure {
  return figure(name, comparison, side, comparison.sides[side].costs, {
    ...(goal !== undefined && { goal: { atMost: goal } }),
    ...(stretch !== undefined && { stretch: { atMost: stretch } }),
  })
}

/** How close to the reference, or how many times cheaper: at least the goal. */
export function shareFigure<Name extends string>(
  name: string,
  comparison: Comparison<Name>,
  side: Name,
  { goal, stretch }: Goals,
): Figure {
  const shares = comparison.sides[side].costs.map((cost) => 1 / cost)
  return figure(name, comparison, side, shares, {
    ...(goal !== undefined && { goal: { atLeast: goal } }),
    ...(stretch !== undefined && { stretch: { atLeast: stretch } }),
  })
}

function figure<Name extends string>(
  name: string,
  { reference, sides, noise }: Comparison<Name>,
  side: Name,
  ratios: readonly number[],
  goals: { readonly goal?: Goal; readonly stretch?: Goal },
): Figure {
  const { cpuMicroseconds, requestsPerSecond } = sides[side]
  const told = ({ cpuMicroseconds: cpu, requestsPerSecond: rate }: Omit<Side, 'costs'>) =>
    `${cpu.toFixed(1)} µs, ${rate.toFixed(0)}/s`
  const detail = `${side} ${told({ cpuMicroseconds, requestsPerSecond })}; reference ${told(reference)}`
  return { name, value: median(ratios), unit: '×', ...goals, spread: span(ratios), noise, detail }
}
