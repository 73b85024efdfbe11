import { open, unlink } from 'node:fs/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { act, type Cli, examples } from '../cli.ts'
import { CliError, EXIT, usageError } from '../cli-error.ts'
import type { AdminApi } from '../connection/admin-api.ts'
import { readPages } from '../connection/pages.ts'
import { parseWhole } from '../input/parse-when.ts'
import type { Io } from '../io.ts'
import { text } from '../output/fields.ts'
import { moment } from '../output/moment.ts'
import { type Columns, printList } from '../output/print-list.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'
import { asItem } from './registered.ts'

const MAX_SECONDS = 7 * 24 * 3_600

const Enrolment = z.looseObject({
  id: z.string().regex(/^[\x21-\x7e]{1,255}$/),
  // It goes onto a terminal and into a file: what it may hold is checked, like everything that comes from elsewhere.
  code: z.string().regex(/^[A-Za-z0-9_-]{16,256}$/),
  expires_at: z.number(),
})
type Enrolment = z.infer<typeof Enrolment>

export interface EnrolOptions {
  readonly expiresIn?: number
  readonly jkt?: string
  readonly codeFile?: string
}

/** Declares what a new enrolment can be told. */
export const addEnrolOptions = (command: Command): Command =>
  command
    .option('--expires-in <seconds>', 'how long the code is good for (default: 900)', parseWhole(1, MAX_SECONDS))
    .option('--jkt <thumbprint>', 'the only key that fits (RFC 7638), where it is known')
    .option('--code-file <file>', 'write the code into a new file (0600) instead of printing it')

/** `agents enrol`, and what of an agent's enrolments there is to see and to withdraw. */
export function addEnrol(group: Command, io: Io): void {
  const command = addEnrolOptions(group.command('enrol <id>').summary('let an agent bind a key by a one-time code'))
  command.description(
    'Makes a one-time code with which the agent binds a key of its own, and prints what its developer needs.\nThe code is shown once. Every further key of the agent needs another enrolment.',
  )
  examples(command, [
    ['writ agents enrol planner'],
    ['writ agents enrol planner --expires-in 3600 --code-file planner.code', 'the code in a file that only you read'],
  ])
  act(command, io, async (cli, id: string, options: EnrolOptions) => {
    await withCodeFile(options, async (writeCode) => {
      const api = await cli.api()
      const enrolment = await createEnrolment(api, id, options)
      await writeCode(enrolment.code)
      const json = options.codeFile === undefined ? enrolment : { ...enrolment, code: undefined }
      cli.print(json, () => [
        `${cli.paint('green', '✓')} ${capital(enrolmentLine(id, enrolment, io.now()))}`,
        ...developerLines(cli, api.issuer, id, enrolment, options),
      ])
    })
  })
  addEnrolments(group, io)
  addWithdraw(group, io)
}

const COLUMNS: Columns = [
  ['ID', 'id'],
  ['STATUS', 'status'],
  ['KEY', (item) => text(item, 'kid') || text(item, 'jkt')],
  ['EXPIRES', 'expires_at'],
  ['BY', 'created_by'],
]

function addEnrolments(group: Command, io: Io): void {
  const list = addPaging(group.command('enrolments <id>').summary('list enrolments, without their codes'))
  list.description(
    'Lists the enrolments of an agent, newest first, and what became of each. Their codes were shown once.',
  )
  examples(list, [['writ agents enrolments planner']])
  act(list, io, async (cli, id: string, options: PagingOptions) => {
    const listing = await readPages(await cli.api(), enrolments(id), { ...options, count: countOf(options) })
    printList(cli, listing, COLUMNS, `There are none: writ agents enrol ${id}`)
  })
}

