import { type Command, Option } from 'commander'
import { act, type Cli, examples } from '../cli.ts'
import { CliError, EXIT } from '../cli-error.ts'
import type { AdminApi } from '../connection/admin-api.ts'
import { type Item, readPages } from '../connection/pages.ts'
import { explainApprovalRequest, ShownApproval } from '../explain/explain-approval.ts'
import { confirm } from '../input/confirm.ts'
import type { Io } from '../io.ts'
import { text } from '../output/fields.ts'
import { distance, timeOf } from '../output/moment.ts'
import { printList } from '../output/print-list.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'
import { asItem } from './registered.ts'

const PATH = '/admin/approvals'
const pathOf = (id: string) => `${PATH}/${encodeURIComponent(id)}`
const STATES = ['pending', 'approved', 'denied', 'redeemed', 'void', 'expired']

/** `writ approvals …`. */
export function addApprovals(program: Command, io: Io): void {
  const group = program.command('approvals').summary('what waits for a yes')
  group.description(
    'Approvals: exact actions that wait for somebody to say yes. Persons answer in their browser; an administrator with the scope admin:approve answers for organizations and services.',
  )
  examples(group, [
    ['writ approvals list --state pending', 'what waits'],
    ['writ approvals show apr_0199…', 'all of it'],
    ['writ approvals approve apr_0199…', 'see all of it, and say yes'],
  ])
  addListing(group, io)
  addShow(group, io)
  addAnswer(group, io, 'approve')
  addAnswer(group, io, 'deny')
}

interface ListOptions extends PagingOptions {
  readonly state?: string
  readonly agent?: string
  readonly for?: string
}

function addListing(group: Command, io: Io): void {
  const list = addPaging(group.command('list').alias('ls').summary('list approvals'))
  list
    .description('Lists approvals, newest first.')
    .addOption(new Option('--state <state>', 'in this state only').choices(STATES))
    .option('--agent <id>', 'of this agent only')
    .option('--for <principal>', 'of this principal only')
  examples(list, [['writ approvals list --state pending'], ['writ approvals list --agent planner --all --json']])
  act(list, io, async (cli, options: ListOptions) => {
    const filters = { state: options.state, agent: options.agent, principal: options.for }
    const listing = await readPages(await cli.api(), PATH, { ...options, filters, count: countOf(options) })
    const columns = [
      ['ID', 'id'],
      ['STATE', 'state'],
      ['WHAT', (item: Item) => text(item, 'sentence') || text(asItem(item.action_type), 'type')],
      ['BY', 'agent'],
      ['FOR', 'principal'],
      ['ASKED', (item: Item) => (Array.isArray(item.approvers) ? text({ a: item.approvers.join(', ') }, 'a') : '')],
      ['ENDS', (item: Item) => distance(timeOf(item.expires_at) ?? io.now(), io.now())],
    ] as const
    printList(cli, listing, columns, 'There are none.')
  })
}

function addShow(group: Command, io: Io): void {
  const show = group.command('show <id>').summary('show all of one approval')
  show.description(
    'Shows an approval: the sentence, every member of the action in full, who asks through which agents, who is asked, and the words of the agent apart. Characters that cannot be seen are named.',
  )
  examples(show, [['writ approvals show apr_0199…']])
  act(show, io, async (cli, id: string) => {
    const approval = await readApproval(await cli.api(), id)
    cli.print(approval, () => linesOf(cli, approval, io))
  })
}

function addAnswer(group: Command, io: Io, verb: 'approve' | 'deny'): void {
  const command = group.command(`${verb} <id>`).summary(`${verb} for an organization or a service`)
  command
    .description(
      `Shows the approval, asks, and ${verb === 'approve' ? 'approves' : 'denies'} it for an organization or a service: ${
        verb === 'approve' ? 'one token for exactly this action is issued' : 'the agent is refused'
      }. Nobody answers for a person.`,
    )
    .option('--for <approver>', 'for whom, where several are asked')
    .option('-y, --yes', 'do not ask')
  examples(command, [[`writ approvals ${verb} apr_0199…`], [`writ approvals ${verb} apr_0199… --for board --yes`]])
  act(command, io, async (cli, id: string, options: { for?: string; yes?: boolean }) => {
    const api = await cli.api()
    const approval = await readApproval(api, id)
    if (!cli.isJson) io.out(`${linesOf(cli, approval, io).join('\n')}\n\n`)
    await confirm(io, verb === 'approve' ? 'Approve exactly this?' : 'Deny it?', options.yes)
    const body = options.for === undefined ? {} : { approver: options.for }
    const answer = asItem(await api.ask('POST', `${pathOf(id)}/${verb}`, { body }))
    const done = verb === 'approve' ? 'Approved' : 'Denied'
    const next =
      answer.state === 'pending' ? 'Others have to say yes too.' : `It is ${text(answer, 'state')}; the agent is told.`
    cli.report(answer, `${done} for ${text(answer, 'approver')}.`, [next, `See it: writ approvals show ${id}`])
  })
}

const linesOf = (cli: Cli, approval: ShownApproval, io: Io) =>
  explainApprovalRequest(approval, { paint: cli.paint, now: io.now() })

async function readApproval(api: AdminApi, id: string): Promise<ShownApproval> {
  const parsed = ShownApproval.safeParse(await api.ask('GET', pathOf(id)))
  if (parsed.success) return parsed.data
  throw new CliError(EXIT.unreachable, 'the answer is no approval', { where: PATH })
}
