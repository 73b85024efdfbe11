import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import { CliError, EXIT } from '../cli-error.ts'
import { confirm } from '../input/confirm.ts'
import type { Io } from '../io.ts'

/** Runs the maintenance program; what it has to say it says itself. */
export async function maintain(io: Io, args: readonly string[]): Promise<void> {
  const code = await io.maintenance(args)
  if (code !== 0) throw new CliError(EXIT.refused, `the maintenance program ended with status ${code}`)
}

/** `writ backup` and `writ restore`: they work on the server's own data, not through its API. */
export function addMaintenance(program: Command, io: Io): void {
  const where = `Runs on the machine of the server, with its environment (WRIT_DATA_DIR, DATABASE_URL).`
  const backup = program.command('backup <file>').summary(`save the server's data, on its machine`)
  backup.description(
    `Saves everything the server knows into one file. ${where}\nThe file holds what the server holds: keep it as safe.`,
  )
  examples(backup, [['writ backup writ-2027-01-31.backup']])
  act(backup, io, (_, file: string) => maintain(io, ['backup', file]))

  const restore = program.command('restore <file>').summary('put saved data back, on the machine of the server')
  restore
    .description(
      `Puts saved data back, over what is there. ${where}\nStop the server first. Action tokens that are out are void afterwards.`,
    )
    .option('-y, --yes', 'do not ask')
  examples(restore, [['writ restore writ-2027-01-31.backup --yes']])
  act(restore, io, async (_, file: string, { yes }: { yes?: boolean }) => {
    await confirm(io, `Replace everything the server knows by ${file}?`, yes)
    await maintain(io, ['restore', file])
  })
}
