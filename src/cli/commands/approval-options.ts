import type { Command } from 'commander'
import type { JsonObject } from '../../core/json.ts'
import { usageError } from '../cli-error.ts'
import type { AdminApi } from '../connection/admin-api.ts'
import { collect, parseWhole } from '../input/parse-when.ts'
import { readNotation } from './read-bounds.ts'

/** How an approval rule is written on a command line. */
export interface ApprovalOptions {
  readonly approval?: readonly string[]
  readonly approvers?: readonly string[]
  readonly threshold?: number
}

/** The help of the options, below. */
export const APPROVAL_HELP = `
When somebody is asked before the agent acts:
  --approval none               never (what holds where nothing is said)
  --approval each               for each action
  --approval 'outside=email_send to=*@company.com'
                                unless the action is so, in the notation of --allow; may be
                                repeated: what fits one of them needs nobody
  --approvers ann,ben --threshold 2
                                these, and so many of them; otherwise the principal`

const MAX_APPROVERS = 20
const OUTSIDE = 'outside='

/** Declares `--approval`, `--approvers` and `--threshold`. */
export const addApprovalOptions = (command: Command): Command =>
  command
    .option('--approval <rule>', 'when somebody is asked first: none, each, or outside=<bound>; see below', collect)
    .option('--approvers <ids>', 'who may answer, separated by commas (default: the principal)', parseApprovers)
    .option('--threshold <n>', 'how many of them must say yes (default: 1)', parseWhole(1, MAX_APPROVERS))

function parseApprovers(text: string): readonly string[] {
  const ids = text.split(',')
  if (ids.every((id) => /^[a-z0-9._-]{1,255}$/.test(id))) return ids
  throw usageError('--approvers: principals are ids, separated by commas', 'such as ann or ann,ben')
}

/** What is written of approvals, as a member of the API; undefined: nothing. `notes`: what the notation let open. */
export async function readApproval(
  api: AdminApi,
  { approval, approvers, threshold }: ApprovalOptions,
): Promise<{ readonly rule: JsonObject | undefined; readonly notes: readonly string[] }> {
  if (approval === undefined) {
    if (approvers === undefined && threshold === undefined) return { rule: undefined, notes: [] }
    throw usageError('--approvers and --threshold are of no use without --approval', 'say when: --approval each')
  }
  const [first = '', ...more] = approval
  const asked = { ...(approvers !== undefined && { approvers }), ...(threshold !== undefined && { threshold }) }
  if (approval.every((text) => text.startsWith(OUTSIDE))) {
    const texts = approval.map((text) => text.slice(OUTSIDE.length))
    const { bounds, notes } = await readNotation(api, texts, '--approval outside=')
    return { rule: { mode: 'outside', outside: bounds, ...asked }, notes }
  }
  if (more.length === 0 && (first === 'none' || first === 'each')) return { rule: { mode: first, ...asked }, notes: [] }
  throw usageError(
    more.length === 0 ? '--approval is none, each, or outside= and a bound' : 'only outside= may be repeated',
    `such as --approval each, or --approval 'outside=email_send to=*@company.com'`,
  )
}
