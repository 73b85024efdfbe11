import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A port that cannot be had. The message is one line for the operator. */
export class MetricsPortRefused extends Error {}

export interface MetricsListener {
  readonly port: number
  readonly close: () => Promise<void>
}

/**
 * `GET /metrics` on a port of its own, and nothing else there: who may read it is a matter of the network.
 *
 * @param text what Prometheus reads; when it fails the answer is 503.
 * @throws MetricsPortRefused
 */
export async function listenForMetrics(
  text: () => Promise<string>,
  host: string,
  port: number,
): Promise<MetricsListener> {
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 5_000 }, (request, response) => {
    request.resume()
    if (request.method !== 'GET' || request.url !== '/metrics') return response.writeHead(404).end()
    text().then(
      (body) => response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }).end(body),
      () => response.writeHead(503).end(),
    )
    return undefined
  })
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (cause) {
    throw new MetricsPortRefused(`metrics: ${(cause as Error).message}; check WRIT_METRICS_HOST and WRIT_METRICS_PORT`)
  }
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
