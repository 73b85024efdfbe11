import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import { collect } from '../input/parse-when.ts'
import type { Io } from '../io.ts'
import { addEnrol, addEnrolOptions, createEnrolment, developerLines, type EnrolOptions, withCodeFile } from './enrol.ts'
import { addFlowOptions, FLOW_MEMBERS, type FlowOptions, flowMembers } from './flow-options.ts'
import { addInstances } from './instances.ts'
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

const AGENTS: Kind = {
  ...{ plural: 'agents', noun: 'agent', article: 'an', path: '/admin/agents', id: '<id>', sample: 'planner' },
  columns: [
    ['ID', 'id'],
    ['NAME', 'name'],
    ['STATUS', 'status'],
    ['KEYS', keyCount],
    ['OWNER', 'owner'],
  ],
}

interface Members extends LimitOptions, FlowOptions {
  readonly name?: string
  readonly description?: string
  readonly owner?: string
}

const memberOptions = (command: Command) =>
  addLimitOptions(
    addFlowOptions(command)
      .option('--name <text>', 'a name for people')
      .option('--description <text>', 'what it does')
      .option('--owner <text>', 'who answers for it'),
  ).addHelpText('after', LIMITS_HELP)

/** `writ agents …`. */
export function addAgents(program: Command, io: Io): void {
  const agents = program.command('agents').summary('software that acts for principals')
  agents.description('Agents: software that acts for a principal. Each holds its own key and proves it at every call.')
  examples(agents, [
    ['writ agents create planner --name "Planner" --enrol', 'register one, and let its developer bind a key'],
    ['writ agents suspend planner --reason "unusual calls"', 'stop one, at once'],
  ])
  addCreate(agents, io)
  addList(agents, io, AGENTS)
  addShow(agents, io, AGENTS)
  addUpdate(agents, io, AGENTS, {
    options: memberOptions,
    members: async ({ name, description, owner, redirectUri, grant, notify, ...limits }: Members) => ({
      ...(await limitsMember(patchLimits(io, limits))),
      ...flowMembers({ redirectUri, grant, notify }),
      ...(name !== undefined && { name }),
      ...(description !== undefined && { description }),
      ...(owner !== undefined && { owner }),
    }),
    removable: ['name', 'description', 'owner', 'limits', ...FLOW_MEMBERS],
    sample: '--owner team-mail@example.com',
  })
  addVerbs(agents, io, AGENTS, ['suspend', 'resume', 'retire'])
  addEnrol(agents, io)
  addKeys(agents, io, AGENTS)
  addInstances(agents, io)
}

function addCreate(agents: Command, io: Io): void {
  const create = memberOptions(agents.command('create <id>').summary('register an agent'))
  create
    .description('Registers an agent. Its id is 1 to 255 of a-z 0-9 - _ . and can never be changed or used again.')
    .option('--key <file>', 'its public key, a JWK or PEM; - for standard input; may be repeated', collect)
    .option('--enrol', 'also make a one-time code with which it binds a key itself')
  addEnrolOptions(create)
  examples(create, [
    ['writ agents create planner --name "Planner" --owner alice@example.com --enrol'],
    ['writ agents create planner --key planner.pub.jwk', 'with a public key that you were given'],
  ])
  act(create, io, async (cli, id: string, options: Members & EnrolOptions & { key?: string[]; enrol?: boolean }) => {
    const { name, description, owner } = options
    const flows = flowMembers(options)
    const limits = await readLimits(io, options)
    const keys = await keyMembers(io, options.key)
    const isEnrolled = options.enrol === true
    const codeFile = isEnrolled ? options.codeFile : undefined
    await withCodeFile(codeFile === undefined ? {} : { codeFile }, async (writeCode) => {
      const api = await cli.api()
      const agent = await api.ask('POST', AGENTS.path, {
        body: { id, name, description, owner, limits, keys, ...flows },
      })
      const done = `Registered agent ${id}${keys.length === 0 ? '' : ` with ${keys.length} key${keys.length === 1 ? '' : 's'}`}.`
      if (!isEnrolled) {
        const bind = `Let it bind a key: writ agents enrol ${id}`
        const next = keys.length === 0 ? bind : `Let it do something: writ delegations create --agent ${id} --help`
        cli.report(agent, done, [next])
        return
      }
      const enrolment = await createEnrolment(api, id, options)
      await writeCode(enrolment.code)
      const shown = codeFile === undefined ? enrolment : { ...enrolment, code: undefined }
      cli.print({ agent, enrolment: shown }, () => [
        `${cli.paint('green', '✓')} ${done}`,
        ...developerLines(cli, api.issuer, id, enrolment, options),
      ])
    })
  })
}
