import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import { parseWhole } from '../input/parse-when.ts'
import type { Io } from '../io.ts'

/** `writ serve`: the server itself, with the settings of its environment. */
export function addServe(program: Command, io: Io): void {
  const serve = program.command('serve').summary('run the server on this machine')
  serve
    .description(
      `Runs the server with the settings of its environment and WRIT_CONFIG, as npm start does. It says when it listens, drains on\nSIGTERM, and with several workers replaces them one by one on SIGHUP. Several workers need PostgreSQL (DATABASE_URL).`,
    )
    .option('--workers <n>', 'processes that serve on the port (default: WRIT_WORKERS, or 1)', parseWhole(1, 256))
  examples(serve, [['DATABASE_URL=postgresql://writ@db.internal/writ writ serve --workers 4']])
  act(serve, io, (_, { workers }: { workers?: number }) =>
    io.serve(workers === undefined ? {} : { WRIT_WORKERS: String(workers) }),
  )
}
