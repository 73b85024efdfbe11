import type { Command } from 'commander'
import { jsonText } from '../core/visible.ts'
import { type AdminApi, adminApi } from './connection/admin-api.ts'
import { defaultCredentialPath, readCredential } from './connection/credential.ts'
import { readIssuer } from './connection/issuer.ts'
import type { Io } from './io.ts'
import { type Paint, painter } from './output/paint.ts'

export const DEFAULT_ISSUER = 'http://localhost:3000'

/** What a command works with. */
export interface Cli {
  readonly io: Io
  readonly paint: Paint
  /** Whether a program reads what is printed: the API's own JSON, and no other word. */
  readonly isJson: boolean
  /** The admin API of the server that the options name; nothing is sent before it is asked. */
  readonly api: () => Promise<AdminApi>
  /** Prints the JSON for a program, or the lines for a person. */
  readonly print: (json: unknown, lines: () => readonly string[]) => void
  /** Prints what was done and what to do next. */
  readonly report: (json: unknown, done: string, next?: readonly string[]) => void
}

interface GlobalOptions {
  readonly issuer?: string
  readonly credential?: string
  readonly json?: boolean
}

/** Reads the options that every command has. */
export function openCli(io: Io, command: Command): Cli {
  const options = command.optsWithGlobals<GlobalOptions>()
  const paint = painter(io)
  const isJson = options.json === true
  const print: Cli['print'] = (json, lines) => {
    io.out(
      isJson
        ? `${jsonText(json)}\n`
        : lines()
            .map((line) => `${line}\n`)
            .join(''),
    )
  }
  let api: Promise<AdminApi> | undefined
  const connect = async () => {
    const issuer = readIssuer(options.issuer ?? (io.env.WRIT_ISSUER || DEFAULT_ISSUER))
    const path = options.credential ?? (io.env.WRIT_CREDENTIAL || defaultCredentialPath(io.env))
    return adminApi(issuer, await readCredential(path), io.now)
  }
  return {
    io,
    paint,
    isJson,
    api: () => {
      api ??= connect()
      return api
    },
    print,
    report: (json, done, next = []) =>
      print(json, () => [`${paint('green', '✓')} ${done}`, ...next.map((line) => paint('dim', `  ${line}`))]),
  }
}

/** Gives a command what it does. Its arguments come as commander read them. */
export function act<Args extends readonly unknown[]>(
  command: Command,
  io: Io,
  run: (cli: Cli, ...args: Args) => Promise<void>,
): Command {
  return command.action(async (...args: unknown[]) => {
    // The last argument is the command itself, and before it stand its options.
    await run(openCli(io, command), ...(args.slice(0, -1) as unknown as Args))
  })
}

/** Ends the help of a command with examples. */
export function examples(command: Command, lines: readonly (readonly [line: string, says?: string])[]): Command {
  const text = lines.map(([line, says]) => (says === undefined ? `  ${line}` : `  # ${says}\n  ${line}`)).join('\n')
  return command.addHelpText('after', `\nExamples:\n${text}`)
}
