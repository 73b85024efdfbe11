import type { Io } from '../../src/cli/io.ts'
import { run } from '../../src/cli/run.ts'

export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly stdin?: string
  /** A person sits there: a terminal, and this answer to every question. */
  readonly answer?: string
  readonly isTerminal?: boolean
  readonly columns?: number
  readonly stopped?: AbortSignal
  /** Sees what is printed as it comes. */
  readonly onOut?: (text: string) => void
  readonly maintenance?: Io['maintenance']
  readonly serve?: Io['serve']
}

/** One command line, run as the program would run it, in a world that is written down. */
export async function writ(args: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  const {
    env = {},
    stdin = '',
    answer,
    isTerminal = false,
    columns = 100,
    stopped,
    onOut,
    maintenance,
    serve,
  } = surroundings
  let out = ''
  let err = ''
  const io: Io = {
    env,
    out: (text) => {
      out += text
      onOut?.(text)
    },
    err: (text) => {
      err += text
    },
    isTerminal,
    columns,
    readStdin: async () => stdin,
    ask: answer === undefined ? undefined : async () => answer,
    now: () => new Date(),
    stopped: stopped ?? new AbortController().signal,
    maintenance: maintenance ?? (async () => 0),
    serve: serve ?? (async () => {}),
  }
  const code = await run(args, io)
  return { code, out, err }
}

/** The environment in which `writ` finds a server and its credential. */
export const at = (server: { readonly issuer: string; readonly dataDirectory: string }) => ({
  WRIT_ISSUER: server.issuer,
  WRIT_DATA_DIR: server.dataDirectory,
})
