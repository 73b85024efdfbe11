import type { RefusalCode } from '../../core/refusal.ts'
import type { StrangerTally } from '../../ports.ts'
import type { Query } from './open-database.ts'

const FLUSH_MILLISECONDS = 10_000

export interface FlushedTally extends StrangerTally {
  /** Stops, and writes what is still to be written. */
  readonly stop: () => Promise<void>
}

/**
 * Refusals of strangers: counted here, added to the database's counters every few seconds.
 *
 * Whoever has not shown who he is can cause a number to grow, and neither a row nor a round trip.
 */
export function strangerTally(query: Query, onFault: (error: unknown) => void): FlushedTally {
  const counts = new Map<RefusalCode, number>()
  const add = (code: RefusalCode, count: number) => void counts.set(code, (counts.get(code) ?? 0) + count)
  let flushing: Promise<void> = Promise.resolve()

  const write = async () => {
    for (const [code, count] of [...counts]) {
      counts.delete(code)
      try {
        await query(
          `INSERT INTO refusal_tally (client, hour, code, count) VALUES ('', date_trunc('hour', now()), $1, $2)
           ON CONFLICT (client, hour, code) DO UPDATE SET count = refusal_tally.count + excluded.count`,
          [code, count],
        )
      } catch (error) {
        add(code, count)
        throw error
      }
    }
  }
  // One after the other, so that whoever stops waits for the flush that runs as well.
  const flush = () => {
    flushing = flushing.then(write).catch(onFault)
    return flushing
  }
  const timer = setInterval(flush, FLUSH_MILLISECONDS)
  timer.unref()
  return {
    count: (code) => add(code, 1),
    stop: () => {
      clearInterval(timer)
      return flush()
    },
  }
}
