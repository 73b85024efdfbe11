/** What the exit status says to a script. */
export const EXIT = {
  done: 0,
  /** The server understood and said no. */
  refused: 1,
  /** The command was not written as it must be; nothing was sent, or nothing was changed. */
  usage: 2,
  /** The server could not be reached, or did not take us for an administrator. */
  unreachable: 3,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Why a command ends without having done what it was asked: what was wrong, where, and how to mend it. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  /** The file, member or address that it is about; lines of text. */
  readonly where: string | undefined
  readonly mend: string | undefined

  constructor(
    exitCode: ExitCode,
    message: string,
    { where, mend, cause }: { readonly where?: string; readonly mend?: string; readonly cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
    this.where = where
    this.mend = mend
  }
}

/** A command that was not written as it must be. */
export const usageError = (message: string, mend?: string, where?: string): CliError =>
  new CliError(EXIT.usage, message, { ...(mend !== undefined && { mend }), ...(where !== undefined && { where }) })
