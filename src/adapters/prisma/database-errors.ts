/**
 * Whether a unique constraint refused a row: Prisma's P2002, or SQLSTATE 23505 from a plain statement, ours or Prisma's.
 *
 * Only the code counts: what else Prisma says of the constraint differs between the two databases.
 */
export function isUniqueViolation(error: unknown): boolean {
  return chainOf(error).some((link) => link.code === 'P2002' || link.code === '23505')
}

/**
 * Whether the database could not be reached, went away, or did not answer in time: worth a 503 and another try.
 *
 * After such an error a statement that was under way may or may not have been committed.
 */
export function isDatabaseUnavailable(error: unknown): boolean {
  return chainOf(error).some(
    ({ code, kind, message }) =>
      (code !== undefined && (UNAVAILABLE_CODES.has(code) || /^(08|53)[0-9A-Z]{3}$/.test(code))) ||
      (kind !== undefined && UNAVAILABLE_KINDS.has(kind)) ||
      (message !== undefined && UNAVAILABLE_MESSAGE.test(message)),
  )
}

/** Whether the server gave up on a statement that took too long, or waited too long for a lock: it is there all the same. */
export function isStatementTimeout(error: unknown): boolean {
  return chainOf(error).some(({ code }) => code === '57014')
}

/** SQLSTATE classes 08 (connection) and 53 (disk, memory, connections used up) are matched as a whole; these are the others. */
const UNAVAILABLE_CODES: ReadonlySet<string> = new Set([
  // System calls.
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['ENOTFOUND', 'EAI_AGAIN'],
  // Shutdown, crash, starting up; statement timeout; idle in transaction; a standby after failover.
  ...['57P01', '57P02', '57P03', '57P05', '57014', '25P03', '25006'],
  // Prisma: not reachable, timed out, operation timed out, closed, pool timeout, transaction not started, too many.
  ...['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2037'],
])

/** What Prisma's driver adapters call it. */
const UNAVAILABLE_KINDS: ReadonlySet<string> = new Set([
  'DatabaseNotReachable',
  'ConnectionClosed',
  'SocketTimeout',
  'TooManyConnections',
])

/** The drivers' errors without a code, and PostgreSQL's for a database in maintenance, whose code (55000) says less. */
const UNAVAILABLE_MESSAGE =
  /^(database ".{0,200}" is not currently accepting connections|Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after|PGlite is clos)/

/** Longest chain of causes that is looked at: enough for Prisma around its adapter around the driver. */
const MAX_LINKS = 12

interface Link {
  readonly code?: string | undefined
  readonly kind?: string | undefined
  readonly message?: string | undefined
}

/**
 * The error and what it was made of: its causes, the driver's error that Prisma keeps in `meta`, and the members of an
 * AggregateError (one failed attempt per address of a host name).
 */
function chainOf(error: unknown): readonly Link[] {
  const links: Link[] = []
  const queue: unknown[] = [error]
  while (queue.length > 0 && links.length < MAX_LINKS) {
    const value = queue.shift()
    if (typeof value !== 'object' || value === null) continue
    links.push({
      code: text(value, 'code') ?? text(value, 'originalCode'),
      kind: text(value, 'kind'),
      message: text(value, 'message') ?? text(value, 'originalMessage'),
    })
    queue.push(member(value, 'cause'), member(Object(member(value, 'meta')), 'driverAdapterError'))
    const errors = member(value, 'errors')
    if (Array.isArray(errors)) queue.push(...errors.slice(0, MAX_LINKS))
  }
  return links
}

const member = (value: object, name: string): unknown => (name in value ? Reflect.get(value, name) : undefined)

function text(value: object, name: string): string | undefined {
  const found = member(value, name)
  return typeof found === 'string' ? found : undefined
}
