import { z } from 'zod'
import { CliError, EXIT } from '../cli-error.ts'
import type { Reply } from './send.ts'

/** A problem of the admin API (RFC 9457). */
const Problem = z.object({
  title: z.string().optional(),
  detail: z.string().optional(),
  errors: z.array(z.object({ member: z.string(), detail: z.string() })).optional(),
  request_id: z.string().optional(),
})

const MENDS: Readonly<Record<number, string>> = {
  401: 'the key may have been retired, or the token withdrawn: `writ admin whoami` tells who you are',
  404: 'the `list` commands tell what there is',
  412: 'it was changed by someone else in between: look at it again, and repeat the command',
  429: 'wait a few seconds, and repeat the command',
}

/** What the server said when it said no. */
export function refusalOf({ status, json, text }: Reply, where: string): CliError {
  const problem = Problem.safeParse(json).data
  const detail = problem?.detail ?? problem?.title ?? text.slice(0, 200)
  const members = (problem?.errors ?? []).map(({ member, detail: why }) => `${member}: ${why}`)
  const isPathUnknown = status === 404 && /nothing here/.test(detail)
  const mend = isPathUnknown
    ? 'this server does not know the path: it may be older than this command line'
    : status >= 500
      ? faultMend(problem?.request_id)
      : MENDS[status]
  // One wrong member stands in the detail already.
  const lines = members.length > 1 ? [where, ...members] : [where]
  // Not answering, and not taking us for an administrator, is another thing than a no.
  const exitCode = status === 401 || status >= 500 ? EXIT.unreachable : EXIT.refused
  const options = { where: lines.join('\n'), ...(mend !== undefined && { mend }) }
  return new CliError(exitCode, detail === '' ? `the server answered ${status}` : `${detail} (${status})`, options)
}

const faultMend = (requestId: string | undefined) =>
  requestId === undefined ? 'see the log of the server' : `see the log of the server for request ${requestId}`
