import { CredentialUnusable } from './adapters/bootstrap/administrator-credential.ts'
import { KeyEncryptionRefused } from './adapters/keys/key-encryption.ts'
import { BackupRefused } from './adapters/maintenance/backup.ts'
import { MetricsPortRefused } from './adapters/metrics/metrics-listener.ts'
import { DataDirectoryInUse } from './adapters/prisma/data-directory-lock.ts'
import { isDatabaseUnavailable } from './adapters/prisma/database-errors.ts'
import { MigrationRefused } from './adapters/prisma/migrate.ts'
import { DatabaseRefused } from './adapters/prisma/postgres-database.ts'
import { ConfigError } from './config.ts'

/** Faults that an operator can mend: their message is one line that says how. */
const MENDABLE = [
  ConfigError,
  DataDirectoryInUse,
  DatabaseRefused,
  MigrationRefused,
  KeyEncryptionRefused,
  CredentialUnusable,
  BackupRefused,
  MetricsPortRefused,
]

/** Wrong password, unknown role, unknown database: what PostgreSQL answers to a wrong DATABASE_URL. */
const WRONG_DATABASE_URL: ReadonlySet<string | undefined> = new Set(['28P01', '28000', '3D000', '42501'])

/** What an operator can mend is one line; everything else is a fault, with its stack. */
export function explainStart(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (MENDABLE.some((kind) => error instanceof kind)) return error.message
  const { code, address, port, syscall, message, stack } = error as NodeJS.ErrnoException & {
    address?: string
    port?: number
  }
  if (code === 'EADDRINUSE') return `${address}:${port} is in use; stop what listens there, or set WRIT_PORT`
  // A worker's port is bound by the primary, which says so.
  if (syscall === 'listen' || syscall === 'bind') return `${message}; check WRIT_HOST and WRIT_PORT`
  if (WRONG_DATABASE_URL.has(code)) return `the database refuses us: ${message}; check DATABASE_URL`
  if (isDatabaseUnavailable(error)) return `the database cannot be reached: ${reasonOf(error)}; check DATABASE_URL`
  if (syscall !== undefined) return `${message}; check WRIT_DATA_DIR`
  return stack ?? message
}

/** One failed attempt per address of a host name comes as an AggregateError without words of its own. */
const reasonOf = (error: Error): string =>
  error instanceof AggregateError ? error.errors.map(({ message }: Error) => message).join(', ') : error.message
