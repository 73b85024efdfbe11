import { z } from 'zod'
import { isRefusal, type Refusal, refuse } from '../core/refusal.ts'
import { memberName } from '../wire/error-description.ts'

const MAX_QUERY_LENGTH = 8_192

/** How many items a page holds, where nothing is said and at most. */
export const DEFAULT_LIMIT = 50
export const MAX_LIMIT = 200

/** Parameters of every list. */
const Paging = z.strictObject({
  limit: z
    .string()
    .regex(/^[1-9][0-9]{0,2}$/, 'must be a number from 1 to 200')
    .transform(Number)
    .refine((limit) => limit <= MAX_LIMIT, 'must be a number from 1 to 200')
    .default(DEFAULT_LIMIT),
  cursor: z.string().max(1_024).optional(),
})

export interface ListQuery<Filter> {
  readonly limit: number
  readonly cursor: string | undefined
  readonly filter: Filter
  /** The filters as they were sent, in one order: what a cursor is good for. */
  readonly fingerprint: string
}

/** Reads the query of a list: paging and this list's filters, each once, nothing else. */
export function readListQuery<Shape extends z.ZodRawShape>(
  text: string,
  filters: z.ZodObject<Shape>,
): ListQuery<z.output<z.ZodObject<Shape>>> | Refusal {
  const sent = readQuery(text)
  if (isRefusal(sent)) return sent
  const { limit, cursor, ...rest } = sent
  const paging = Paging.safeParse({ ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) })
  if (!paging.success) return invalidQuery(paging.error)
  const filter = filters.safeParse(rest)
  if (!filter.success) return invalidQuery(filter.error)
  const fingerprint = JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)))
  return { ...paging.data, cursor: paging.data.cursor, filter: filter.data, fingerprint }
}

/** Reads a query, each parameter once. */
export function readQuery(text: string): Readonly<Record<string, string>> | Refusal {
  if (text.length > MAX_QUERY_LENGTH) return refuse('request_malformed', 'the query is too long')
  const sent = [...new URLSearchParams(text)]
  const names = new Set(sent.map(([name]) => name))
  if (names.size !== sent.length) return refuse('request_malformed', 'a query parameter appears twice')
  return Object.fromEntries(sent)
}

function invalidQuery(error: z.ZodError): Refusal {
  const [issue] = error.issues
  if (issue?.code === 'unrecognized_keys') {
    return refuse('request_malformed', `unknown query parameter "${memberName(issue.keys[0] ?? '')}"`)
  }
  return refuse('request_malformed', `"${memberName(String(issue?.path[0] ?? ''))}": ${issue?.message ?? 'invalid'}`)
}
