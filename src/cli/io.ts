/** All that the command line touches of the world around it, so that a test can be that world. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** Whether a person reads standard output. */
  readonly isTerminal: boolean
  /** Width of the terminal. Unit: columns. */
  readonly columns: number
  readonly readStdin: () => Promise<string>
  /** Asks a question; undefined where nobody is there to answer. */
  readonly ask: ((question: string) => Promise<string>) | undefined
  readonly now: () => Date
  /** Aborted when the person wants to stop (Ctrl-C); only commands that run until then look at it. */
  readonly stopped: AbortSignal
  /** Runs the maintenance program on this machine, its streams passed through, and tells its exit code. */
  readonly maintenance: (args: readonly string[]) => Promise<number>
  /** Becomes the server of this installation, with these environment variables besides ours; it ends the process itself. */
  readonly serve: (settings: Readonly<Record<string, string>>) => Promise<void>
}
