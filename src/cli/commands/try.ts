import type { Command } from 'commander'
import { z } from 'zod'
import { explainApprovers } from '../../core/delegation/explain/explain-approval.ts'
import { explainLimitLeft, LimitLeft } from '../../core/delegation/explain/explain-limits.ts'
import { isJsonObject } from '../../core/json.ts'
import { visible } from '../../core/visible.ts'
import { act, examples } from '../cli.ts'
import { CliError, EXIT, usageError } from '../cli-error.ts'
import { readPages } from '../connection/pages.ts'
import { readJsonArgument } from '../input/read-text.ts'
import type { Io } from '../io.ts'
import { paintStatus } from '../output/paint.ts'

const DecisionAnswer = z.looseObject({
  decision: z.string(),
  delegation: z.string().nullish(),
  member: z.string().nullish(),
  detail: z.string().nullish(),
  sentence: z.string().nullish(),
  /** Positions of the bounds that allow it. */
  because: z.array(z.number()).optional(),
  /** What would be left afterwards. */
  limits: z.array(LimitLeft).optional(),
  /** Who is to be asked first. */
  approval: z.array(z.object({ approvers: z.array(z.string()), threshold: z.number() })).optional(),
  /** The one that is reached. */
  limit: LimitLeft.optional(),
})

/** `writ try`: what would be decided, and why; nothing is issued. */
export function addTry(program: Command, io: Io): void {
  const command = program.command('try <action>').summary('ask what would be decided, without doing it')
  command
    .description(
      'Asks what the server would decide if this agent asked for this action now, and why. Nothing is issued, counted or used up.\nThe action is JSON: the text itself, @file, or - for standard input. Exit status 0: permitted, 1: not, or not before somebody approves.',
    )
    .requiredOption('--agent <id>', 'who would ask')
    .option('--resource <identifier>', `where (default: the action's "locations", or the only resource there is)`)
    .option('--delegation <id>', 'on which delegation (default: whichever allows it)')
  examples(command, [
    [
      `writ try --agent planner --resource https://mail.example \\\n      '{"type":"email_send","to":["bob@company.com"],"subject":"Minutes","body":"…"}'`,
    ],
    ['writ try --agent planner --delegation dlg_0199… @action.json'],
  ])
  act(
    command,
    io,
    async (cli, argument: string, options: { agent: string; resource?: string; delegation?: string }) => {
      const action = await readJsonArgument(io, argument, 'the action')
      if (!isJsonObject(action))
        throw usageError('the action must be a JSON object', 'such as {"type":"email_send", …}')
      const api = await cli.api()
      const named = Array.isArray(action.locations) && action.locations.length === 1 ? action.locations[0] : undefined
      const resource = options.resource ?? (typeof named === 'string' ? named : undefined) ?? (await onlyResource())
      const body = { agent: options.agent, resource, authorization_details: [action], delegation: options.delegation }
      const answer = DecisionAnswer.safeParse(await api.ask('POST', '/admin/decisions', { body }))
      if (!answer.success)
        throw new CliError(EXIT.unreachable, 'the answer is no decision', { where: '/admin/decisions' })
      const { decision, delegation, member, detail, sentence, because, limits = [], limit, approval = [] } = answer.data
      const isPermitted = decision === 'permit'
      cli.print(answer.data, () => [
        `${paintStatus(cli.paint, visible(decision))}${detail ? `: ${visible(detail)}` : ''}`,
        ...(sentence ? [`  what:       ${visible(sentence)}`] : []),
        ...(delegation ? [`  delegation: ${visible(delegation)}`] : []),
        ...approval.map(
          ({ approvers, threshold }) => `  needs:      approval by ${explainApprovers(approvers, threshold)}`,
        ),
        ...(member ? [`  member:     ${visible(member)}`] : []),
        ...(because === undefined
          ? []
          : [`  allowed by: bound ${because.map((n) => n + 1).join(', ')} of the delegation`]),
        ...limits.map((left, n) => `  ${n === 0 ? 'left then: ' : '           '} ${explainLimitLeft(left)}`),
        ...(limit === undefined ? [] : [`  left now:   ${explainLimitLeft(limit)}`]),
        cli.paint('dim', 'Nothing was issued or counted.'),
        ...(delegation
          ? [cli.paint('dim', `What the delegation allows: writ delegations explain ${visible(delegation)}`)]
          : []),
        ...(delegation || isPermitted
          ? []
          : [cli.paint('dim', `What the agent has: writ delegations list --agent ${options.agent}`)]),
      ])
      if (!isPermitted) throw new CliError(EXIT.refused, '')

      async function onlyResource(): Promise<string> {
        const { items } = await readPages(api, '/admin/resources', { count: 2 })
        const [only, more] = items
        if (only !== undefined && more === undefined && typeof only.identifier === 'string') return only.identifier
        throw usageError('it does not say where', 'name a resource with --resource: writ resources list')
      }
    },
  )
}
