import { setTimeout as sleep } from 'node:timers/promises'
import { CliError, EXIT } from '../cli-error.ts'
import type { Item, Listing } from '../connection/pages.ts'

/**
 * How far back each poll looks. Entries get their time before they are committed, so one may appear behind another that is
 * later: what is looked at again is told from what is new by its id. No transaction of the server lasts as long.
 * Unit: milliseconds.
 */
const OVERLAP = 10_000
const MAX_WAIT = 30_000

export interface Following {
  /** A list of entries, newest first, later than `after` (exclusive), of at most `count`. */
  readonly read: (query: { readonly after?: string | undefined }, count: number) => Promise<Listing>
  readonly print: (item: Item) => void
  readonly complain: (line: string) => void
  /** How many to begin with, where `after` is not given. */
  readonly lines: number
  readonly after?: string | undefined
  readonly everyMilliseconds: number
  readonly stopped: AbortSignal
}

/** Prints entries as they come, each once and none left out, in the order of their time and id, until it is stopped. */
export async function follow({
  read,
  print,
  complain,
  lines,
  after,
  everyMilliseconds,
  stopped,
}: Following): Promise<void> {
  /** Ids of what was seen, with their time, as far back as a poll looks. */
  const seen = new Map<string, number>()
  let newest = 0

  const fresh = (items: readonly Item[]): Item[] => {
    const found: Item[] = []
    for (const item of items) {
      if (seen.has(idOf(item))) continue
      found.push(item)
      seen.set(idOf(item), timeOf(item))
      newest = Math.max(newest, timeOf(item))
    }
    for (const [id, time] of seen) if (time < newest - 2 * OVERLAP) seen.delete(id)
    return found.sort((a, b) => timeOf(a) - timeOf(b) || (idOf(a) < idOf(b) ? -1 : 1))
  }
  const start = async () => {
    if (after !== undefined) return fresh((await read({ after }, Number.POSITIVE_INFINITY)).items)
    // The newest entry's own time says how far back to look: no clock of ours is asked.
    const { items } = await read({}, Math.max(1, lines))
    const [last] = items
    if (last !== undefined) {
      const since = secondsText(timeOf(last) - OVERLAP)
      const known = fresh([...items, ...(await read({ after: since }, Number.POSITIVE_INFINITY)).items])
      return lines === 0 ? [] : known.slice(-lines)
    }
    return []
  }
  const poll = async () => {
    const since = newest === 0 ? after : secondsText(newest - OVERLAP)
    return fresh((await read({ after: since }, Number.POSITIVE_INFINITY)).items)
  }

  for (const item of await start()) print(item)
  let failures = 0
  while (!stopped.aborted) {
    const wait = Math.min(everyMilliseconds * 2 ** failures, Math.max(MAX_WAIT, everyMilliseconds))
    await sleep(wait, undefined, { signal: stopped }).catch(() => undefined)
    if (stopped.aborted) return
    try {
      for (const item of await poll()) print(item)
      if (failures > 0) complain('the server is back')
      failures = 0
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== EXIT.unreachable) throw error
      if (failures === 0) complain(`${error.message}; going on as soon as it answers`)
      failures = Math.min(failures + 1, 10)
    }
  }
}

const idOf = (item: Item) => String(item.id)
/** Unit: milliseconds. */
const timeOf = (item: Item) => (typeof item.at === 'number' ? Math.round(item.at * 1_000) : 0)
/** Unit of what comes back: seconds, as a query takes them. */
const secondsText = (milliseconds: number) => String(Math.max(0, milliseconds) / 1_000)
