import { metricsText } from './add-up.ts'
import { type MetricSources, type Metrics, openMetrics } from './metrics.ts'
import { listenForMetrics } from './metrics-listener.ts'

export interface Meters {
  /** Undefined where nothing is measured: then nothing is asked of it. */
  readonly metrics: Metrics | undefined
  readonly port: number | undefined
  readonly close: () => Promise<void> | undefined
}

/** Opens what measures this process, where somebody asked for it, and the port it is read at, unless another process does that. */
export async function openMeters(
  settings: { readonly metricsPort?: number | undefined; readonly metricsHost: string },
  isServedElsewhere: boolean,
  sources: MetricSources,
): Promise<Meters> {
  const { metricsPort, metricsHost } = settings
  if (metricsPort === undefined) return { metrics: undefined, port: undefined, close: () => undefined }
  const metrics = await openMetrics(sources)
  if (isServedElsewhere) return { metrics, port: undefined, close: () => undefined }
  const text = async () => metricsText([await metrics.snapshot()])
  const { port, close } = await listenForMetrics(text, metricsHost, metricsPort)
  return { metrics, port, close }
}
