import { cpus } from 'node:os'
import { type Connection, openConnection, type RawRequest, type Target } from './connection.ts'
import { poissonArrivals } from './statistics.ts'

export interface OpenLoopResult {
  /** From the moment a request should have been sent until its answer was there, in the order of the requests. Unit: ms. */
  readonly latencies: Float64Array
  /** How many answers had another status than 200. */
  readonly failed: number
}

const CONNECTIONS = 64
/** More are opened when all are waiting: whoever arrives does not wait for those before. */
const MAX_CONNECTIONS = 1_000
/** Timers come up to a millisecond late; the last stretch is waited for by turning the event loop. Unit: ms. */
const TIMER_SLACK = 2
/**
 * On a machine of two cores the database has none but the server's and this one: a loop that turned all the time would take it, and
 * what is measured would be that. A request is then sent up to a millisecond late, to either side, and counted as waiting.
 */
const IS_CORE_SHARED = cpus().length <= 2

/**
 * Sends requests at times of their own (Poisson arrivals), whether or not earlier ones were answered.
 *
 * Latency is counted from the intended time, so that a server that stalls cannot hide it by stopping the generator
 * ("coordinated omission").
 */
export async function openLoop(
  target: Target,
  requests: readonly RawRequest[],
  perSecond: number,
  random: () => number,
): Promise<OpenLoopResult> {
  const arrivals = poissonArrivals(requests.length, perSecond, random)
  const latencies = new Float64Array(requests.length)
  const idle = await Promise.all(Array.from({ length: CONNECTIONS }, () => openConnection(target)))
  const all = new Set<Connection>(idle)
  const waiting: number[] = []
  let [opened, failed, open] = [CONNECTIONS, 0, 0]
  const start = performance.now()

  const serve = async (connection: Connection, first: number) => {
    for (let index: number | undefined = first; index !== undefined; index = waiting.shift()) {
      const { status } = await connection.exchange(requests[index] as RawRequest)
      latencies[index] = performance.now() - start - (arrivals[index] as number)
      if (status !== 200) failed++
    }
    idle.push(connection)
  }
  const dispatch = async (index: number) => {
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
      if (connection.isOpen()) return serve(connection, index)
      // A server closes what rests for long.
      opened--
    }
    if (opened >= MAX_CONNECTIONS) return void waiting.push(index)
    opened++
    const fresh = await openConnection(target)
    all.add(fresh)
    return serve(fresh, index)
  }

  await new Promise<void>((resolve, reject) => {
    let next = 0
    const turn = () => {
      for (const now = performance.now() - start; next < requests.length && (arrivals[next] as number) <= now; next++) {
        open++
        dispatch(next)
          .then(() => {
            open--
            if (open === 0 && next >= requests.length) resolve()
          })
          .catch(reject)
      }
      if (next >= requests.length) return
      const gap = (arrivals[next] as number) - (performance.now() - start)
      if (gap > TIMER_SLACK || IS_CORE_SHARED) setTimeout(turn, Math.max(1, gap - TIMER_SLACK))
      else setImmediate(turn)
    }
    turn()
  })
  for (const { close } of all) close()
  return { latencies, failed }
}
