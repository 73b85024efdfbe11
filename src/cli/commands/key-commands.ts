import type { Command } from 'commander'
import { act, examples } from '../cli.ts'
import { type Item, readPages } from '../connection/pages.ts'
import { confirm } from '../input/confirm.ts'
import { parseEnd } from '../input/parse-when.ts'
import { readPublicKey } from '../input/read-public-key.ts'
import type { Io } from '../io.ts'
import { text } from '../output/fields.ts'
import { numericDate } from '../output/moment.ts'
import { type Columns, printList } from '../output/print-list.ts'
import { addPaging, countOf, type PagingOptions } from './paging.ts'
import { asItem, itemPath, type Kind } from './registered.ts'

const COLUMNS: Columns = [
  ['KID', 'kid'],
  ['STATUS', 'status'],
  ['LABEL', 'label'],
  ['EXPIRES', 'expires_at'],
  ['CREATED', 'created_at'],
]

/** `keys list`, `keys add`, `keys retire` of things that sign. */
export function addKeys(group: Command, io: Io, kind: Kind): void {
  const keys = group.command('keys').summary(`the public keys of ${kind.article} ${kind.noun}`)
  keys.description(`The public keys of ${kind.article} ${kind.noun}. Private keys never come here.`)
  const { plural, sample } = kind
  examples(keys, [[`writ ${plural} keys list ${sample}`], [`writ ${plural} keys add ${sample} --key planner.pub.jwk`]])

  const list = addPaging(keys.command('list <id>').alias('ls').summary('list keys, retired ones included'))
  list.description('Lists keys, retired ones included.')
  examples(list, [[`writ ${plural} keys list ${sample}`]])
  act(list, io, async (cli, id: string, options: PagingOptions) => {
    const request = { ...options, count: countOf(options) }
    const listing = await readPages(await cli.api(), `${itemPath(kind, id)}/keys`, request)
    printList(cli, listing, COLUMNS, `It has no key: writ ${plural} keys add ${id} --key <file>`)
  })

  const add = keys.command('add <id>').summary('register one more public key')
  add
    .description('Registers one more public key: P-256 or Ed25519, as a JWK or PEM.')
    .requiredOption('--key <file>', 'the public key; - for standard input')
    .option('--label <text>', 'a name for it, for people')
    .option('--expires <time>', 'when it stops working: 2027-01-31 or RFC 3339', parseEnd)
  examples(add, [
    [`writ ${plural} keys add ${sample} --key new.pub.jwk --label "laptop, 2027" --expires 2027-12-31`],
    [`writ ${plural} keys add ${sample} --key - < new.pub.pem`],
  ])
  act(add, io, async (cli, id: string, { key, label, expires }: { key: string; label?: string; expires?: Date }) => {
    const body = { jwk: await readPublicKey(io, key), label, expires_at: expires && numericDate(expires) }
    const added = asItem(await (await cli.api()).ask('POST', `${itemPath(kind, id)}/keys`, { body }))
    const kid = text(added, 'kid')
    cli.report(added, `Registered key ${kid} for ${kind.noun} ${id}.`, [
      `When the old key is out of use: writ ${plural} keys retire ${id} <old kid>`,
    ])
  })

  const retire = keys.command('retire <id> <kid>').summary('take a key out of use, for ever')
  retire
    .description('Takes a key out of use at once and for ever; the same key can never be registered again.')
    .option('--reason <text>', 'why, for the record')
    .option('-y, --yes', 'do not ask')
  examples(retire, [[`writ ${plural} keys retire ${sample} 6Kx… --reason "laptop lost"`]])
  act(retire, io, async (cli, id: string, kid: string, { reason, yes }: { reason?: string; yes?: boolean }) => {
    await confirm(io, `Retire key ${kid} of ${kind.noun} ${id}, for ever?`, yes)
    const body = reason === undefined ? {} : { reason }
    const path = `${itemPath(kind, id)}/keys/${encodeURIComponent(kid)}`
    const retired = await (await cli.api()).ask('DELETE', path, { body })
    cli.report(retired, `Retired key ${kid} of ${kind.noun} ${id}.`, [
      `What it still has: writ ${plural} keys list ${id}`,
    ])
  })
}

/** Reads the public keys that a `create` names. */
export const keyMembers = (io: Io, files: readonly string[] | undefined): Promise<Item[]> =>
  Promise.all((files ?? []).map(async (file) => ({ jwk: await readPublicKey(io, file) })))

/** How many active keys an item shows. */
export const keyCount = (item: Item): string => String(Array.isArray(item.keys) ? item.keys.length : 0)
