import type { Command } from 'commander'

/** One command as a shell sees it. */
export interface Place {
  /** Words from the program's name on: `writ agents list`. */
  readonly path: string
  readonly summary: string
  readonly subcommands: readonly { readonly name: string; readonly summary: string }[]
  readonly options: readonly { readonly flag: string; readonly summary: string; readonly takesValue: boolean }[]
}

/** Every command of the tree, from the root down. */
export function commandTree(program: Command): readonly Place[] {
  const root = program.name()
  const globals = optionsOf(program).filter(({ flag }) => flag !== '--version')
  const visit = (command: Command, path: string): Place[] => {
    const subcommands = command.createHelp().visibleCommands(command)
    const own = command === program ? optionsOf(program) : [...optionsOf(command), ...globals]
    const place: Place = {
      path,
      summary: command.summary() || firstLine(command.description()),
      subcommands: subcommands.map((sub) => ({
        name: sub.name(),
        summary: sub.summary() || firstLine(sub.description()),
      })),
      options: [...own, { flag: '--help', summary: 'show help', takesValue: false }],
    }
    return [place, ...command.commands.flatMap((sub) => visit(sub, `${path} ${sub.name()}`))]
  }
  return visit(program, root)
}

const optionsOf = (command: Command) =>
  command.options
    .filter(({ hidden }) => !hidden)
    .map(({ long, short, description, required, optional }) => ({
      flag: long ?? short ?? '',
      summary: firstLine(description),
      takesValue: required || optional,
    }))

const firstLine = (text: string) => text.split('\n')[0] ?? ''
