import type { Command } from 'commander'
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { act, examples } from '../cli.ts'
import { usageError } from '../cli-error.ts'
import { readJsonFile } from '../input/read-text.ts'
import type { Io } from '../io.ts'
import { addList, addShow, addUpdate, addVerbs, type Kind } from './registered.ts'

const ACTION_TYPES: Kind = {
  ...{ plural: 'action-types', noun: 'action type', article: 'an', path: '/admin/action-types', id: '<type>' },
  sample: 'room_booking',
  columns: [
    ['TYPE', 'type'],
    ['TITLE', 'title'],
    ['RISK', 'risk'],
    ['SINGLE USE', (item) => (item.single_use === true ? 'yes' : 'no')],
    ['STATUS', 'status'],
    ['VERSION', (item) => String(item.version ?? '')],
    ['BUILT IN', (item) => (item.built_in === true ? 'yes' : '')],
  ],
}

/** `writ action-types …`. */
export function addActionTypes(program: Command, io: Io): void {
  const types = program.command('action-types').summary('what an action can be')
  types.description('Action types: a schema, a sentence that a person can read, and a risk. Every action names one.')
  examples(types, [
    ['writ action-types show email_send'],
    ['writ action-types create --file room-booking.json'],
    ['writ action-types suspend sql_statement', 'no action of this type any more, anywhere'],
  ])
  const create = types.command('create').summary('define an action type')
  create
    .description(
      'Defines an action type: {"type", "title", "schema", "template", "risk", "digestible"?, "single_use"?}.\ndocs/action-types.md says what a schema may be.',
    )
    .requiredOption('--file <file>', 'its definition, JSON; - for standard input')
  examples(create, [['writ action-types create --file room-booking.json']])
  act(create, io, async (cli, { file }: { file: string }) => {
    const body = await readDefinition(io, file)
    const answer = await (await cli.api()).ask('POST', ACTION_TYPES.path, { body })
    const type = String(body.type)
    cli.report(answer, `Defined action type ${type}.`, [
      `Resources take every type unless narrowed: writ resources update <id> --action-types ${type}`,
    ])
  })
  addList(types, io, ACTION_TYPES)
  addShow(types, io, ACTION_TYPES)
  addUpdate(types, io, ACTION_TYPES, {
    options: (command) =>
      command
        .requiredOption('--file <file>', 'the members that change, JSON; - for standard input')
        .addHelpText(
          'after',
          '\nA change makes a new version. Bounds that are not valid under it refuse: look at your delegations.',
        ),
    members: async ({ file }) => {
      const { type: _, ...members } = await readDefinition(io, String(file))
      return members
    },
    removable: [],
    sample: '--file new-title.json',
  })
  addVerbs(types, io, ACTION_TYPES, ['suspend', 'resume'])
}

async function readDefinition(io: Io, file: string): Promise<JsonObject> {
  const json = await readJsonFile(io, file)
  if (isJsonObject(json)) return json
  throw usageError(`${file} must hold a JSON object`, 'docs/action-types.md has an example')
}
