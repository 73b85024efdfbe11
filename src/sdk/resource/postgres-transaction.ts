import type { PostgresQueries } from './postgres-queries.ts'
import { answerOf } from './store-unavailable.ts'

/** One connection of a pool; `PoolClient` of `pg` fits. */
export interface PostgresClient extends PostgresQueries {
  /** Gives it back; with `true` it is closed instead. */
  readonly release: (destroy?: boolean) => void
  readonly on: (event: 'error', listener: (error: Error) => void) => unknown
  readonly off: (event: 'error', listener: (error: Error) => void) => unknown
}

/** `Pool` of `pg` fits. */
export interface PostgresPool<Client extends PostgresClient> extends PostgresQueries {
  readonly connect: () => Promise<Client>
}

/**
 * Runs work in a transaction of a connection of its own, and commits it.
 *
 * @throws what the work throws, with everything undone; or, when the answer to the commit was lost, not knowing whether it was.
 */
export async function inTransaction<Client extends PostgresClient, T>(
  pool: PostgresPool<Client>,
  timeoutMilliseconds: number,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const connecting = pool.connect()
  const client = await answerOf('PostgreSQL', timeoutMilliseconds, () => connecting).catch((error: unknown) => {
    // One that comes late goes straight back; that none came is what is being thrown.
    connecting.then(
      (late) => late.release(),
      () => {},
    )
    throw error
  })
  // A connection that is lost between two statements would otherwise end the process. The next statement fails by itself.
  const ignore = () => {}
  client.on('error', ignore)
  let isClean = false
  try {
    const ask = (text: string) => answerOf('PostgreSQL', timeoutMilliseconds, () => client.query(text, []))
    // In it, a statement sees what was committed before that statement; a stricter default of the database would only fail more often.
    await ask('BEGIN ISOLATION LEVEL READ COMMITTED')
    const result = await work(client)
    await ask('COMMIT')
    isClean = true
    return result
  } finally {
    client.off('error', ignore)
    // Closing it undoes whatever was not committed, a statement that still runs included.
    client.release(!isClean)
  }
}
