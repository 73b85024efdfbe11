import type { Command } from 'commander'
import { jsonText, visibleLines } from '../../core/visible.ts'
import { act, examples } from '../cli.ts'
import { usageError } from '../cli-error.ts'
import { refusalOf } from '../connection/refusal-of.ts'
import { readJsonArgument } from '../input/read-text.ts'
import type { Io } from '../io.ts'

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE']

/** `writ api`: any call of the admin API. */
export function addApi(program: Command, io: Io): void {
  const command = program.command('api <method> <path>').summary('make any call of the admin API')
  command
    .description(
      'Makes any call of the admin API, signed in as you are, and prints the answer as it is.\nThe paths: writ api GET /admin/openapi.json. Secrets belong into a file or standard input, not on the command line.',
    )
    .option('-d, --data <json>', 'the body: JSON text, @file, or - for standard input')
    .option('--if-match <etag>', 'change only this version; quotes may be left out')
    .option('--idempotency-key <key>', 'makes a POST safe to repeat')
    .option('-i, --include', 'print status and headers, too (on standard error)')
  examples(command, [
    ['writ api GET /admin/agents/planner --include'],
    [`writ api PATCH /admin/agents/planner --if-match 3 --data '{"owner":"team-mail@example.com"}'`],
    ['writ api POST /admin/delegations --data @delegation.json'],
  ])
  interface Options {
    readonly data?: string
    readonly ifMatch?: string
    readonly idempotencyKey?: string
    readonly include?: boolean
  }
  act(command, io, async (cli, verb: string, path: string, options: Options) => {
    const method = verb.toUpperCase()
    if (!METHODS.includes(method)) throw usageError(`unknown method "${verb}"`, `one of ${METHODS.join(', ')}`)
    if (!/^\/admin\/[\x21-\x7e]*$/.test(path) || path.includes('#')) {
      throw usageError(`the path must begin with /admin/, found "${path}"`, 'such as /admin/agents?limit=10')
    }
    if (method === 'GET' && options.data !== undefined) throw usageError('GET has no body', 'leave --data out')
    const given = options.data === undefined ? undefined : await readJsonArgument(io, options.data, '--data')
    // The API reads an empty object as "nothing said", and no body at all as a mistake.
    const body = given ?? (method === 'POST' || method === 'DELETE' ? {} : undefined)
    const { idempotencyKey, ifMatch } = options
    const reply = await (await cli.api()).call(method, path, { body, idempotencyKey, ifMatch: entityTag(ifMatch) })
    if (options.include) {
      io.err(`${reply.status}\n${[...reply.headers].map(([name, value]) => `${name}: ${value}\n`).join('')}\n`)
    }
    const text = reply.json === undefined ? visibleLines(reply.text) : jsonText(reply.json)
    if (text !== '') io.out(`${text}\n`)
    if (reply.status > 299) throw refusalOf(reply, `${method} ${path}`)
  })
}

/** A shell eats quotes easily: a bare version is meant as a tag. */
const entityTag = (text: string | undefined) => (text === undefined || /["*]/.test(text) ? text : `"${text}"`)
