import { usageError } from '../cli-error.ts'
import type { Io } from '../io.ts'

/**
 * Asks before something that cannot be undone. `--yes` is the answer where nobody can be asked.
 *
 * @throws CliError when the answer is no, or there is none.
 */
export async function confirm(io: Io, question: string, isYes: boolean | undefined): Promise<void> {
  if (isYes) return
  if (io.ask === undefined)
    throw usageError(
      `this asks first, and nobody is here to answer: ${question}`,
      'say --yes if it is meant; nothing was done',
    )
  const answer = (await io.ask(`${question} [y/N] `)).trim().toLowerCase()
  if (answer !== 'y' && answer !== 'yes') throw usageError('not confirmed; nothing was done')
}
