import { addEnded, metricsText } from './adapters/metrics/add-up.ts'
import type { MetricsSnapshot } from './adapters/metrics/metrics.ts'

/** How long a worker may take to say its values; one that starts or hangs is left out of this answer. Unit: ms. */
const ANSWER_MS = 1_000

/** Asked by the primary. */
export interface MetricsWanted {
  readonly kind: 'metrics-wanted'
}

/** Said by a worker when it is asked, and of itself before it leaves. */
export interface MetricsSaid {
  readonly kind: 'metrics'
  readonly snapshot: MetricsSnapshot
}

/** What the sum needs of a worker. */
export interface MeasuredWorker {
  readonly id: number
  readonly send: (message: MetricsWanted) => unknown
}

export interface MetricsOfWorkers {
  readonly text: () => Promise<string>
  /** Takes what a worker said. */
  readonly said: (worker: MeasuredWorker, message: MetricsSaid) => void
  /** What a worker counted stays in the sums when it has ended. */
  readonly ended: (worker: MeasuredWorker) => void
}

/** Adds up the metrics of the workers, those that have ended included. @param present the workers that run. */
export function metricsOfWorkers(present: () => readonly MeasuredWorker[]): MetricsOfWorkers {
  const last = new Map<number, MetricsSnapshot>()
  const waiting = new Map<number, (() => void)[]>()
  let endedSum: Promise<MetricsSnapshot> = Promise.resolve([])
  const ask = (worker: MeasuredWorker) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ANSWER_MS)
      waiting.set(worker.id, [
        ...(waiting.get(worker.id) ?? []),
        () => {
          clearTimeout(timer)
          resolve()
        },
      ])
      worker.send({ kind: 'metrics-wanted' })
    })
  const answer = ({ id }: MeasuredWorker) => {
    for (const resolve of waiting.get(id) ?? []) resolve()
    waiting.delete(id)
  }
  return {
    text: async () => {
      await Promise.all(present().map(ask))
      return metricsText([await endedSum, ...last.values()])
    },
    said: (worker, { snapshot }) => {
      last.set(worker.id, snapshot)
      answer(worker)
    },
    ended: (worker) => {
      const snapshot = last.get(worker.id)
      last.delete(worker.id)
      answer(worker)
      if (snapshot === undefined) return
      endedSum = endedSum.then((sum) => addEnded(sum, snapshot))
    },
  }
}
