import { type Command, Option } from 'commander'
import { act, examples } from '../cli.ts'
import type { Io } from '../io.ts'
import { addList, addShow, addUpdate, addVerbs, type Kind } from './registered.ts'
import { addSignInLinks } from './sign-in-links.ts'

const PRINCIPALS: Kind = {
  ...{ plural: 'principals', noun: 'principal', article: 'a', path: '/admin/principals', id: '<id>', sample: 'alice' },
  columns: [
    ['ID', 'id'],
    ['KIND', 'kind'],
    ['NAME', 'name'],
    ['STATUS', 'status'],
    ['EMAIL', 'email'],
  ],
}

interface Members {
  readonly name?: string
  readonly email?: string
}

const memberOptions = (command: Command) =>
  command.option('--name <text>', 'a name for people').option('--email <address>', 'where to reach them')

/** `writ principals …`. */
export function addPrincipals(program: Command, io: Io): void {
  const principals = program.command('principals').summary('whom agents act for')
  principals.description('Principals: the persons, organizations and services on whose behalf agents act.')
  examples(principals, [
    ['writ principals create alice --name "Alice" --email alice@example.com'],
    ['writ principals sign-in-link alice', 'let her see and decide herself'],
    ['writ principals suspend alice', 'every delegation of hers stops at once'],
  ])
  const create = memberOptions(principals.command('create <id>').summary('register a principal'))
  create.description('Registers a principal. Its id is the "sub" of every token that acts for it, and never changes.')
  create.addOption(
    new Option('--kind <kind>', 'a person answers for themselves only')
      .choices(['person', 'organization', 'service'])
      .default('person'),
  )
  examples(create, [
    ['writ principals create alice --name "Alice"'],
    ['writ principals create acme --kind organization'],
  ])
  act(create, io, async (cli, id: string, { kind, name, email }: Members & { kind: string }) => {
    const answer = await (await cli.api()).ask('POST', PRINCIPALS.path, { body: { id, kind, name, email } })
    cli.report(answer, `Registered ${kind} ${id}.`, [
      `Let an agent act for it: writ delegations create --for ${id} --help`,
    ])
  })
  addList(principals, io, PRINCIPALS)
  addShow(principals, io, PRINCIPALS)
  addUpdate(principals, io, PRINCIPALS, {
    options: memberOptions,
    members: ({ name, email }: Members) => ({
      ...(name !== undefined && { name }),
      ...(email !== undefined && { email }),
    }),
    removable: ['name', 'email'],
    sample: '--email alice@example.com',
  })
  addVerbs(principals, io, PRINCIPALS, ['suspend', 'resume'])
  addSignInLinks(principals, io)
}
