import cluster from 'node:cluster'
import { setFlagsFromString } from 'node:v8'
import { openLog } from './adapters/log.ts'
import { listenForMetrics } from './adapters/metrics/metrics-listener.ts'
import { type Config, readConfig } from './config.ts'
import { explainStart } from './explain-start.ts'
import type { MetricsSaid, MetricsWanted } from './metrics-of-workers.ts'
import { startWorkers, type WorkerListens, type WorkerRetires, type Workers } from './workers.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const complain = (line: string) => process.stderr.write(`writ: ${line}\n`)

/** Reads the configuration, then serves: in this process, or in as many workers as were asked for. */
async function main(): Promise<void> {
  const config = readConfig(process.env)
  if (cluster.isPrimary && config.workers > 1) await keepWorkers(config)
  else await serve(config)
}

/** Starts the server, and drains it on SIGTERM, or when the primary says that a successor listens. */
async function serve(config: Config): Promise<void> {
  // What the memories of this process give up lies among V8's old objects, and behind a key lies OpenSSL's memory, which V8 does not
  // count: left alone it lets them double before it looks. (`npm run bench -- mem`)
  setFlagsFromString('--heap-growing-percent=40')
  // Libraries that talk to the console, some while they are loaded, talk to the operators' log instead.
  const log = openLog(config.logLevel)
  console.info = console.warn = (notice: unknown) => log.debug({ notice: String(notice) }, 'a library said')
  // Nobody's but the primary's: a terminal that hangs up tells the whole group.
  if (cluster.isWorker) process.on('SIGHUP', () => {})
  const { startServer } = await import('./server.ts')
  const server = await startServer(config, { progress: complain, isMetricsServedElsewhere: cluster.isWorker })
  const sayMetrics = async () => {
    const said: MetricsSaid = { kind: 'metrics', snapshot: await server.metrics() }
    await new Promise((resolve) => process.send?.(said, resolve))
  }

  let isStopping = false
  const stop = async (isSucceeded: boolean) => {
    // A second signal is the same wish again: npm passes on what a terminal or a supervisor sends to the whole group.
    if (isStopping) return
    isStopping = true
    if (cluster.isPrimary) complain('draining')
    await server.close({ isSucceeded })
    // What it counted stays in the sums.
    if (cluster.isWorker && config.metricsPort !== undefined && process.connected) await sayMetrics()
    if (cluster.isWorker && process.connected) await leavePrimary()
    process.exit(0)
  }
  process.on('SIGTERM', () => stop(false))
  process.on('SIGINT', () => stop(false))
  if (cluster.isWorker) {
    process.on('message', (message: WorkerRetires | MetricsWanted) => {
      if (message?.kind === 'retires') void stop(true)
      if (message?.kind === 'metrics-wanted') void sayMetrics()
    })
    const listens: WorkerListens = {
      ...{ kind: 'listens', issuer: server.issuer, newCredentialPath: server.newCredentialPath },
    }
    process.send?.(listens)
    return
  }
  announce(server)
  if (server.metricsPort !== undefined) complainOfMetrics(config, server.metricsPort)
}

/**
 * Takes leave of the primary, and waits for its answer: what it handed over before it knew that this worker takes no more is given
 * back until then, and handed to another. Whoever just ended would leave those callers without a word.
 */
const leavePrimary = () =>
  new Promise<void>((resolve) => {
    process.once('disconnect', resolve)
    cluster.worker?.disconnect()
  })

/** Keeps workers on one port: SIGHUP replaces them one by one, SIGTERM drains all, from the moment that the first is started. */
async function keepWorkers(config: Config): Promise<void> {
  const { workers: count, drainSeconds, metricsPort, metricsHost } = config
  let workers: Workers | undefined
  let isStopping = false
  const stop = async () => {
    if (workers === undefined) process.exit(143) // nobody was started yet
    if (isStopping) return
    isStopping = true
    complain('draining')
    process.exit(await workers.stop())
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', async () => {
    if (isStopping) return
    complain('replacing the workers one by one')
    await workers?.restart()
  })

  const metrics =
    metricsPort === undefined
      ? undefined
      : await listenForMetrics(async () => (await workers?.metricsText()) ?? '', metricsHost, metricsPort)
  workers = startWorkers({ count, drainSeconds, complain }, (line) => {
    complain(line)
    process.exit(1)
  })
  const first = await workers.started
  if (first === undefined) {
    complain('the first worker could not start')
    process.exit(1)
  }
  announce(first)
  if (metrics !== undefined) complainOfMetrics(config, metrics.port)
}

const complainOfMetrics = ({ metricsHost }: Config, port: number) =>
  complain(`metrics on http://${metricsHost.includes(':') ? `[${metricsHost}]` : metricsHost}:${port}/metrics`)

function announce({ issuer, newCredentialPath }: Pick<WorkerListens, 'issuer' | 'newCredentialPath'>): void {
  if (newCredentialPath !== undefined) {
    complain(`the first administrator's credential is in ${newCredentialPath}; keep it safe`)
  }
  say(`writ listening on ${issuer}`)
}

main().catch((error: unknown) => {
  complain(explainStart(error))
  process.exit(1)
})
