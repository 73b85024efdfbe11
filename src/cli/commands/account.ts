import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import type { Item } from '../connection/pages.ts'
import { confirm } from '../input/confirm.ts'
import type { Io } from '../io.ts'
import { text } from '../output/fields.ts'
import { moment } from '../output/moment.ts'
import { type Columns, printList } from '../output/print-list.ts'
import { asItem } from './registered.ts'

/** `writ tokens …`. */
export function addTokens(program: Command, io: Io): void {
  const tokens = program.command('tokens').summary('withdraw tokens')
  tokens.description('Tokens, one at a time. To stop more than one: suspend the agent, or revoke the delegation.')
  examples(tokens, [['writ tokens revoke 3vX… --reason "sent by mistake"']])
  const revoke = tokens.command('revoke <jti>').summary('withdraw one token, at once')
  revoke
    .description(
      'Withdraws the action token of this "jti" (writ records list --json shows it). Introspection answers inactive at once.',
    )
    .option('--reason <text>', 'why, for the record')
  examples(revoke, [['writ tokens revoke 3vX… --reason "sent by mistake"']])
  act(revoke, io, async (cli, jti: string, { reason }: { reason?: string }) => {
    const body = reason === undefined ? {} : { reason }
    const path = `/admin/tokens/${encodeURIComponent(jti)}/revoke`
    const answer = asItem(await (await cli.api()).ask('POST', path, { body }))
    const end = moment(answer.expires_at, io.now())
    const offline = end === '' ? 'when it expires' : `when it expires, ${end}`
    cli.report(answer, `Withdrew token ${jti}.`, [`Resource servers that verify offline refuse it ${offline}.`])
  })
}

const KEY_COLUMNS: Columns = [
  ['KID', 'kid'],
  ['ALG', 'alg'],
  ['STATUS', 'status'],
  ['SIGNS FROM', 'activates_at'],
  ['RETIRED', 'retired_at'],
]

const itemsOf = (answer: unknown): readonly Item[] => {
  const { items } = asItem(answer)
  return Array.isArray(items) ? items.map(asItem) : []
}

/** `writ keys …`: the server's own keys. */
export function addSigningKeys(program: Command, io: Io): void {
  const keys = program.command('keys').summary('the keys with which the server signs')
  keys.description(`The server's signing keys. (Those of an agent: writ agents keys.)`)
  examples(keys, [['writ keys list'], ['writ keys rotate']])
  const list = keys.command('list').alias('ls').summary('list signing keys')
  list.description('Lists the signing keys, the one activated last first.')
  examples(list, [['writ keys list']])
  act(list, io, async (cli) => {
    const items = itemsOf(await (await cli.api()).ask('GET', '/admin/signing-keys'))
    printList(cli, { items }, KEY_COLUMNS, 'There are no signing keys.')
  })
  const rotate = keys.command('rotate').summary('make a new signing key')
  rotate
    .description(
      'Makes a new signing key. It is published at once and signs ten minutes later, when every verifier has seen it; the present key verifies on.\nWith --compromised neither waits: every token that is out becomes invalid at once.',
    )
    .option('--compromised', 'withdraw the present keys at once')
    .option('--reason <text>', 'why, for the record')
    .option('-y, --yes', 'do not ask')
  examples(rotate, [['writ keys rotate'], ['writ keys rotate --compromised --yes --reason "key file was copied"']])
  act(rotate, io, async (cli, options: { compromised?: boolean; reason?: string; yes?: boolean }) => {
    const compromised = options.compromised === true
    if (compromised) {
      await confirm(
        io,
        'Withdraw all present signing keys? Every token that is out becomes invalid at once.',
        options.yes,
      )
    }
    const { reason } = options
    const body = { ...(compromised && { compromised }), ...(reason !== undefined && { reason }) }
    const answer = await (await cli.api()).ask('POST', '/admin/signing-keys/rotate', { body })
    const newest = itemsOf(answer)[0] ?? {}
    const done = `Made signing key ${text(newest, 'kid')}.`
    const next = compromised
      ? [
          'It signs from now on; the others verify nothing any more.',
          'Delegations need a new subject token: agents fetch it by themselves.',
        ]
      : [`It signs from ${moment(newest.activates_at, io.now())}; until then the present key does.`]
    cli.report(answer, done, [...next, 'See them: writ keys list'])
  })
}