function addWithdraw(group: Command, io: Io): void {
  const withdraw = group.command('unenrol <id> [enrolment]').summary('withdraw enrolments that were not used yet')
  withdraw.description(
    'Withdraws one enrolment that was not used yet, or all of the agent. The codes are worth nothing from then on.',
  )
  examples(withdraw, [['writ agents unenrol planner'], ['writ agents unenrol planner enr_0199…']])
  act(withdraw, io, async (cli, id: string, enrolment: string | undefined) => {
    const path = enrolment === undefined ? enrolments(id) : `${enrolments(id)}/${encodeURIComponent(enrolment)}`
    const answer = asItem(await (await cli.api()).ask('DELETE', path, { body: {} }))
    const count = Array.isArray(answer.withdrawn) ? answer.withdrawn.length : 0
    const done = `Withdrew ${count} enrolment${count === 1 ? '' : 's'} of agent ${id}.`
    cli.report(answer, done, [`A new one: writ agents enrol ${id}`])
  })
}

const enrolments = (id: string) => `/admin/agents/${encodeURIComponent(id)}/enrolments`

/** Makes an enrolment. Throws a CliError when the server says no. */
export async function createEnrolment(api: AdminApi, id: string, options: EnrolOptions): Promise<Enrolment> {
  const body = { expires_in: options.expiresIn, jkt: options.jkt }
  const parsed = Enrolment.safeParse(await api.ask('POST', enrolments(id), { body }))
  if (!parsed.success) throw new CliError(EXIT.unreachable, 'the answer is no enrolment', { where: enrolments(id) })
  return parsed.data
}

/** Opens the file for the code before the code is made: a code that can be put nowhere would be lost. */
export async function withCodeFile(
  { codeFile }: EnrolOptions,
  use: (writeCode: (code: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (codeFile === undefined) return use(async () => undefined)
  const file = await open(codeFile, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'EEXIST' ? 'is there already' : `cannot be written (${error.code})`
    throw usageError(`${codeFile} ${why}`, 'name a new file with --code-file')
  })
  try {
    await use((code) => file.writeFile(`${code}\n`))
  } catch (error) {
    await unlink(codeFile)
    throw error
  } finally {
    await file.close()
  }
}

const enrolmentLine = (id: string, { expires_at }: Enrolment, now: Date) =>
  `agent ${id} may bind one key until ${moment(expires_at, now)}.`

/** What the agent's developer needs, ready to be passed on. */
export function developerLines(
  cli: Cli,
  issuer: string,
  id: string,
  { id: enrolment, code, expires_at }: Enrolment,
  options: EnrolOptions,
): string[] {
  const secret =
    options.codeFile === undefined ? `${cli.paint('bold', code)}  (shown this once)` : `in ${options.codeFile}`
  return [
    '',
    'Give these to the developer of the agent, the code over a channel that you trust:',
    '',
    `  issuer   ${cli.paint('bold', issuer)}`,
    `  code     ${secret}`,
    `  expires  ${moment(expires_at, cli.io.now())}`,
    '',
    'They run this once; it asks for the code, so that it stands in no shell history:',
    '',
    ...snippet(issuer, id).map((line) => (line === '' ? '' : `  ${line}`)),
    '',
    cli.paint('dim', `Next: writ delegations create --agent ${id} --help`),
    cli.paint('dim', `Withdraw the code: writ agents unenrol ${id} ${enrolment}`),
  ]
}

/** A program that makes the agent's key, and binds it with a code that it reads from standard input. */
export const snippet = (issuer: string, id: string): readonly string[] => [
  '// enrol.mjs: node enrol.mjs',
  `import { createInterface } from 'node:readline/promises'`,
  `import { enrol } from 'writ/agent'`,
  `import { loadOrCreateKey } from 'writ/agent/file-key'`,
  '',
  'const input = createInterface({ input: process.stdin, output: process.stderr })',
  `const code = (await input.question('Code: ')).trim()`,
  'input.close()',
  `const key = await loadOrCreateKey('${id}.key.json')`,
  `console.log(await enrol({ issuer: '${issuer}', code, key }))`,
]

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)
