import type { Command } from 'commander'
import { z } from 'zod'
import { act, examples } from '../cli.ts'
import { CliError, EXIT } from '../cli-error.ts'
import { readPages } from '../connection/pages.ts'
import { parseWhole } from '../input/parse-when.ts'
import type { Io } from '../io.ts'
import { moment } from '../output/moment.ts'
import { type Columns, printList } from '../output/print-list.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'
import { asItem } from './registered.ts'

const MAX_SECONDS = 86_400

const SignInLink = z.looseObject({
  id: z.string().regex(/^[\x21-\x7e]{1,255}$/),
  // It goes onto a terminal: what it may hold is checked, like everything that comes from elsewhere.
  url: z.string().regex(/^https?:\/\/[\x21-\x7e]{1,2048}$/),
  expires_at: z.number(),
})

const COLUMNS: Columns = [
  ['ID', 'id'],
  ['STATUS', 'status'],
  ['EXPIRES', 'expires_at'],
  ['USED', 'used_at'],
  ['BY', 'created_by'],
]

const linksOf = (id: string) => `/admin/principals/${encodeURIComponent(id)}/sign-in-links`

/** `principals sign-in-link`, and what of the links of a principal there is to see and to withdraw. */
export function addSignInLinks(group: Command, io: Io): void {
  const make = group.command('sign-in-link <id>').summary('make a one-time link by which a principal signs in')
  make.description(
    'Makes a one-time link and prints it. Whoever opens it first and presses the button is signed in as the principal.\nThe link is shown once. Persons and organizations sign in; services do not.',
  )
  make.option('--expires-in <seconds>', 'how long the link is good for (default: 900)', parseWhole(1, MAX_SECONDS))
  examples(make, [
    ['writ principals sign-in-link alice'],
    ['writ principals sign-in-link alice --expires-in 3600', 'good for an hour'],
  ])
  act(make, io, async (cli, id: string, { expiresIn }: { expiresIn?: number }) => {
    const parsed = SignInLink.safeParse(
      await (await cli.api()).ask('POST', linksOf(id), { body: { expires_in: expiresIn } }),
    )
    if (!parsed.success) throw new CliError(EXIT.unreachable, 'the answer is no sign-in link', { where: linksOf(id) })
    const { url, expires_at, id: link } = parsed.data
    cli.print(parsed.data, () => [
      `${cli.paint('green', '✓')} ${id} can sign in once until ${moment(expires_at, io.now())}.`,
      '',
      `  ${cli.paint('bold', url)}  (shown this once)`,
      '',
      'Give it to them over a channel that you trust: they open it in their browser and press the button.',
      '',
      cli.paint('dim', 'Next: they add a passkey at /me/passkeys, and need no link again'),
      cli.paint('dim', `Withdraw the link: writ principals withdraw-sign-in-links ${id} ${link}`),
    ])
  })

  const list = addPaging(group.command('sign-in-links <id>').summary('list sign-in links, without the links'))
  list.description('Lists the sign-in links of a principal, newest first, and what became of each.')
  examples(list, [['writ principals sign-in-links alice']])
  act(list, io, async (cli, id: string, options: PagingOptions) => {
    const listing = await readPages(await cli.api(), linksOf(id), { ...options, count: countOf(options) })
    printList(cli, listing, COLUMNS, `There are none: writ principals sign-in-link ${id}`)
  })

  const withdraw = group
    .command('withdraw-sign-in-links <id> [link]')
    .summary('withdraw sign-in links that were not used yet')
  withdraw.description('Withdraws one sign-in link that was not used yet, or all of the principal.')
  examples(withdraw, [['writ principals withdraw-sign-in-links alice']])
  act(withdraw, io, async (cli, id: string, link: string | undefined) => {
    const path = link === undefined ? linksOf(id) : `${linksOf(id)}/${encodeURIComponent(link)}`
    const answer = asItem(await (await cli.api()).ask('DELETE', path, { body: {} }))
    const count = Array.isArray(answer.withdrawn) ? answer.withdrawn.length : 0
    const done = `Withdrew ${count} sign-in link${count === 1 ? '' : 's'} of ${id}.`
    cli.report(answer, done, [`A new one: writ principals sign-in-link ${id}`])
  })
}
