import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import { collect } from '../input/parse-when.ts'
import type { Io } from '../io.ts'
import { addKeys, keyCount, keyMembers } from './key-commands.ts'
import { addList, addShow, addUpdate, type Kind } from './registered.ts'

const CLIENTS: Kind = {
  ...{ plural: 'clients', noun: 'client', article: 'a', path: '/admin/clients', id: '<id>', sample: 'auditor' },
  columns: [
    ['ID', 'id'],
    ['NAME', 'name'],
    ['SCOPE', 'scope'],
    ['STATUS', 'status'],
    ['KEYS', keyCount],
  ],
}

const SCOPES = 'admin, admin:read, admin:approve'

/** `writ clients …`. */
export function addClients(program: Command, io: Io): void {
  const clients = program.command('clients').summary('administrators: clients of the admin API')
  clients.description(
    'Clients of the admin API: administrators and programs that administer, each with its own key and scope.',
  )
  examples(clients, [
    ['writ clients create auditor --scope admin:read --key auditor.pub.jwk', 'one that may only look'],
    ['writ clients keys retire auditor 6Kx…', 'and no longer'],
  ])
  const create = clients.command('create <id>').summary('register an administrator')
  create
    .description('Registers a client of the admin API, with at least one public key to be of use.')
    .requiredOption('--scope <scopes...>', `what it may do: ${SCOPES}`)
    .option('--name <text>', 'a name for people')
    .option('--key <file>', 'its public key, a JWK or PEM; - for standard input; may be repeated', collect)
  examples(create, [['writ clients create auditor --scope admin:read --key auditor.pub.jwk']])
  act(create, io, async (cli, id: string, options: { scope: string[]; name?: string; key?: string[] }) => {
    const { scope, name } = options
    const keys = await keyMembers(io, options.key)
    const answer = await (await cli.api()).ask('POST', CLIENTS.path, {
      body: { id, name, scope: scope.join(' '), keys },
    })
    const next =
      keys.length === 0
        ? [`It cannot sign in before it has a key: writ clients keys add ${id} --key <file>`]
        : [`It signs in with {"client_id": "${id}", "jwk": <its private key>}: writ --credential <file> admin whoami`]
    cli.report(answer, `Registered client ${id} with scope ${scope.join(' ')}.`, next)
  })
  addList(clients, io, CLIENTS)
  addShow(clients, io, CLIENTS)
  addUpdate(clients, io, CLIENTS, {
    options: (command) =>
      command.option('--name <text>', 'a name for people').option('--scope <scopes...>', `what it may do: ${SCOPES}`),
    members: ({ name, scope }: { name?: string; scope?: readonly string[] }) => ({
      ...(name !== undefined && { name }),
      ...(scope !== undefined && { scope: scope.join(' ') }),
    }),
    removable: ['name'],
    sample: '--scope admin:read',
  })
  addKeys(clients, io, CLIENTS)
}
