import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { visibleLines } from '../core/visible.ts'
import { DEFAULT_ISSUER, examples } from './cli.ts'
import { CliError, EXIT } from './cli-error.ts'
import { addCommands } from './commands/all.ts'
import { addCompletion } from './completion/command.ts'
import { tellIdsFromOptions } from './input/dashed-ids.ts'
import type { Io } from './io.ts'
import { painter } from './output/paint.ts'

/**
 * Runs one command line.
 *
 * @param argv what stands after the program's name.
 * @returns the exit status: 0 done, 1 refused by the server, 2 wrong usage, 3 the server cannot be reached or does not accept us.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const program = buildProgram(io)
  try {
    await program.parseAsync([...tellIdsFromOptions(argv, program)], { from: 'user' })
    return EXIT.done
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    if (!(error instanceof CliError)) throw error
    complain(io, error)
    return error.exitCode
  }
}

/** The whole tree of commands. */
export function buildProgram(io: Io): Command {
  const program = new Command('writ')
  const paint = painter({ ...io, isTerminal: io.isTerminal })
  program
    .exitOverride()
    .configureOutput({
      writeOut: io.out,
      writeErr: io.err,
      outputError: (text, write) => write(`writ: ${text.replace(/^error: /, '')}`),
      getOutHelpWidth: () => Math.min(io.columns, 120),
      getErrHelpWidth: () => Math.min(io.columns, 120),
      getOutHasColors: () => io.isTerminal,
      getErrHasColors: () => io.isTerminal,
    })
    .configureHelp({ showGlobalOptions: true, styleTitle: (title) => paint('bold', title) })
    .showHelpAfterError('  mend:  add --help to see how it is written')
    .description(
      'writ: the command line of administrators of a Writ server.\nEverything it does goes through the admin API, and into the record.',
    )
    .version(version(), '--version', 'print the version')
    .option('--issuer <url>', `the server (default: WRIT_ISSUER, or ${DEFAULT_ISSUER})`)
    .option(
      '--credential <file>',
      'who you are (default: WRIT_CREDENTIAL, or admin-credential.json in WRIT_DATA_DIR or .writ)',
    )
    .option('--json', `print the API's own JSON`)
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help')
  examples(program, [
    ['writ principals create alice --name "Alice"'],
    ['writ agents create planner --enrol'],
    ['writ resources create mail --identifier https://mail.example'],
    [
      `writ delegations create --for alice --agent planner --resource https://mail.example \\\n      --allow 'email_send to=*@company.com max-items=2'`,
    ],
    ['writ records tail'],
  ])
  program.addHelpText(
    'after',
    '\nExit status: 0 done, 1 the server refused, 2 wrong usage, 3 the server cannot be reached or does not accept you.',
  )
  addCommands(program, io)
  addCompletion(program, io)
  return program
}

function complain(io: Io, { message, where, mend }: CliError): void {
  if (message === '') return
  const indented = (label: string, text: string) =>
    text
      .split('\n')
      .map((line, n) => `  ${(n === 0 ? label : '').padEnd(7)}${line}\n`)
      .join('')
  const lines = `writ: ${message}\n${where ? indented('at:', where) : ''}${mend ? indented('mend:', mend) : ''}`
  io.err(visibleLines(lines))
}

function version(): string {
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : 'unknown'
}
