import { type Command, Option } from 'commander'
import { act, examples } from '../cli.ts'
import { collect, parseWhole } from '../input/parse-when.ts'
import type { Io } from '../io.ts'
import { addKeys, keyCount, keyMembers } from './key-commands.ts'
import {
  addLimitOptions,
  LIMITS_HELP,
  type LimitOptions,
  limitsMember,
  patchLimits,
  readLimits,
} from './limit-options.ts'
import { addList, addShow, addUpdate, addVerbs, type Kind } from './registered.ts'

const RESOURCES: Kind = {
  ...{ plural: 'resources', noun: 'resource', article: 'a', path: '/admin/resources', id: '<id>', sample: 'mail' },
  columns: [
    ['ID', 'id'],
    ['IDENTIFIER', 'identifier'],
    ['NAME', 'name'],
    ['STATUS', 'status'],
    ['KEYS', keyCount],
    ['ACTION TYPES', (item) => (Array.isArray(item.action_types) ? item.action_types.join(', ') : 'all')],
  ],
}

interface Members extends LimitOptions {
  readonly name?: string
  readonly actionTypes?: readonly string[]
  readonly lifetime?: number
  readonly content?: string
  readonly enforcement?: string
}

const memberOptions = (command: Command) =>
  addLimitOptions(command)
    .addHelpText('after', LIMITS_HELP)
    .option('--name <text>', 'a name for people')
    .option('--action-types <types...>', 'the only action types that its tokens may name (default: all)')
    .option('--lifetime <seconds>', 'how long its action tokens live', parseWhole(1, 300))
    .addOption(
      new Option('--content <how>', 'whether large members travel in the token or as digests').choices([
        'full',
        'digest',
      ]),
    )
    .addOption(
      new Option('--enforcement <how>', 'how its server takes a token once: asking here, or by itself').choices([
        'consume',
        'offline',
      ]),
    )

const toMembers = ({ name, actionTypes, lifetime, content, enforcement }: Members) => ({
  ...(name !== undefined && { name }),
  // One word with commas is a list as well: types have none in their names.
  ...(actionTypes !== undefined && { action_types: actionTypes.flatMap((types) => types.split(',')) }),
  ...(lifetime !== undefined && { token_lifetime_seconds: lifetime }),
  ...(content !== undefined && { token_content: content }),
  ...(enforcement !== undefined && { enforcement }),
})

/** `writ resources …`. */
export function addResources(program: Command, io: Io): void {
  const resources = program.command('resources').summary('the APIs that tokens are for')
  resources.description(
    'Resources: the protected APIs, each with an identifier (a URL) that its tokens name as audience.',
  )
  examples(resources, [
    ['writ resources create mail --identifier https://mail.example --action-types email_send'],
    ['writ resources list'],
  ])
  const create = memberOptions(resources.command('create <id>').summary('register a resource'))
  create
    .description('Registers a protected API. Neither its id nor its identifier can ever change or be used again.')
    .requiredOption('--identifier <url>', 'absolute, without query and fragment; compared character by character')
    .option(
      '--key <file>',
      'a public key of its server, for introspection; - for standard input; may be repeated',
      collect,
    )
  examples(create, [
    ['writ resources create mail --identifier https://mail.example --name "Mail" --action-types email_send'],
    ['writ resources create mail --identifier https://mail.example --key mail.pub.jwk --lifetime 30'],
  ])
  act(create, io, async (cli, id: string, options: Members & { identifier: string; key?: string[] }) => {
    const { identifier } = options
    const keys = await keyMembers(io, options.key)
    const limits = await readLimits(io, options)
    const body = { id, identifier, keys, limits, ...toMembers(options) }
    const answer = await (await cli.api()).ask('POST', RESOURCES.path, { body })
    cli.report(answer, `Registered resource ${id} (${identifier}).`, [
      'Protect it with writ/resource: docs/resource-servers.md',
      `Let an agent use it: writ delegations create --resource ${identifier} --help`,
    ])
  })
  addList(resources, io, RESOURCES)
  addShow(resources, io, RESOURCES)
  addUpdate(resources, io, RESOURCES, {
    options: memberOptions,
    members: async (options: Members) => ({
      ...toMembers(options),
      ...(await limitsMember(patchLimits(io, options))),
    }),
    removable: ['limits', 'name', 'action_types', 'token_lifetime_seconds'],
    sample: '--lifetime 30',
  })
  addVerbs(resources, io, RESOURCES, ['suspend', 'resume', 'retire'])
  addKeys(resources, io, RESOURCES)
}
