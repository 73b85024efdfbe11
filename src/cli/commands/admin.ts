import type { Command } from 'commander'
import { decodeJwt } from 'jose'
import { act, examples } from '../cli.ts'
import { confirm } from '../input/confirm.ts'
import type { Io } from '../io.ts'
import { fields, text } from '../output/fields.ts'
import { maintain } from './maintenance.ts'
import { asItem } from './registered.ts'

/** `writ admin …`. */
export function addAdmin(program: Command, io: Io): void {
  const admin = program.command('admin').summary('who you are to the server')
  admin.description('Who you are to the server. (Other administrators: writ clients.)')
  examples(admin, [
    ['writ admin whoami'],
    ['writ admin reset-credential', `on the server's machine, when the file is lost`],
  ])
  const whoami = admin.command('whoami').summary('sign in, and say as whom')
  whoami.description('Signs in, and says as whom, where, with which key and what it may do.')
  examples(whoami, [['writ admin whoami'], ['writ --credential auditor.json admin whoami']])
  act(whoami, io, async (cli) => {
    const api = await cli.api()
    const claims = asItem(decodeJwt(await api.token()))
    const { clientId, kid, path } = api.credential
    const scope = text(claims, 'scope')
    const item = { client_id: clientId, issuer: api.issuer, scope, key: kid, credential: path }
    cli.print(item, () => [
      ...fields(item, cli.paint, io.now()),
      cli.paint(
        'dim',
        scope.split(' ').includes('admin')
          ? 'You may do everything but what a person must do themselves.'
          : 'You may do what the scope says.',
      ),
    ])
  })
  const reset = admin.command('reset-credential').summary(`make a new credential, on the server's machine`)
  reset
    .description(
      `Makes a new key for the first administrator and writes it to <data directory>/admin-credential.json.\nRuns on the machine of the server, with its environment (WRIT_DATA_DIR, DATABASE_URL); stop a server with the embedded database first.`,
    )
    .option('-y, --yes', 'do not ask')
  examples(reset, [['writ admin reset-credential --yes']])
  act(reset, io, async (_, { yes }: { yes?: boolean }) => {
    await confirm(io, `Replace the first administrator's key? The old one stops working.`, yes)
    await maintain(io, ['reset-credential'])
  })
}
