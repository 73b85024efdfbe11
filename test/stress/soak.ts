import { capacityOf, offer, type Stretch, statusesOf, stretch } from './load.ts'
import type { Outcome } from './open-loop.ts'
import type { Subject } from './subject.ts'
import { milliseconds, progress, type Verdict } from './verdict.ts'

const SHARE_OF_CAPACITY = 0.5
const SLICE_SECONDS = 5
/** A run that is shorter shows its slope and judges it not: a heap takes minutes to find its size. Unit: s. */
const JUDGED_FROM_SECONDS = 300
const MAX_SLOPE_MB_A_MINUTE = 2

/** Half of what the server can do, for long: memory must not grow, answers must not get slower. */
export async function soak(subject: Subject, seconds: number): Promise<readonly Verdict[]> {
  await capacityOf(subject, 2_000)
  const capacity = await capacityOf(subject, 3_000)
  const perSecond = Math.floor(capacity * SHARE_OF_CAPACITY)
  const slices: { readonly minutes: number; readonly memoryMb: number; readonly load: Stretch }[] = []
  const start = performance.now()
  const elapsed = () => (performance.now() - start) / 1_000
  while (elapsed() < seconds) {
    const load = await offer(subject, perSecond, Math.min(SLICE_SECONDS, seconds))
    slices.push({ minutes: elapsed() / 60, memoryMb: subject.memoryMb(), load })
    const p99 = milliseconds(load.latency(0.99))
    progress(`soak: ${elapsed().toFixed(0)} of ${seconds} s, ${subject.memoryMb().toFixed(0)} MB, p99 ${p99}`)
  }
  const all = join(slices.map(({ load }) => load))
  // The first fifth is the warm-up: compiled code and caches are still growing.
  const settled = slices.slice(Math.floor(slices.length / 5))
  const fifth = Math.max(1, Math.floor(settled.length / 5))
  const [early, late] = [settled.slice(0, fifth), settled.slice(-fifth)].map((part) =>
    join(part.map(({ load }) => load)),
  )
  const slope = slopeOf(settled.map(({ minutes, memoryMb }) => [minutes, memoryMb]))
  const drift = (share: number) => (late?.latency(share) ?? 0) / (early?.latency(share) ?? 0)
  const { tokens, unrecorded } = await subject.account()
  const isJudged = seconds >= JUDGED_FROM_SECONDS
  return [
    { what: 'capacity', came: `${capacity.toFixed(0)} exchanges/s` },
    { what: 'offered', came: `${perSecond}/s for ${seconds} s` },
    {
      ...{ what: 'answers', came: statusesOf(all), must: 'only 200' },
      isGood: all.byStatus.size === 1 && all.byStatus.has(200),
    },
    { what: 'latency p50, p99, max', came: [0.5, 0.99, 1].map((share) => milliseconds(all.latency(share))).join(', ') },
    {
      what: 'memory, first and last',
      came: `${(settled[0]?.memoryMb ?? 0).toFixed(0)}, ${subject.memoryMb().toFixed(0)} MB`,
    },
    {
      ...{ what: 'memory slope', came: `${slope.toFixed(2)} MB/min` },
      ...(isJudged && { must: `≤ ${MAX_SLOPE_MB_A_MINUTE}`, isGood: slope <= MAX_SLOPE_MB_A_MINUTE }),
    },
    {
      ...{ what: 'drift of p50', came: `× ${drift(0.5).toFixed(2)}` },
      ...(isJudged && { must: '≤ 1.25', isGood: drift(0.5) <= 1.25 }),
    },
    { what: 'drift of p99', came: `× ${drift(0.99).toFixed(2)}` },
    { what: 'tokens without a record', came: `${unrecorded} of ${tokens}`, must: '0', isGood: unrecorded === 0 },
  ]
}

const join = (loads: readonly Stretch[]): Stretch =>
  stretch(loads.flatMap(({ outcomes }): readonly Outcome[] => outcomes))

/** Least squares. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [x, y] = [mean(([at]) => at), mean(([, value]) => value)]
  const above = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0)
  const below = points.reduce((sum, [at]) => sum + (at - x) ** 2, 0)
  return below === 0 ? 0 : above / below
}
