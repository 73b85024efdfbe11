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

/** Runs before the machine is said to be too busy. */
const ATTEMPTS = 3

/** A side that became cheaper by more than this in one round of the warm-up is still being compiled. */
const WARMING = 0.05
const MAX_WARM_UP_ROUNDS = 10

/** Turns that one side takes at most: whoever needs something new for each has so much of it ready. */
export const maxTurns = ({ rounds }: Size): number => MAX_WARM_UP_ROUNDS + ATTEMPTS * rounds

/** Its turn of the reference comes after it; of that before it, too. */
interface Compared {
  readonly own: Sample
  readonly before: Sample
  readonly after: Sample
}

/**
 * Runs reference, one side, reference, the next side, reference, …, round after round, and compares each turn with the two
 * turns of the reference around it: machines are shared, and an absolute number means nothing. The rounds before the first that
 * counts go on until no side gets cheaper: it takes some thousand requests until all of a server is compiled.
 *
 * A run in which the reference differs from itself by more than a tenth is discarded and repeated.
 *
 * @throws Discarded when every run was.
 */
export async function interleave<Name extends string>(
  size: Size,
  reference: Turn,
  sides: Readonly<Record<Name, Turn>>,
  progress: (line: string) => void,
): Promise<Comparison<Name>> {
  const names = Object.keys(sides) as Name[]
  // The reference's turn after one side is its turn before the next, so that none rests for longer than the others: a
  // process that rests is slower for a while.
  let before = await reference()
  const round = async (title: string): Promise<Readonly<Record<Name, Compared>>> => {
    const compared: Partial<Record<Name, Compared>> = {}
    for (const name of names) {
      const own = await sides[name]()
      const after = await reference()
      compared[name] = { own, before, after }
      before = after
    }
    const all = compared as Record<Name, Compared>
    const told = names.map((name) => `${name} ${micros(all[name].own)} (${costOf(all[name]).toFixed(3)})`)
    progress(`${title}: reference ${micros(before)}, ${told.join(', ')}`)
    return all
  }

  await warmUp(size, async () => {
    const compared = Object.values<Compared>(await round('warm-up'))
    return compared.flatMap(({ own, after }) => [own.cpuMicroseconds, after.cpuMicroseconds])
  })
  for (let attempt = 1; ; attempt++) {
    const rounds: Readonly<Record<Name, Compared>>[] = []
    for (let n = 1; n <= size.rounds; n++) rounds.push(await round(`round ${n} of ${size.rounds}`))
    const comparison = compare(names, rounds)
    const { noise } = comparison
    if (size.isSmoke || noise <= MAX_NOISE) return comparison
    const reason = `the reference differed from itself by ${(noise * 100).toFixed(1)} %`
    if (attempt === ATTEMPTS) throw new Discarded(`${reason} in ${ATTEMPTS} runs: this machine is too busy`)
    progress(`discarded: ${reason}`)
  }
}

/** @param round tells what each side cost. */
async function warmUp({ warmUpRounds }: Size, round: () => Promise<readonly number[]>): Promise<void> {
  let least: readonly number[] | undefined
  for (let n = 1, isWarm = false; n <= MAX_WARM_UP_ROUNDS && (n <= warmUpRounds || !isWarm); n++) {
    if (warmUpRounds === 0) return
    const costs = await round()
    isWarm = costs.every((cost, side) => cost >= (least?.[side] ?? cost) * (1 - WARMING))
    least = costs.map((cost, side) => Math.min(cost, least?.[side] ?? cost))
  }
}

const micros = ({ cpuMicroseconds }: Sample) => `${cpuMicroseconds.toFixed(1)} µs`
const around = ({ before, after }: Compared) => (before.cpuMicroseconds + after.cpuMicroseconds) / 2
const costOf = (compared: Compared) => compared.own.cpuMicroseconds / around(compared)
const noiseOf = (compared: Compared) =>
  Math.abs(compared.after.cpuMicroseconds - compared.before.cpuMicroseconds) / around(compared)

function compare<Name extends string>(
  names: readonly Name[],
  rounds: readonly Readonly<Record<Name, Compared>>[],
): Comparison<Name> {
  const turns = rounds.flatMap((round) => names.map((name) => round[name]))
  const sideOf = (name: Name): Side => ({
    ...summary(rounds.map((round) => round[name].own)),
    costs: rounds.map((round) => costOf(round[name])),
  })
  return {
    reference: summary(turns.flatMap(({ before, after }) => [before, after])),
    sides: Object.fromEntries(names.map((name) => [name, sideOf(name)])) as Record<Name, Side>,
    noise: median(turns.map(noiseOf)),
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
