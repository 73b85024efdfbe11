import { openLog } from './adapters/log.ts'
import { readConfig } from './config.ts'
import { explainStart } from './explain-start.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const complain = (line: string) => process.stderr.write(`writ: ${line}\n`)

/** Reads the configuration, starts the server, and drains it on SIGTERM. */
async function main(): Promise<void> {
  const config = readConfig(process.env)
  // Libraries that talk to the console, some while they are loaded, talk to the operators' log instead.
  const log = openLog(config.logLevel)
  console.info = console.warn = (notice: unknown) => log.debug({ notice: String(notice) }, 'a library said')
  const { startServer } = await import('./server.ts')
  const server = await startServer(config, { progress: (line) => complain(line) })

  let isStopping = false
  const stop = async () => {
    // A second signal is the same wish again: npm passes on what a terminal or a supervisor sends to the whole group.
    if (isStopping) return
    isStopping = true
    complain('draining')
    await server.close()
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)

  if (server.newCredentialPath !== undefined) {
    complain(`the first administrator's credential is in ${server.newCredentialPath}; keep it safe`)
  }
  say(`writ listening on ${server.issuer}`)
}

main().catch((error: unknown) => {
  complain(explainStart(error))
  process.exit(1)
})
