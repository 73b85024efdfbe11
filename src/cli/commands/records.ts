import { type Command, Option } from 'commander'
import { jsonText } from '../../core/visible.ts'
import { act, examples } from '../cli.ts'
import { type Item, readPages } from '../connection/pages.ts'
import { parseBeginning, parseWhole } from '../input/parse-when.ts'
import type { Io } from '../io.ts'
import { text } from '../output/fields.ts'
import { numericDate } from '../output/moment.ts'
import { paintStatus } from '../output/paint.ts'
import { type Columns, printList } from '../output/print-list.ts'
import { follow } from './follow.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'
import { asItem } from './registered.ts'

export interface RecordFilters {
  readonly agent?: string
  readonly principal?: string
  readonly delegation?: string
  readonly resource?: string
  readonly type?: string
  readonly decision?: string
}

const COLUMNS: Columns = [
  ['AT', 'at'],
  ['DECISION', 'decision'],
  ['WHAT', what],
  ['BY', (item) => by(item)],
  ['FOR', 'principal'],
  ['WHERE', 'resource'],
  ['DETAIL', 'detail'],
]

/** What an entry is about: the action type, or what an administrator did and to what. */
function what(item: Item): string {
  const because = asItem(item.because)
  if (typeof because.operation === 'string') return `${text(because, 'operation')} ${text(because, 'target')}`.trim()
  return text(item, 'action_type') || text(item, 'refusal') || text(item, 'kind')
}

/** Who did it: an administrator's deed may name an agent that it was done to. */
const by = (item: Item) => text(item, 'client') || text(item, 'agent')

/** A time as a query takes it. */
const dateText = (time: Date | undefined) => time && String(numericDate(time))

const addFilters = (command: Command): Command =>
  command
    .option('--agent <id>', 'of this agent only')
    .option('--principal <id>', 'for this principal only')
    .option('--delegation <id>', 'on this delegation only')
    .option('--resource <identifier>', 'at this resource only')
    .option('--type <action type>', 'of this action type only')
    .addOption(
      new Option('--decision <decision>', 'with this outcome only').choices(['issued', 'pending', 'refused', 'done']),
    )

const filtersOf = ({ agent, principal, delegation, resource, type, decision }: RecordFilters) => ({
  ...{ agent, principal, delegation, resource, type, decision },
})

/** `writ records …`. */
export function addRecords(program: Command, io: Io): void {
  const records = program.command('records').summary('who did what, for whom, and who allowed it')
  records.description('The account: every issuance, every refusal with its reason, everything an administrator did.')
  examples(records, [
    ['writ records list --agent planner --decision refused', 'what an agent was refused, and why'],
    ['writ records tail', 'watch'],
  ])
  const list = addFilters(addPaging(records.command('list').alias('ls').summary('list entries, newest first')))
  list
    .description('Lists entries of the account, newest first.')
    .option('--after <time>', 'later than this: 2027-01-31 or RFC 3339', parseBeginning)
    .option('--before <time>', 'earlier than this', parseBeginning)
  examples(list, [
    ['writ records list --agent planner --decision refused'],
    ['writ records list --after 2027-01-01 --all --json', 'everything of a year, for a program'],
  ])
  act(list, io, async (cli, options: PagingOptions & RecordFilters & { after?: Date; before?: Date }) => {
    const filters = { ...filtersOf(options), after: dateText(options.after), before: dateText(options.before) }
    const listing = await readPages(await cli.api(), '/admin/records', { ...options, filters, count: countOf(options) })
    printList(cli, listing, COLUMNS, 'There are no such entries.')
  })
  addTail(records, io)
}

function addTail(records: Command, io: Io): void {
  const tail = addFilters(records.command('tail').summary('follow the account as it grows'))
  tail
    .description(
      'Prints the last entries, and then each new one as it comes, until Ctrl-C.\nWhen the server is away it waits, and goes on where it was. With --json one entry a line.',
    )
    .option('-n, --lines <n>', 'how many entries to begin with', parseWhole(0, 200), 10)
    .option('--after <time>', 'begin with everything later than this, instead', parseBeginning)
    .option('--every <seconds>', 'how often to ask', parseWhole(1, 3_600), 2)
  examples(tail, [['writ records tail --decision refused'], ['writ records tail --json | jq .detail']])
  act(tail, io, async (cli, options: RecordFilters & { lines: number; after?: Date; every: number }) => {
    const api = await cli.api()
    const print = (item: Item) => io.out(cli.isJson ? `${jsonText(item, 0)}\n` : `${tailLine(item)}\n`)
    const tailLine = (item: Item) => {
      const decision = paintStatus(cli.paint, text(item, 'decision').padEnd(7).trimEnd())
      const parties = [by(item), text(item, 'principal') && `for ${text(item, 'principal')}`]
      const place = text(item, 'resource') && `at ${text(item, 'resource')}`
      const detail = text(item, 'detail') && `(${text(item, 'detail')})`
      const words = [cli.paint('dim', text(item, 'at')), decision, ...parties, what(item), place, detail]
      return words.filter((word) => word !== '').join(' ')
    }
    await follow({
      read: (query, count) => readPages(api, '/admin/records', { filters: { ...filtersOf(options), ...query }, count }),
      ...{
        print,
        lines: options.lines,
        after: dateText(options.after),
        everyMilliseconds: options.every * 1_000,
        stopped: io.stopped,
      },
      complain: (line) => io.err(`writ: ${line}\n`),
    })
  })
}
