import type { Query } from './open-database.ts'

/** How often a process asks whether an action type or a signing key has changed. */
const POLL_MILLISECONDS = 400

export interface GenerationWatch {
  /** Rebuilds now if there is something new: after a change of our own, before it is answered. */
  readonly check: () => Promise<void>
  readonly stop: () => Promise<void>
}

/**
 * Calls `rebuild` whenever the database's generation is not the one that this process was built from.
 *
 * DECISION: asked for every 400 ms instead of LISTEN/NOTIFY. A notification needs a direct connection of its own, is lost
 * when that breaks, and so would need the question all the same; one row by primary key costs nothing. What must not be
 * late (a suspended type, a revoked delegation) is not left to this: the commit asks the database.
 */
export async function watchGeneration(
  query: Query,
  rebuild: () => Promise<void>,
  onFault: (error: unknown) => void,
): Promise<GenerationWatch> {
  const read = async () => {
    const [row] = await query<{ value: bigint }>('SELECT value FROM generation WHERE id = 1', [], 'read_generation')
    return row?.value
  }
  let built = await read()
  await rebuild()

  let running: Promise<void> | undefined
  const check = async () => {
    // Whoever asks while a check runs may have changed something after it began to read: ask again.
    while (running !== undefined) await running
    running = (async () => {
      const current = await read()
      if (current === built) return
      await rebuild()
      built = current
    })().finally(() => {
      running = undefined
    })
    await running
  }
  let isStopped = false
  let timer: NodeJS.Timeout
  const tick = async () => {
    await check().catch(onFault)
    if (!isStopped) timer = setTimeout(tick, POLL_MILLISECONDS).unref()
  }
  timer = setTimeout(tick, POLL_MILLISECONDS).unref()
  return {
    check,
    stop: async () => {
      isStopped = true
      clearTimeout(timer)
      await running?.catch(onFault)
    },
  }
}

/** When this database was restored from a backup; undefined when it never was. */
export async function readRestoredAt(query: Query): Promise<Date | undefined> {
  const [row] = await query<{ restored_at: Date | null }>('SELECT restored_at FROM generation WHERE id = 1')
  return row?.restored_at ?? undefined
}
