import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import { confirm } from '../input/confirm.ts'
import type { Io } from '../io.ts'
import { text } from '../output/fields.ts'
import { moment } from '../output/moment.ts'
import { asItem } from './registered.ts'

interface StopOptions {
  readonly reason?: string
  readonly undo?: boolean
  readonly show?: boolean
  readonly yes?: boolean
}

/** `writ stop`: everything at once. */
export function addStop(program: Command, io: Io): void {
  const stop = program.command('stop').summary('stop everything, at once')
  stop
    .description(
      'Stops everything: from the answer on nothing is issued to any agent and no action token is active, on every process. Administrators go on. To stop less, suspend an agent, a principal, a resource or an action type, or revoke a delegation.',
    )
    .option('--undo', 'end the stop: tokens that have not expired are active again')
    .option('--show', 'only say whether everything is stopped')
    .option('--reason <text>', 'why, for the record')
    .option('-y, --yes', 'do not ask')
  examples(stop, [['writ stop --yes --reason "unknown calls in the record"'], ['writ stop --undo']])
  act(stop, io, async (cli, { reason, undo, show, yes }: StopOptions) => {
    const api = await cli.api()
    if (show === true) {
      const state = asItem(await api.ask('GET', '/admin/stop'))
      return cli.report(state, state.stopped === true ? said(state, io) : 'Nothing is stopped as a whole.', [
        state.stopped === true ? 'End it: writ stop --undo' : 'Stop everything: writ stop',
      ])
    }
    const body = reason === undefined ? {} : { reason }
    if (undo === true) {
      const state = asItem(await api.ask('DELETE', '/admin/stop', { body }))
      return cli.report(state, 'The stop is over: agents are served again.', ['See what they do: writ records tail'])
    }
    await confirm(io, 'Stop everything? No agent can do anything until it is undone.', yes)
    const state = asItem(await api.ask('POST', '/admin/stop', { body }))
    cli.report(state, said(state, io), [
      'Resource servers that verify offline learn of it when a token expires, or by the revocation feed.',
      'What was done until now: writ records list',
      'End it: writ stop --undo',
    ])
  })
}

/** Who has stopped it, and when: it may have been somebody else before. */
const said = (state: ReturnType<typeof asItem>, io: Io) =>
  `Everything is stopped since ${moment(state.since, io.now())}, by ${text(state, 'by')}.`
