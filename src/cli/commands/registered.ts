import type { Command } from 'commander'
import { act, type Cli, examples } from '../cli.ts'
import { usageError } from '../cli-error.ts'
import { type Item, readPages } from '../connection/pages.ts'
import { confirm } from '../input/confirm.ts'
import type { Io } from '../io.ts'
import { fields } from '../output/fields.ts'
import { type Columns, printList } from '../output/print-list.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'

/** One kind of thing that is registered: what its commands say and where they ask. */
export interface Kind {
  /** `agents`: the word on the command line. */
  readonly plural: string
  /** `agent`. */
  readonly noun: string
  readonly article: 'a' | 'an'
  /** Of the admin API. */
  readonly path: string
  /** What names one: `<id>` or `<type>`. */
  readonly id: string
  /** For examples. */
  readonly sample: string
  readonly columns: Columns
}

export const itemPath = (kind: Kind, id: string) => `${kind.path}/${encodeURIComponent(id)}`

/** The answer as an item; the API answers with objects. */
export const asItem = (answer: unknown): Item => (typeof answer === 'object' && answer !== null ? { ...answer } : {})

/** `list`. */
export function addList(group: Command, io: Io, kind: Kind): void {
  const command = addPaging(group.command('list').alias('ls').summary(`list ${kind.plural}`))
  command.description(`Lists ${kind.plural}, in order of their names.`)
  examples(command, [[`writ ${kind.plural} list`], [`writ ${kind.plural} list --all --json`]])
  act(command, io, async (cli, options: PagingOptions) => {
    const listing = await readPages(await cli.api(), kind.path, { ...options, count: countOf(options) })
    printList(cli, listing, kind.columns, `There are no ${kind.plural} yet: writ ${kind.plural} create --help`)
  })
}

/** `show`. */
export function addShow(group: Command, io: Io, kind: Kind): void {
  const command = group.command(`show ${kind.id}`).summary(`show one ${kind.noun}`)
  command.description(`Shows everything about ${kind.article} ${kind.noun}.`)
  examples(command, [[`writ ${kind.plural} show ${kind.sample}`]])
  act(command, io, async (cli, id: string) => {
    const item = asItem(await (await cli.api()).ask('GET', itemPath(kind, id)))
    cli.print(item, () => fields(item, cli.paint, io.now()))
  })
}

interface VerbText {
  readonly verb: 'suspend' | 'resume' | 'retire'
  readonly done: string
  readonly effect: string
  readonly next: (kind: Kind, id: string) => readonly string[]
}

const VERBS: readonly VerbText[] = [
  {
    verb: 'suspend',
    done: 'suspended',
    effect: 'From that moment nothing is issued that rests on it, and introspection answers inactive.',
    next: ({ plural }, id) => [
      'Resource servers that verify offline learn of it when a token expires.',
      `Undo: writ ${plural} resume ${id}`,
    ],
  },
  {
    verb: 'resume',
    done: 'active again',
    effect: 'What was suspended works again, with what it had.',
    next: ({ plural }, id) => [`See it: writ ${plural} show ${id}`],
  },
  {
    verb: 'retire',
    done: 'retired, for ever',
    effect: 'It never works again and its name is never free again. This cannot be undone.',
    next: () => ['What it did stays in the record: writ records list'],
  },
]

/** `suspend`, `resume`, `retire`, as far as the kind has them. */
export function addVerbs(group: Command, io: Io, kind: Kind, verbs: readonly VerbText['verb'][]): void {
  for (const text of VERBS.filter(({ verb }) => verbs.includes(verb))) {
    const command = group.command(`${text.verb} ${kind.id}`).summary(`${text.verb} ${kind.article} ${kind.noun}`)
    command.description(`${capital(text.verb)}s ${kind.article} ${kind.noun}. ${text.effect}`)
    command.option('--reason <text>', 'why, for the record')
    if (text.verb === 'retire') command.option('-y, --yes', 'do not ask')
    examples(command, [[`writ ${kind.plural} ${text.verb} ${kind.sample} --reason "${REASONS[text.verb]}"`]])
    act(command, io, async (cli, id: string, options: { reason?: string; yes?: boolean }) => {
      if (text.verb === 'retire') await confirm(io, `Retire ${kind.noun} ${id}, for ever?`, options.yes)
      await applyVerb(cli, kind, id, text, options.reason)
    })
  }
}

async function applyVerb(cli: Cli, kind: Kind, id: string, text: VerbText, reason: string | undefined): Promise<void> {
  const api = await cli.api()
  const body = reason === undefined ? {} : { reason }
  // A resource is retired by deleting it; its tombstone keeps the name taken.
  const isDelete = text.verb === 'retire' && kind.noun === 'resource'
  const answer = isDelete
    ? await api.ask('DELETE', itemPath(kind, id), { body })
    : await api.ask('POST', `${itemPath(kind, id)}/${text.verb}`, { body })
  cli.report(answer, `${capital(kind.noun)} ${id} is ${text.done}.`, text.next(kind, id))
}

const REASONS = { suspend: 'unusual calls at night', resume: 'checked, false alarm', retire: 'replaced' } as const

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1)

/** `update`: changes the members that are named, of the version that was read just before. */
export function addUpdate(
  group: Command,
  io: Io,
  kind: Kind,
  update: {
    /** Declares the options of the members that may change. */
    readonly options: (command: Command) => Command
    /** What the options mean, as members of the API. */
    readonly members: (options: Readonly<Record<string, unknown>>) => Promise<Item> | Item
    readonly removable: readonly string[]
    readonly sample: string
  },
): void {
  const command = update.options(group.command(`update ${kind.id}`).summary(`change ${kind.article} ${kind.noun}`))
  command.description(
    `Changes what is named and leaves the rest. What identifies ${kind.article} ${kind.noun} never changes.`,
  )
  if (update.removable.length > 0) {
    command.option('--unset <members...>', `members to remove: ${update.removable.join(', ')}`)
  }
  examples(command, [[`writ ${kind.plural} update ${kind.sample} ${update.sample}`]])
  act(
    command,
    io,
    async (cli, id: string, options: Readonly<Record<string, unknown>> & { unset?: readonly string[] }) => {
      const unset = options.unset ?? []
      const odd = unset.find((name) => !update.removable.includes(name))
      if (odd !== undefined)
        throw usageError(`--unset cannot remove "${odd}"`, `it removes ${update.removable.join(', ')}`)
      const members = await update.members(options)
      const both = unset.find((name) => members[name] !== undefined)
      if (both !== undefined) throw usageError(`"${both}" is to be set and removed at once`, 'say one of both')
      const patch = { ...members, ...Object.fromEntries(unset.map((name) => [name, null])) }
      if (Object.keys(patch).length === 0) {
        throw usageError('nothing to change', `name what is to change: writ ${kind.plural} update --help`)
      }
      const api = await cli.api()
      const before = await api.call('GET', itemPath(kind, id))
      if (before.status !== 200) await api.ask('GET', itemPath(kind, id))
      const ifMatch = before.headers.get('etag') ?? undefined
      const item = await api.ask('PATCH', itemPath(kind, id), { body: patch, ifMatch })
      const changed = Object.keys(patch).join(', ')
      cli.report(item, `Changed ${changed} of ${kind.noun} ${id}.`, [`See it: writ ${kind.plural} show ${id}`])
    },
  )
}
