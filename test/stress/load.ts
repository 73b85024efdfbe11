import { setTimeout as sleep } from 'node:timers/promises'
import { openConnection } from './connection.ts'
import { type Outcome, quantile, startOpenLoop } from './open-loop.ts'
import type { Subject } from './subject.ts'

/** Enough for the server never to be without work, and no more than one flush of the group commit takes. */
const IN_FLIGHT = 64
const MAX_MS = 15_000

/** Exchanges a second that the server answers when it is never left without work, its requests made before. */
export async function capacityOf(subject: Subject, count: number): Promise<number> {
  subject.prepare(count)
  let left = count
  let granted = 0
  const start = performance.now()
  const lane = async () => {
    const connection = openConnection('127.0.0.1', subject.port)
    while (left > 0 && performance.now() - start < MAX_MS) {
      left -= 1
      const answer = await connection.exchange(subject.next(), 10_000)
      // On a machine that has too much else to do, even this may be turned away.
      if (answer.status === 200) granted += 1
      else if (answer.status !== 503) throw new Error(`an exchange was answered with ${answer.status}: ${answer.body}`)
      subject.saw({ ...answer, intendedMs: 0, latencyMs: 0 })
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  return (granted * 1_000) / (performance.now() - start)
}

/** What came of a stretch of load. */
export interface Stretch {
  readonly outcomes: readonly Outcome[]
  readonly byStatus: ReadonlyMap<number, number>
  /** Of those that got a token. Unit: ms. */
  readonly latency: (share: number) => number
}

/** Offers so many exchanges a second for so long, in open loop. */
export async function offer(
  subject: Subject,
  perSecond: number,
  seconds: number,
  isConnected = false,
): Promise<Stretch> {
  const outcomes: Outcome[] = []
  const loop = await startOpenLoop({
    port: subject.port,
    ...{ perSecond, isConnected },
    next: subject.next,
    onOutcome: (outcome) => {
      subject.saw(outcome)
      // The token is in the account; a long run has no use for its bytes.
      outcomes.push(outcome.status === 200 ? { ...outcome, body: '', head: '' } : outcome)
    },
  })
  await sleep(seconds * 1_000)
  await loop.stop()
  return stretch(outcomes)
}

export function stretch(outcomes: readonly Outcome[]): Stretch {
  const byStatus = new Map<number, number>()
  for (const { status } of outcomes) byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
  const granted = outcomes.filter(({ status }) => status === 200).map(({ latencyMs }) => latencyMs)
  return { outcomes, byStatus, latency: (share) => quantile(granted, share) }
}

export const statusesOf = ({ byStatus }: Stretch): string =>
  [...byStatus].map(([status, count]) => `${count} × ${status === 0 ? 'no answer' : status}`).join(', ')
