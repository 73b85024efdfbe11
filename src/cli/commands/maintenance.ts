import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import { CliError, EXIT } from '../cli-error.ts'
import { confirm } from '../input/confirm.ts'
import type { Io } from '../io.ts'

/** Runs the maintenance program; what it has to say it says itself. */
export async function maintain(io: Io, args: readonly string[]): Promise<void> {
  const code = await io.maintenance(args)
  // It has said why.
  if (code !== 0) throw new CliError(EXIT.refused, '')
}

/** `writ backup` and `writ restore`: they work on the server's own data, not through its API. */
export function addMaintenance(program: Command, io: Io): void {
  const where = `Runs on the machine of the server, with its environment (WRIT_DATA_DIR, DATABASE_URL).`
  const backup = program.command('backup <file>').summary(`save the server's data, on its machine`)
  backup.description(
    `Saves everything the server knows into one file, as of one moment. ${where}\nKeys are sealed in it: keep the key-encryption key (<data directory>/kek) as well, and apart.`,
  )
  examples(backup, [['writ backup writ-2027-01-31.backup']])
  act(backup, io, (_, file: string) => maintain(io, ['backup', file]))

  const restore = program.command('restore <file>').summary('fill a new database from a backup, on its machine')
  restore
    .description(
      `Fills a new, empty database (another WRIT_DATA_DIR or DATABASE_URL) from a backup. ${where}\nAction tokens that are out are void afterwards. The server needs the key-encryption key of the backup.`,
    )
    .option('-y, --yes', 'do not ask')
  examples(restore, [['WRIT_DATA_DIR=/srv/writ-new writ restore writ-2027-01-31.backup --yes']])
  act(restore, io, async (_, file: string, { yes }: { yes?: boolean }) => {
    await confirm(io, `Fill a new database from ${file}? Action tokens that are out become void.`, yes)
    await maintain(io, ['restore', file])
  })
}
