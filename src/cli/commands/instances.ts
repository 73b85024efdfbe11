import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import { readPages } from '../connection/pages.ts'
import { confirm } from '../input/confirm.ts'
import type { Io } from '../io.ts'
import { type Columns, printList } from '../output/print-list.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'

const COLUMNS: Columns = [
  ['KID', 'kid'],
  ['STATUS', 'status'],
  ['EXPIRES', 'expires_at'],
  ['VOUCHED BY', 'vouched_by'],
]

const instancesOf = (id: string) => `/admin/agents/${encodeURIComponent(id)}/instances`

/** `agents instances list`, `agents instances stop`. */
export function addInstances(agents: Command, io: Io): void {
  const instances = agents.command('instances').summary('keys that its registered keys vouch for')
  instances.description(
    'Instances of an agent: keys that nobody registered, each vouched for by a registered key of the agent, for a time. Each is ' +
      'named by the thumbprint of its key, which is "jkt" in the records of what it did.',
  )
  examples(instances, [['writ agents instances list planner --active'], ['writ agents instances stop planner 6Kx…']])

  const list = addPaging(instances.command('list <id>').alias('ls').summary('list instances of an agent'))
  list
    .description('Lists instances of an agent, those that are over included.')
    .option('--active', 'only those that may act now')
  examples(list, [['writ agents instances list planner --active']])
  act(list, io, async (cli, id: string, { active, ...options }: PagingOptions & { active?: boolean }) => {
    const filters = active === true ? { status: 'active' } : {}
    const listing = await readPages(await cli.api(), instancesOf(id), { ...options, filters, count: countOf(options) })
    printList(cli, listing, COLUMNS, 'It has no instance: its registered keys have vouched for none')
  })

  const stop = instances.command('stop <id> <kid>').summary('stop one instance, for ever')
  stop
    .description(
      'Stops one instance at once and for ever: its tokens, its agent token and its attestation count no more. A registered key of ' +
        'the agent can still vouch for another; to stop all of them, retire that key or suspend the agent.',
    )
    .option('--reason <text>', 'why, for the record')
    .option('-y, --yes', 'do not ask')
  examples(stop, [['writ agents instances stop planner 6Kx… --reason "unusual calls"']])
  act(stop, io, async (cli, id: string, kid: string, { reason, yes }: { reason?: string; yes?: boolean }) => {
    await confirm(io, `Stop instance ${kid} of agent ${id}, for ever?`, yes)
    const body = reason === undefined ? {} : { reason }
    const stopped = await (await cli.api()).ask('DELETE', `${instancesOf(id)}/${encodeURIComponent(kid)}`, { body })
    cli.report(stopped, `Stopped instance ${kid} of agent ${id}.`, [
      `What is left of it: writ agents instances list ${id} --active`,
    ])
  })
}
