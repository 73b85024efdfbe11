import type { Command } from 'commander'
import { z } from 'zod'
import type { ExplainedType } from '../../core/delegation/explain/explain-bound.ts'
import { act, type Cli, examples } from '../cli.ts'
import { CliError, EXIT, usageError } from '../cli-error.ts'
import type { AdminApi } from '../connection/admin-api.ts'
import { type Item, readPages } from '../connection/pages.ts'
import { explainDelegation, ShownDelegation } from '../explain/explain-delegation.ts'
import { limitsLeft } from '../explain/limits-left.ts'
import { confirm } from '../input/confirm.ts'
import { collect, parseBeginning, parseEnd, parseWhole } from '../input/parse-when.ts'
import type { Io } from '../io.ts'
import type { WrittenDelegable } from '../notation/read-limits.ts'
import { fields, text } from '../output/fields.ts'
import { distance, numericDate, timeOf } from '../output/moment.ts'
import { printList } from '../output/print-list.ts'
import { APPROVAL_HELP, type ApprovalOptions, addApprovalOptions, readApproval } from './approval-options.ts'
import { addTree } from './delegation-tree.ts'
import { addLimitOptions, LIMITS_HELP, type LimitOptions, parseDelegable, readLimits } from './limit-options.ts'
import { NOTATION_HELP } from './notation-help.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'
import { readActionType, readBounds } from './read-bounds.ts'
import { asItem } from './registered.ts'

const PATH = '/admin/delegations'
const pathOf = (id: string) => `${PATH}/${encodeURIComponent(id)}`

/** `writ delegations …`. */
export function addDelegations(program: Command, io: Io): void {
  const group = program.command('delegations').summary('who lets which agent do what')
  group.description('Delegations: a principal lets an agent do actions within bounds, at a resource, until a time.')
  examples(group, [
    [
      `writ delegations create --for alice --agent planner --resource https://mail.example \\\n      --allow 'email_send to=*@company.com max-items=2' --for-days 30`,
    ],
    [
      `writ delegations create --for alice --agent planner --resource https://mail.example \\\n      --allow 'email_send to=*' --approval 'outside=email_send to=*@company.com'`,
      'who writes to strangers is asked about',
    ],
    ['writ delegations explain dlg_0199…', 'what it allows, in sentences'],
    ['writ delegations tree dlg_0199…', 'what was given on from it'],
    ['writ delegations revoke dlg_0199…', 'end it and all below it, at once'],
  ])
  addCreate(group, io)
  addListing(group, io)
  addShow(group, io)
  addExplain(group, io)
  addTree(group, io)
  addRevoke(group, io)
}

interface CreateOptions extends LimitOptions, ApprovalOptions {
  readonly delegable?: WrittenDelegable
  readonly for: string
  readonly agent: string
  readonly resource?: string
  readonly allow?: readonly string[]
  readonly bounds?: string
  readonly until?: Date
  readonly forDays?: number
  readonly from?: Date
  readonly purpose?: string
}

const DAY_MILLISECONDS = 24 * 3_600 * 1_000

const afterDays = (now: Date, days: number | undefined) =>
  days === undefined ? undefined : new Date(now.getTime() + days * DAY_MILLISECONDS)

function addCreate(group: Command, io: Io): void {
  const create = group.command('create').summary('let an agent act for a principal')
  create
    .description(
      'Lets an agent act for a principal, within bounds. A delegation is never changed: revoke it and make another.',
    )
    .requiredOption('--for <principal>', 'on whose behalf')
    .requiredOption('--agent <id>', 'who may act')
    .option('--resource <identifier>', 'where; without it each bound names its locations')
    .option('--allow <bound>', 'what, in the short notation below; may be repeated', collect)
    .option('--bounds <file>', 'what, as JSON: one bound or an array (docs/bounds.md); - for standard input')
    .option('--until <time>', 'its end: 2027-01-31 or RFC 3339 (default: as late as the server allows)', parseEnd)
    .option('--for-days <n>', 'its end, in days from now', parseWhole(1, 36_500))
    .option('--from <time>', 'its beginning (default: now)', parseBeginning)
    .option('--purpose <text>', 'what it is for, in your words')
    .option(
      '--delegable <depth[:agents]>',
      'how far the agent may give it on, such as 1 or 2:helper,runner',
      parseDelegable,
    )
  addApprovalOptions(addLimitOptions(create)).addHelpText('after', `${NOTATION_HELP}\n${LIMITS_HELP}\n${APPROVAL_HELP}`)
  examples(create, [
    [
      `writ delegations create --for alice --agent planner --resource https://mail.example \\\n      --allow 'email_send to=*@company.com max-items=2' --for-days 30 --purpose "minutes of meetings"`,
    ],
    ['writ delegations create --for alice --agent planner --resource https://mail.example --bounds bounds.json'],
  ])
  act(create, io, async (cli, options: CreateOptions) => {
    if (options.allow === undefined && options.bounds === undefined) {
      throw usageError(
        'nothing is allowed yet',
        `say what with --allow 'email_send to=*@company.com', or --bounds <file>`,
      )
    }
    if (options.until !== undefined && options.forDays !== undefined) {
      throw usageError('--until and --for-days are both an end', 'say one of both')
    }
    const api = await cli.api()
    const { bounds, notes } = await readBounds(io, api, options)
    const limits = await readLimits(io, options)
    const approval = await readApproval(api, options)
    const unsaid = [...notes, ...approval.notes]
    const end = options.until ?? afterDays(io.now(), options.forDays)
    const body = {
      principal: options.for,
      agent: options.agent,
      resource: options.resource,
      authorization_details: bounds,
      limits,
      delegable: options.delegable,
      approval: approval.rule,
      not_before: options.from && numericDate(options.from),
      expires_at: end && numericDate(end),
      purpose: options.purpose,
    }
    const answer = await api.ask('POST', PATH, { body })
    const delegation = parseDelegation(answer)
    const types = await typesOf(api, delegation)
    cli.print(answer, () => [
      `${cli.paint('green', '✓')} Granted delegation ${cli.paint('bold', delegation.id)}.`,
      '',
      ...explainDelegation(delegation, types, { paint: cli.paint, now: io.now() }),
      ...(unsaid.length === 0 ? [] : ['', ...unsaid.map((note) => cli.paint('yellow', `Note: ${note}.`))]),
      '',
      cli.paint('dim', 'The agent finds it by itself, with its subject token: GET /delegations, or writ/agent.'),
      cli.paint('dim', `End it: writ delegations revoke ${delegation.id}`),
    ])
  })
}

