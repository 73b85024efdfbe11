import { openLog } from './adapters/log.ts'
import { DataDirectoryInUse } from './adapters/prisma/data-directory-lock.ts'
import { MigrationRefused } from './adapters/prisma/migrate.ts'
import { ConfigError, readConfig } from './config.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const complain = (line: string) => process.stderr.write(`writ: ${line}\n`)

/** Reads the configuration, starts the server, and drains it on SIGTERM. */
async function main(): Promise<void> {
  const config = readConfig(process.env)
  // Libraries that talk to the console, some while they are loaded, talk to the operators' log instead.
  const log = openLog(config.logLevel)
  console.info = console.warn = (line: unknown) => log.debug(String(line))
  const { startServer } = await import('./server.ts')
  const server = await startServer(config, { progress: complain })

  const stop = async () => {
    complain('draining')
    await server.close()
    process.exit(0)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)

  if (server.newCredentialPath !== undefined) {
    complain(`the first administrator's credential is in ${server.newCredentialPath}; keep it safe`)
  }
  say(`writ listening on ${server.issuer}`)
}

/** What an operator can mend is one line; everything else is a fault, with its stack. */
function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof DataDirectoryInUse || error instanceof MigrationRefused) {
    return error.message
  }
  const { code, address, port, message, stack } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  if (code === 'EADDRINUSE') return `${address}:${port} is in use; stop what listens there, or set WRIT_PORT`
  if (code === 'ECONNREFUSED') return `the database cannot be reached: ${message}; check DATABASE_URL`
  return stack ?? message
}

main().catch((error: unknown) => {
  complain(explain(error))
  process.exit(1)
})
