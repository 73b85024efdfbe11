import type { MetricsSnapshot } from './metrics.ts'

/** The text that Prometheus reads, of one process or several added up. */
export async function metricsText(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  const { AggregatorRegistry } = await import('prom-client')
  return AggregatorRegistry.aggregate([...snapshots]).metrics()
}

/**
 * What only ever grows, of processes that have ended: kept, so that no sum goes down when a worker is replaced. A counter that falls
 * is taken for one that began anew, and counted again.
 */
export async function addEnded(ended: MetricsSnapshot, last: MetricsSnapshot): Promise<MetricsSnapshot> {
  const { AggregatorRegistry } = await import('prom-client')
  const growing = last.filter(({ type }) => GROWING.has(String(type)))
  return (await AggregatorRegistry.aggregate([ended, growing]).getMetricsAsJSON()) as MetricsSnapshot
}

const GROWING: ReadonlySet<string> = new Set(['counter', 'histogram'])
