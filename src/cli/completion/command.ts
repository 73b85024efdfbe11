import { Argument, type Command } from 'commander'
import { act, examples } from '../cli.ts'
import type { Io } from '../io.ts'
import { commandTree } from './command-tree.ts'
import { completionScript, SHELLS, type Shell } from './scripts.ts'

/** `writ completion`. */
export function addCompletion(program: Command, io: Io): void {
  const command = program.command('completion').summary('print a completion script for your shell')
  command
    .description('Prints a script that completes commands and options in your shell.')
    .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
  examples(command, [
    ['source <(writ completion bash)', 'bash: in ~/.bashrc'],
    ['source <(writ completion zsh)', 'zsh: in ~/.zshrc, after compinit'],
    ['writ completion fish > ~/.config/fish/completions/writ.fish', 'fish'],
  ])
  act(command, io, async (_, shell: Shell) => {
    io.out(completionScript(shell, commandTree(program)))
  })
}
