import { capacityOf, offer, statusesOf } from './load.ts'
import type { Subject } from './subject.ts'
import { milliseconds, progress, type Verdict } from './verdict.ts'

const BELOW = 0.7
const BEYOND = 1.5
/** Entries of one flush of the group commit. */
const FLUSH = 128
/** What an admitted exchange may take while the rest is turned away, where flushes are fast. Unit: ms. */
const FAST_P99_MS = 500

/** More than the server can do: it must turn away early what is too much, and serve the rest as it serves it otherwise. */
export async function overload(subject: Subject, seconds: number): Promise<readonly Verdict[]> {
  await capacityOf(subject, 2_000)
  const capacity = await capacityOf(subject, 4_000)
  progress(`overload: capacity ${capacity.toFixed(0)}/s; below it`)
  subject.prepare(Math.ceil(capacity * BELOW * seconds))
  const below = await offer(subject, capacity * BELOW, seconds)
  progress('overload: beyond it')
  subject.prepare(Math.ceil(capacity * BEYOND * seconds * 1.1))
  // A server that is busy takes one new connection with each turn of its event loop: whoever opens them during the rush waits for that.
  const beyond = await offer(subject, capacity * BEYOND, seconds, true)
  const memoryMb = subject.memoryMb()
  progress('overload: below it again')
  subject.prepare(Math.ceil(capacity * BELOW * 5))
  const after = await offer(subject, capacity * BELOW, 5)
  const { tokens, unrecorded } = await subject.account()
  // The guard lets one flush stand in line behind the one under way; a machine with a slow database has slow flushes.
  const maxP99Ms = Math.max(FAST_P99_MS, (4 * FLUSH * 1_000) / capacity)
  const shed = beyond.byStatus.get(503) ?? 0
  const goodput = (beyond.byStatus.get(200) ?? 0) / seconds
  const others = [...beyond.byStatus.keys()].filter((status) => status !== 200 && status !== 503)
  const withRetryAfter = beyond.outcomes.filter(({ status, head }) => status === 503 && /retry-after: \d+/i.test(head))
  const isOnly200 = ({ byStatus }: typeof below) => byStatus.size === 1 && byStatus.has(200)
  return [
    { what: 'capacity', came: `${capacity.toFixed(0)} exchanges/s` },
    { what: `at ${BELOW * 100} %`, came: statusesOf(below), must: 'only 200', isGood: isOnly200(below) },
    { what: '  latency p50, p99', came: [0.5, 0.99].map((share) => milliseconds(below.latency(share))).join(', ') },
    { what: `at ${BEYOND * 100} %`, came: statusesOf(beyond), must: 'only 200 and 503', isGood: others.length === 0 },
    {
      ...{ what: '  turned away with Retry-After', came: `${withRetryAfter.length} of ${shed}`, must: 'some, all' },
      isGood: shed > 0 && withRetryAfter.length === shed,
    },
    {
      ...{ what: '  tokens', came: `${goodput.toFixed(0)}/s`, must: '≥ 60 % of capacity' },
      isGood: goodput >= 0.6 * capacity,
    },
    {
      what: '  latency of the admitted p50, p99',
      came: [0.5, 0.99].map((share) => milliseconds(beyond.latency(share))).join(', '),
      must: `p99 ≤ ${milliseconds(maxP99Ms)}, four full flushes`,
      isGood: beyond.latency(0.99) <= maxP99Ms,
    },
    { what: '  memory', came: `${memoryMb.toFixed(0)} MB` },
    { what: `at ${BELOW * 100} % again`, came: statusesOf(after), must: 'only 200', isGood: isOnly200(after) },
    { what: 'tokens without a record', came: `${unrecorded} of ${tokens}`, must: '0', isGood: unrecorded === 0 },
  ]
}
