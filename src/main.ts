import cluster from 'node:cluster'
import { openLog } from './adapters/log.ts'
import { type Config, readConfig } from './config.ts'
import { explainStart } from './explain-start.ts'
import { startWorkers, type WorkerListens, type WorkerRetires } from './workers.ts'

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
  // Libraries that talk to the console, some while they are loaded, talk to the operators' log instead.
  const log = openLog(config.logLevel)
  console.info = console.warn = (notice: unknown) => log.debug({ notice: String(notice) }, 'a library said')
  // Nobody's but the primary's: a terminal that hangs up tells the whole group.
  if (cluster.isWorker) process.on('SIGHUP', () => {})
  const { startServer } = await import('./server.ts')
  const server = await startServer(config, { progress: (line) => complain(line) })

  let isStopping = false
  const stop = async (isSucceeded: boolean) => {
    // A second signal is the same wish again: npm passes on what a terminal or a supervisor sends to the whole group.
    if (isStopping) return
    isStopping = true
    if (cluster.isPrimary) complain('draining')
    await server.close({ isSucceeded })
    process.exit(0)
  }
  process.on('SIGTERM', () => stop(false))
  process.on('SIGINT', () => stop(false))
  if (cluster.isWorker) {
    process.on('message', (message: WorkerRetires) => {
      if (message?.kind === 'retires') void stop(true)
    })
    const listens: WorkerListens = {
      ...{ kind: 'listens', issuer: server.issuer, newCredentialPath: server.newCredentialPath },
    }
    process.send?.(listens)
    return
  }
  announce(server)
}

/** Keeps workers on one port: SIGHUP replaces them one by one, SIGTERM drains all. */
async function keepWorkers(config: Config): Promise<void> {
  let stop = async (): Promise<void> => {
    process.exit(143) // nobody was served yet; the workers end with the channel to us
  }
  let restart = async () => {}
  process.on('SIGTERM', () => stop())
  process.on('SIGINT', () => stop())
  process.on('SIGHUP', () => restart())

  const { workers: count, drainSeconds } = config
  const workers = await startWorkers({ count, drainSeconds, complain }, (line) => {
    complain(line)
    process.exit(1)
  })
  if (workers === undefined) {
    complain('the first worker could not start')
    process.exit(1)
  }
  let isStopping = false
  stop = async () => {
    if (isStopping) return
    isStopping = true
    complain('draining')
    process.exit(await workers.stop())
  }
  restart = async () => {
    complain('replacing the workers one by one')
    await workers.restart()
  }
  announce(workers.first)
}

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
