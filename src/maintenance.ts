import { rename } from 'node:fs/promises'
import { credentialPath, resetAdministrator } from './adapters/bootstrap/administrator-credential.ts'
import { systemIds } from './adapters/clock.ts'
import { backUp, restore } from './adapters/maintenance/backup.ts'
import { migrate } from './adapters/prisma/migrate.ts'
import { type Database, openDatabase } from './adapters/prisma/open-database.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { explainStart } from './explain-start.ts'

/** Work on the server's own machine, with its data directory and database, past the admin API. */
const COMMANDS: Readonly<
  Record<string, (database: Database, config: Config, args: readonly string[]) => Promise<string>>
> = {
  backup: async (database, _config, [path]) => {
    const counts = await backUp(database, required(path, 'backup <file>'))
    return `backed up ${summary(counts)} to ${path}\nnext: keep it apart from the key-encryption key, without which its keys stay sealed`
  },
  restore: async (database, _config, [path]) => {
    const counts = await restore(database, required(path, 'restore <file>'))
    return `restored ${summary(counts)}; tokens issued before are void\nnext: start the server with the key-encryption key of the backup, and do again what was stopped since the backup was made: suspensions, revocations, retired keys; if a signing key was compromised meanwhile, writ keys rotate --compromised`
  },
  'reset-credential': async (database, config) => {
    const path = credentialPath(config.dataDirectory)
    await rename(path, `${path}.old`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    await resetAdministrator(database, config.dataDirectory, systemIds.recordId())
    return `the administrator "admin" has a new key, in ${path}; its old keys are retired\nnext: remove ${path}.old, if it is there`
  },
}

async function main([name = '', ...args]: readonly string[]): Promise<void> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new ConfigError(`unknown command; there are: ${Object.keys(COMMANDS).join(', ')}`)
  const config = readConfig(process.env)
  const database = await openDatabase({ databaseUrl: config.databaseUrl, dataDirectory: config.dataDirectory })
  try {
    await migrate({ database, log: (line) => process.stderr.write(`writ: ${line}\n`) })
    process.stdout.write(`${await command(database, config, args)}\n`)
  } finally {
    await database.close()
  }
}

function required(value: string | undefined, usage: string): string {
  if (value === undefined) throw new ConfigError(`usage: writ ${usage}`)
  return value
}

const summary = (counts: Readonly<Record<string, number>>) =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([table, count]) => `${count} ${table}`)
    .join(', ')

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`writ: ${explainStart(error)}\n`)
  process.exit(1)
})
