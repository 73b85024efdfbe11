import { CredentialUnusable } from './adapters/bootstrap/administrator-credential.ts'
import { KeyEncryptionRefused } from './adapters/keys/key-encryption.ts'
import { DataDirectoryInUse } from './adapters/prisma/data-directory-lock.ts'
import { isDatabaseUnavailable } from './adapters/prisma/database-errors.ts'
import { MigrationRefused } from './adapters/prisma/migrate.ts'
import { DatabaseRefused } from './adapters/prisma/postgres-database.ts'
import { ConfigError, readConfig } from './config.ts'
import { startServer } from './server.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)
const complain = (line: string) => process.stderr.write(`writ: ${line}\n`)

/** Reads the configuration, starts the server, and drains it on SIGTERM. */
async function main(): Promise<void> {
  const config = readConfig(process.env)
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

/** Faults that an operator can mend: their message is one line that says how. */
const MENDABLE = [
  ConfigError,
  DataDirectoryInUse,
  DatabaseRefused,
  MigrationRefused,
  KeyEncryptionRefused,
  CredentialUnusable,
]

/** Wrong password, unknown role, unknown database: what PostgreSQL answers to a wrong DATABASE_URL. */
const WRONG_DATABASE_URL: ReadonlySet<string | undefined> = new Set(['28P01', '28000', '3D000', '42501'])

/** What an operator can mend is one line; everything else is a fault, with its stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (MENDABLE.some((kind) => error instanceof kind)) return error.message
  const { code, address, port, syscall, message, stack } = error as NodeJS.ErrnoException & {
    address?: string
    port?: number
  }
  if (code === 'EADDRINUSE') return `${address}:${port} is in use; stop what listens there, or set WRIT_PORT`
  if (syscall === 'listen') return `${message}; check WRIT_HOST and WRIT_PORT`
  if (WRONG_DATABASE_URL.has(code)) return `the database refuses us: ${message}; check DATABASE_URL`
  if (isDatabaseUnavailable(error)) return `the database cannot be reached: ${reasonOf(error)}; check DATABASE_URL`
  if (syscall !== undefined) return `${message}; check WRIT_DATA_DIR`
  return stack ?? message
}

/** One failed attempt per address of a host name comes as an AggregateError without words of its own. */
const reasonOf = (error: Error): string =>
  error instanceof AggregateError ? error.errors.map(({ message }: Error) => message).join(', ') : error.message

main().catch((error: unknown) => {
  complain(explain(error))
  process.exit(1)
})