function addListing(group: Command, io: Io): void {
  const list = addPaging(group.command('list').alias('ls').summary('list delegations'))
  list
    .description('Lists delegations, newest first.')
    .option('--agent <id>', 'of this agent only')
    .option('--for <principal>', 'of this principal only')
  examples(list, [['writ delegations list --agent planner'], ['writ delegations list --for alice --all --json']])
  act(list, io, async (cli, options: PagingOptions & { agent?: string; for?: string }) => {
    const filters = { agent: options.agent, principal: options.for }
    const listing = await readPages(await cli.api(), PATH, { ...options, filters, count: countOf(options) })
    const columns = [
      ['ID', 'id'],
      ['FOR', 'principal'],
      ['AGENT', 'agent'],
      ['RESOURCE', 'resource'],
      ['ALLOWS', allowedTypes],
      ['LEFT', (item: Item) => limitsLeft(item.limits)],
      ['STATUS', 'status'],
      ['ENDS', (item: Item) => distance(timeOf(item.expires_at) ?? io.now(), io.now())],
    ] as const
    printList(cli, listing, columns, 'There are none: writ delegations create --help')
  })
}

function allowedTypes(item: Item): string {
  const bounds = z.array(z.object({ type: z.string() })).safeParse(item.authorization_details).data ?? []
  return text({ types: [...new Set(bounds.map(({ type }) => type))].join(', ') }, 'types')
}

function addShow(group: Command, io: Io): void {
  const show = group.command('show <id>').summary('show one delegation, as it is stored')
  show.description(
    'Shows a delegation as it is stored. With --json also its subject token, which only its agent can use.',
  )
  examples(show, [['writ delegations show dlg_0199…'], ['writ delegations show dlg_0199… --json']])
  act(show, io, async (cli, id: string) => {
    const item = asItem(await (await cli.api()).ask('GET', pathOf(id)))
    const { subject_token: _, ...shown } = item
    cli.print(item, () => [
      ...fields(shown, cli.paint, io.now()),
      cli.paint('dim', `In sentences: writ delegations explain ${id}`),
    ])
  })
}

function addExplain(group: Command, io: Io): void {
  const explain = group.command('explain <id>').summary('say in sentences what a delegation allows')
  explain.description('Says in sentences what a delegation allows, member by member, none left out.')
  examples(explain, [['writ delegations explain dlg_0199…']])
  act(explain, io, async (cli, id: string) => {
    const api = await cli.api()
    const delegation = parseDelegation(await api.ask('GET', pathOf(id)))
    const types = await typesOf(api, delegation)
    const lines = (paint: Cli['paint']) => explainDelegation(delegation, types, { paint, now: io.now() })
    cli.print({ id: delegation.id, explanation: lines((_, words) => words) }, () => lines(cli.paint))
  })
}

function addRevoke(group: Command, io: Io): void {
  const revoke = group.command('revoke <id>').summary('end a delegation, at once')
  revoke
    .description('Ends a delegation at once and for ever. What was issued on it is inactive from that moment.')
    .option('--reason <text>', 'why, for the record')
    .option('-y, --yes', 'do not ask')
  examples(revoke, [['writ delegations revoke dlg_0199… --reason "project is over"']])
  act(revoke, io, async (cli, id: string, { reason, yes }: { reason?: string; yes?: boolean }) => {
    await confirm(io, `Revoke delegation ${id}, for ever?`, yes)
    const body = reason === undefined ? {} : { reason }
    const answer = await (await cli.api()).ask('DELETE', pathOf(id), { body })
    cli.report(answer, `Revoked delegation ${id}.`, [
      'Resource servers that verify offline learn of it when a token expires.',
      `What was done on it: writ records list --delegation ${id}`,
    ])
  })
}

function parseDelegation(answer: unknown): ShownDelegation {
  const parsed = ShownDelegation.safeParse(answer)
  if (parsed.success) return parsed.data
  throw new CliError(EXIT.unreachable, 'the answer is no delegation', { where: PATH })
}

async function typesOf(api: AdminApi, delegation: ShownDelegation): Promise<ReadonlyMap<string, ExplainedType>> {
  const bounds = [...delegation.authorization_details, ...(delegation.approval?.outside ?? [])]
  const names = new Set(bounds.map(({ type }) => String(type)))
  const found = await Promise.all([...names].map(async (name) => [name, await readActionType(api, name)] as const))
  return new Map(found.filter((entry): entry is [string, ExplainedType] => entry[1] !== undefined))
}
